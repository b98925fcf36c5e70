"""Garbage of a Prefect server is collected in a thread of its own, so that the server never stands still for a minute.

An exception of a request keeps a cursor of SQLite. Whoever frees it waits until the cursor's connection is idle, and that
connection may be waiting for another one's transaction. If it is the event loop that frees it, that transaction cannot
end, and everything stands still for the minute that SQLite waits (seen with gdb and py-spy: `sqlite3_reset` below `gc_collect_main`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from itertools import count, pairwise

_EVERY_S = 1.0
_MUCH = 10_000  # objects that were made, and not freed, since it was last collected
_THOROUGH_EVERY = 10


def is_prefect_server(command: Sequence[str]) -> bool:
    """Tell whether a command starts Prefect's server, or is the process of it that listens."""
    listens = any(each.startswith("prefect.server.api.server:") for each in command)
    return listens or any(pair == ("server", "start") for pair in pairwise(command))


def collect_garbage_apart() -> None:
    """Collect the garbage of this process in a thread of its own from now on; what is loaded by now is none."""
    gc.disable()
    gc.freeze()
    threading.Thread(target=_collect, args=[threading.Event()], daemon=True).start()


def _collect(ended: threading.Event) -> None:
    turns = count(1)
    while not ended.wait(_EVERY_S):
        if gc.get_count()[0] > _MUCH:
            gc.collect(1 if next(turns) % _THOROUGH_EVERY else 2)
