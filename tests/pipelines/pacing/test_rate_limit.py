from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from pipelines.pacing.rate_limit import RateLimit

pytestmark = pytest.mark.usefixtures("virtual_time")


async def _times(rate, number):
    """When each of so many that ask together gets its slot."""
    now = asyncio.get_running_loop().time
    began = now()

    async def one():
        await rate.slot()
        return now() - began

    return sorted(await asyncio.gather(*[one() for _ in range(number)]))


async def test_the_pace_is_steady():
    """Ten at a hundred a second take nine intervals, and none comes before its time."""
    times = await _times(RateLimit(100), 10)
    assert times == pytest.approx([0.01 * number for number in range(10)])


async def test_a_burst_goes_at_once_and_then_the_pace_holds():
    """So many may go together as the burst says; the next waits its turn."""
    times = await _times(RateLimit(20, burst=5), 7)
    assert times == pytest.approx([0, 0, 0, 0, 0, 0.05, 0.1])


async def test_a_pause_earns_no_more_than_the_burst():
    """A long silence is not made up for by a flood."""
    rate = RateLimit(50, burst=2)
    await rate.slot()
    await asyncio.sleep(100)
    times = await _times(rate, 4)
    assert times == pytest.approx([0, 0, 0.02, 0.04])


async def test_s33_a_hint_holds_everybody():
    """After a refusal with a hint nobody is sent before its end, and they do not all come at once then."""
    rate = RateLimit(50)
    assert rate.slow_down(0.15) == pytest.approx(0.15)
    times = await _times(rate, 4)
    assert times[0] == pytest.approx(0.15)
    assert all(later - earlier >= 1 / (50 * 0.7) - 1e-6 for earlier, later in pairwise(times))


async def test_a_hold_reaches_those_who_wait_already():
    """Who had reserved a slot before the refusal waits for the end of the hold too."""
    rate = RateLimit(20)
    waiting = asyncio.create_task(_times(rate, 2))
    await asyncio.sleep(0.01)
    rate.slow_down(0.2)
    times = await waiting
    assert times[1] >= 0.2


async def test_s34_without_a_hint_holds_double():
    """A refusal without a hint holds for five seconds, then ten, up to fifteen minutes; a success starts over."""
    rate = RateLimit(10)
    holds = []
    for _ in range(10):
        holds.append(rate.slow_down(None))
        rate._held_until = 0.0
    assert holds == pytest.approx([5, 10, 20, 40, 80, 160, 320, 640, 900, 900], abs=0.1)
    rate.succeeded()
    assert rate.slow_down(None) == pytest.approx(5, abs=0.1)


async def test_answers_to_requests_that_were_under_way_are_one_refusal():
    """Fifty requests at once that all get a 429 slow the account down once, not fifty times."""
    rate = RateLimit(10)
    holds = [rate.slow_down(None) for _ in range(50)]
    assert max(holds) <= 60
    assert rate.per_second == pytest.approx(7)


async def test_the_longest_hint_of_a_hold_counts():
    """A later answer of the same episode that asks for longer is obeyed, one that asks for less is not."""
    rate = RateLimit(10)
    rate.slow_down(10)
    assert rate.slow_down(30) == pytest.approx(30, abs=0.1)
    assert rate.slow_down(1) == pytest.approx(30, abs=0.1)


async def test_the_pace_falls_and_grows_back():
    """Each refusal makes it slower by three tenths, down to a twentieth; successes bring the full rate back."""
    rate = RateLimit(100)
    seen = []
    for _ in range(20):
        rate.slow_down(0)
        seen.append(rate.per_second)
    assert seen[:2] == pytest.approx([70, 49])
    assert seen[-1] == pytest.approx(5)
    for _ in range(200):
        rate.succeeded()
    assert rate.per_second == 100


async def test_i11_the_end_of_the_run_frees_everybody():
    """When the run ends, whoever waits for a slot or a hold returns at once."""
    stop = asyncio.Event()
    rate = RateLimit(0.01, stop=stop)
    rate.slow_down(60)
    waiting = asyncio.create_task(_times(rate, 20))
    await asyncio.sleep(0.02)
    stop.set()
    assert (await asyncio.wait_for(waiting, 5))[-1] < 2


async def test_a_rehearsal_waits_less():
    """Waits that are ours to choose shrink with the speed of a rehearsal; a provider's hint does not."""
    rate = RateLimit(10, time_scale=60)
    assert rate.slow_down(None) == pytest.approx(5 / 60, abs=0.01)
    assert RateLimit(10, time_scale=60).slow_down(5) == pytest.approx(5, abs=0.01)
