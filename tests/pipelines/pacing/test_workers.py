from __future__ import annotations

import asyncio

import pytest

from pipelines.pacing.workers import work_through


@pytest.mark.parametrize(("items", "workers", "most"), [(20, 4, 4), (2, 10, 2), (0, 3, 0), (5, 0, 1)])
async def test_each_item_is_worked_on_once_and_so_many_at_a_time(items, workers, most):
    """Every item is taken by exactly one worker, and no more run at once than were asked for."""
    seen, inside, peak = [], 0, 0

    async def work(item):
        nonlocal inside, peak
        inside += 1
        peak = max(peak, inside)
        await asyncio.sleep(0.001)
        inside -= 1
        seen.append(item)

    await work_through(range(items), work, workers=workers, stop=asyncio.Event())
    assert sorted(seen) == list(range(items))
    assert peak == most


async def test_items_are_pulled_when_they_are_needed():
    """A hundred thousand items are not all begun: the stream is read as far as workers are free."""
    pulled = 0

    def stream():
        nonlocal pulled
        for number in range(100_000):
            pulled += 1
            yield number

    stop = asyncio.Event()

    async def work(item):
        if item == 10:
            stop.set()

    await work_through(stream(), work, workers=3, stop=stop)
    assert pulled < 20


async def test_i11_a_stop_begins_nothing_and_waits_for_what_runs():
    """After the stop sign no further item is begun, and what was begun is finished."""
    stop, finished = asyncio.Event(), []

    async def work(item):
        stop.set()
        await asyncio.sleep(0.01)
        finished.append(item)

    await work_through(range(10), work, workers=2, stop=stop)
    assert sorted(finished) == [0]


async def test_a_failure_of_the_work_ends_everything():
    """An exception is a bug of the work: it is not swallowed."""

    async def work(item):
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await work_through(range(3), work, workers=2, stop=asyncio.Event())
    assert caught.group_contains(ZeroDivisionError)
