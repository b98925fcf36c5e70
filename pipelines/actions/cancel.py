"""Asking the run that works on an output folder to stop: it submits nothing more, and what is paid stays known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.failpoints import failpoint
from pipelines.ledger import requests
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.requests import Owner, RequestKind

_LOOK_EVERY_S = 0.2
PATIENCE_S = 120.0  #: an order on its way is answered within this, and its clip's download ends


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of asking a run to stop."""

    folder: Path  # of the ledger
    asked: Owner | None  # the run that was asked; None: none is going on
    stopped: bool  # whether it has ended


def cancel_run(
    folder: Path, *, patience_s: float = PATIENCE_S, told: Callable[[Owner], None] = lambda _: None
) -> Cancellation:
    """Ask the run that works on a folder to stop in order, wherever it was started, and wait until it has.

    Args:
        folder: the output folder.
        patience_s: how long to wait at most; 0: not at all.
        told: hears who was asked, before the waiting begins.

    Raises:
        LedgerError: the folder has no ledger that can be read, or its run cannot be asked.
    """
    reader = LedgerReader(ledger_in(folder))
    if not reader.is_being_written():
        return Cancellation(reader.folder, None, stopped=True)
    owner = reader.read(requests.last_owner)
    reader.ask(requests.ask, RequestKind.CANCEL)
    failpoint("cancel.asked")
    told(owner)
    end = time.monotonic() + patience_s
    while (going := reader.is_being_written()) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY_S)
    return Cancellation(reader.folder, owner, stopped=not going)
