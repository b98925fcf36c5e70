"""A bounded number of workers over items, some of which only become possible when others have ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from pipelines.pacing.waits import sleep_unless

_GROW_S = 1.0  # so often it is looked whether more may work
_T = TypeVar("_T")


class _End:
    """Nothing more comes from the stream."""


_END = _End()


async def work_through(
    items: Iterable[_T],
    work: Callable[[_T], Awaitable[object]],
    *,
    workers: int | Callable[[], int],
    stop: asyncio.Event,
    then: Callable[[_T], Iterable[_T]] = lambda _: (),
) -> None:
    """Await `work(item)` for each item, at most `workers` at a time, until the items or the day end.

    Items are pulled one by one, so a hundred thousand of them cost no more coroutines than a hundred. Whoever finds
    none goes home; whoever makes several possible calls others in, so nobody waits, and nothing can be missed.

    Args:
        items: what to work on.
        work: must deal with its own failures; an exception of it ends everything.
        workers: how many run at once; a function where more may become possible meanwhile.
        stop: when set, no further item is begun; those that run are waited for.
        then: the items that became possible by the end of one; they come next.
    """
    stream, ready = iter(items), deque[_T]()
    here, all_gone = 0, asyncio.Event()

    def most() -> int:
        return max(1, workers() if callable(workers) else workers)

    async def worker() -> None:
        nonlocal here
        while not stop.is_set():
            item = ready.popleft() if ready else next(stream, _END)
            if isinstance(item, _End):
                break
            await work(item)
            ready.extend(then(item))
            call_in(len(ready) - 1)  # one of them is this worker's own
        here -= 1
        if not here:
            all_gone.set()

    def call_in(wanted: int) -> None:
        nonlocal here
        for _ in range(min(wanted, most() - here)):
            here += 1
            group.create_task(worker())

    async with asyncio.TaskGroup() as group:
        call_in(most())
        while callable(workers) and not (all_gone.is_set() or stop.is_set()):
            await sleep_unless(all_gone, _GROW_S)
            call_in(most() - here if here else 0)
