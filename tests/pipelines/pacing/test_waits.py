from __future__ import annotations

import asyncio

import pytest

from pipelines.pacing.waits import sleep_unless


async def test_it_sleeps():
    """Without a stop sign it lasts as long as was asked."""
    now = asyncio.get_running_loop().time
    began = now()
    await sleep_unless(asyncio.Event(), 60)
    assert now() - began == pytest.approx(60)


@pytest.mark.parametrize("already", [True, False], ids=["before", "meanwhile"])
async def test_a_stop_ends_it(already):
    """A stop sign ends the sleep at once, set before or meanwhile."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0 if already else 0.01, stop.set)
    if already:
        await asyncio.sleep(0.001)
    await asyncio.wait_for(sleep_unless(stop, 60), 5)


@pytest.mark.parametrize("seconds", [0, -1, -0.0, float("-inf")])
async def test_no_time_is_no_sleep(seconds):
    """Nothing to wait for returns at once."""
    await asyncio.wait_for(sleep_unless(asyncio.Event(), seconds), 5)


async def test_cancellation_passes_through():
    """Being cancelled is not mistaken for the end of the time."""
    task = asyncio.create_task(sleep_unless(asyncio.Event(), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
