"""A bounded number of workers over items, some of which only become possible when others have ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


class _End:
    """Nothing more comes from the stream."""


_END = _End()


async def work_through(
    items: Iterable[_T],
    work: Callable[[_T], Awaitable[object]],
    *,
    workers: int,
    stop: asyncio.Event,
    then: Callable[[_T], Iterable[_T]] = lambda _: (),
) -> None:
    """Await `work(item)` for each item, at most `workers` at a time, until the items or the day end.

    Items are pulled one by one, so a hundred thousand of them cost no more coroutines than a hundred. Whoever finds
    none goes home; whoever makes several possible calls others in, so nobody waits, and nothing can be missed.

    Args:
        items: what to work on.
        work: must deal with its own failures; an exception of it ends everything.
        workers: how many run at once.
        stop: when set, no further item is begun; those that run are waited for.
        then: the items that became possible by the end of one; they come next.
    """
    stream, ready = iter(items), deque[_T]()
    most, here = max(1, workers), 0

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

    def call_in(wanted: int) -> None:
        nonlocal here
        for _ in range(min(wanted, most - here)):
            here += 1
            group.create_task(worker())

    async with asyncio.TaskGroup() as group:
        call_in(most)
