from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from pipelines.pacing.slots import Slots


async def _turns(number=5):
    for _ in range(number):
        await asyncio.sleep(0)


async def test_never_more_than_the_places():
    """However many come, so many are inside at most, and all get their turn."""
    slots, inside, most, served = Slots(3), 0, 0, 0

    async def visit():
        nonlocal inside, most, served
        async with slots.slot():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1
            served += 1

    await asyncio.gather(*[visit() for _ in range(50)])
    assert (most, served, slots.count) == (3, 50, 0)


async def test_the_lowest_priority_is_served_first_then_who_came_first():
    """Downloads that expire soonest go first; equals keep the order of coming."""
    slots, order = Slots(1), []

    async def visit(name, priority):
        async with slots.slot(priority=priority):
            order.append(name)

    async with slots.slot():
        waiting = [asyncio.create_task(visit(*who)) for who in (("late", 9), ("a", 1), ("b", 1), ("first", 0))]
        await _turns()
    await asyncio.gather(*waiting)
    assert order == ["first", "a", "b", "late"]


async def test_a_place_is_handed_over_without_a_gap():
    """A newcomer cannot slip in between who leaves and who waits."""
    slots, order = Slots(1), []

    async def visit(name):
        async with slots.slot():
            order.append(name)
            await asyncio.sleep(0)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slots.slot())
        waiting = asyncio.create_task(visit("who waited"))
        await _turns()
    newcomer = asyncio.create_task(visit("newcomer"))
    await asyncio.gather(waiting, newcomer)
    assert order == ["who waited", "newcomer"]


@pytest.mark.parametrize("after_turns", [0, 1, 2, 3])
@pytest.mark.parametrize("leave_first", [True, False], ids=["after the hand-over", "before it"])
async def test_cancellation_leaks_no_place(leave_first, after_turns):
    """Whoever is cancelled while waiting, or in the very moment of getting the slot, takes none along."""
    slots = Slots(1)
    stack = AsyncExitStack()
    await stack.enter_async_context(slots.slot())

    async def visit():
        async with slots.slot():
            await asyncio.sleep(0)

    waiting = asyncio.create_task(visit())
    await _turns()
    if leave_first:
        await stack.aclose()
    await _turns(after_turns)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await stack.aclose()
    assert slots.count == 0
    async with asyncio.timeout(1), slots.slot():
        assert slots.count == 1


async def test_w01_those_inside_already_count_and_do_not_wait():
    """After a restart more may be inside than there are slots: nobody new is let in until they are fewer."""
    slots = Slots(2)
    old = [AsyncExitStack() for _ in range(4)]
    for stack in old:
        await stack.enter_async_context(slots.slot(already_in=True))
    assert slots.count == 4
    inside = asyncio.Event()

    async def newcomer():
        async with slots.slot():
            inside.set()

    waiting = asyncio.create_task(newcomer())
    for stack in old[:2]:
        await stack.aclose()
        await _turns()
        assert not inside.is_set()
    await old[2].aclose()
    await waiting
    await old[3].aclose()
    assert slots.count == 0


async def test_a_failure_inside_gives_the_place_back():
    """An error in the block frees the slot like any other end."""
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError):
        async with slots.slot():
            raise ZeroDivisionError
    assert slots.count == 0


async def test_the_number_may_be_turned():
    """Turned up, who waits comes in at once; turned down, nobody leaves and nobody comes before they are fewer."""
    slots, stacks = Slots(0), [AsyncExitStack() for _ in range(4)]
    waiting = [asyncio.create_task(stack.enter_async_context(slots.slot())) for stack in stacks]
    await _turns()
    assert (slots.count, slots.waiting) == (0, 4)
    slots.most = 3
    await _turns()
    assert (slots.count, slots.waiting) == (3, 1)
    slots.most = 1
    for left in (2, 1):
        await stacks[left].aclose()
        await _turns()
        assert (slots.count, slots.waiting) == (left, 1)
    await stacks[0].aclose()
    await asyncio.gather(*waiting)
    assert (slots.count, slots.waiting) == (1, 0)
    await stacks[3].aclose()
