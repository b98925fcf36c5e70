from __future__ import annotations

import asyncio
from functools import partial

import pytest

from pipelines.pacing.worker_pool import work_through


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


def _following(children, item):
    return children.get(item, ())


async def _worked_through(items, children, *, workers, pause=lambda _: 0.0):
    """Work through a forest. Gives the order in which its items began, and how many ran at once at most."""
    began, inside, peak = [], 0, 0

    async def work(item):
        nonlocal inside, peak
        began.append(item)
        inside += 1
        peak = max(peak, inside)
        await asyncio.sleep(pause(item))
        inside -= 1

    then = partial(_following, children)
    await asyncio.wait_for(work_through(items, work, workers=workers, stop=asyncio.Event(), then=then), 10)
    return began, peak


@pytest.mark.parametrize("workers", [1, 2, 3, 50])
async def test_what_becomes_possible_is_worked_on_once(workers):
    """Items that the end of another makes possible are each begun once, after it, and never too many at a time."""
    numbers = range(1, 400)
    children = {n: [child for child in (2 * n, 2 * n + 1) if child in numbers] for n in numbers}
    began, peak = await _worked_through([1], children, workers=workers, pause=lambda n: (n % 3) / 1000)
    assert sorted(began) == list(numbers)
    assert all(began.index(n // 2) < began.index(n) for n in numbers if n > 1)
    assert peak <= workers
    if workers == 50:
        assert peak > 10


async def test_what_becomes_possible_comes_next():
    """A chain is gone through before further items of the stream are begun."""
    began, _ = await _worked_through(["a", "b"], {"a": ["a1", "a2"], "a1": ["a11"]}, workers=1)
    assert began == ["a", "a1", "a2", "a11", "b"]


async def test_whoever_went_home_is_called_back_in():
    """With the stream at its end all but one worker are idle; when one item makes many possible, all work again."""
    wide = [f"leaf {n}" for n in range(20)]
    began, peak = await _worked_through(["root"], {"root": ["trunk"], "trunk": wide}, workers=8, pause=lambda _: 0.005)
    assert sorted(began) == sorted(["root", "trunk", *wide])
    assert peak == 8


async def test_a_chain_of_any_depth_comes_to_its_end():
    """Ten thousand items, each made possible by the one before, need no more than a worker."""
    began, peak = await _worked_through([0], {n: [n + 1] for n in range(10_000)}, workers=4)
    assert began == list(range(10_001))
    assert peak == 1


async def test_i11_a_stop_leaves_what_became_possible():
    """After the stop sign the items that an end makes possible are not begun either, and nobody waits for them."""
    stop = asyncio.Event()
    finished = []

    async def work(item):
        stop.set()
        await asyncio.sleep(0.01)
        finished.append(item)

    await asyncio.wait_for(work_through([1], work, workers=5, stop=stop, then=lambda n: [n + 1] * 9), 5)
    assert finished == [1]


async def test_a_failure_among_many_ends_everything():
    """An exception ends the others as well, wherever they are: at work, or not yet called in."""
    ended = []

    async def work(item):
        if item == "bad":
            raise ZeroDivisionError
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(item)
            raise

    with pytest.raises(ExceptionGroup) as caught:
        await work_through(["a", "b", "bad"], work, workers=3, stop=asyncio.Event(), then=lambda _: ["more"])
    assert caught.group_contains(ZeroDivisionError)
    assert sorted(ended) == ["a", "b"]


async def test_a_failure_of_the_work_ends_everything():
    """An exception is a bug of the work: it is not swallowed."""

    async def work(item):
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await work_through(range(3), work, workers=2, stop=asyncio.Event())
    assert caught.group_contains(ZeroDivisionError)


async def test_more_work_when_more_becomes_possible(monkeypatch):
    """The number of workers may grow while they work, and the end is not waited for any longer."""
    monkeypatch.setattr("pipelines.pacing.worker_pool._GROW_S", 0.01)
    inside, peak, most, go_on, six = 0, 0, 1, asyncio.Event(), asyncio.Event()

    async def work(_):
        nonlocal inside, peak
        inside += 1
        peak = max(peak, inside)
        if peak == 6:
            six.set()
        await go_on.wait()
        inside -= 1

    working = asyncio.create_task(work_through(range(20), work, workers=lambda: most, stop=asyncio.Event()))
    await asyncio.sleep(0.05)
    assert peak == 1
    most = 6
    async with asyncio.timeout(5):
        await six.wait()
        go_on.set()
        await working
    assert peak == 6
