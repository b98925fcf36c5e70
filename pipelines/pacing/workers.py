"""A bounded number of workers over a stream of items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def work_through(
    items: Iterable[T], work: Callable[[T], Awaitable[object]], *, workers: int, stop: asyncio.Event
) -> None:
    """Await `work(item)` for each item, at most `workers` at a time, until the items or the day end.

    Items are pulled one by one, so a hundred thousand of them cost no more coroutines than a hundred.

    Args:
        items: what to work on.
        work: must deal with its own failures; an exception of it ends everything.
        workers: how many run at once.
        stop: when set, no further item is begun; those that run are waited for.
    """
    stream = iter(items)

    async def worker(stream: Iterator[T]) -> None:
        for item in stream:
            if stop.is_set():
                return
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(max(1, workers)):
            group.create_task(worker(stream))
