from __future__ import annotations

import asyncio
import heapq
import random
from itertools import pairwise

import pytest

from pipelines.core.errors import LimitServerAway
from pipelines.pacing.limit_server import Notices, SharedLimit
from pipelines.pacing.rate_limit import RateLimit
from pipelines.pacing.shared_rate import SharedRate, floor_for

NAME = "reelbatch-openai-123abc-submit"


def _shared(server, *, usual=1.0, asked=None, created=None, **more):
    made = usual if created is None else created
    return SharedRate(
        server, NAME, usual, asked, made, asyncio.Event(), clock=server.clock, chance=random.Random(7), **more
    )


async def _turns():
    for _ in range(4):
        await asyncio.sleep(0)


async def _simulated(server, runs, seconds, *, latency=0.03):
    """Let each run ask for the floor as its keeper does; when each had it, as (from, to, pace, whose)."""
    begun, had, agenda = server.now, [], [(server.now + n / 10, n) for n in range(len(runs))]
    while (at := heapq.heappop(agenda))[0] < begun + seconds:
        server.now, who = max(server.now, at[0]), at[1]
        run = runs[who]
        before = run._had_at
        pause = await run.step()
        server.now += latency
        if run._had_at != before:
            run._sent += round((run._until - run._had_at) * run.per_second)
        if run.is_ours:
            had.append((server.now, min(run._until, server.now + pause), run.per_second, who))
        heapq.heappush(agenda, (server.now + pause, who))
    return had


@pytest.mark.parametrize(
    ("most", "per_second", "requests", "seconds"),
    [
        (10, 1.0, 3, 3),
        (60, 1.0, 500, 10),
        (6, 0.1, 5, 10),
        (100, 10.0, 500, 4),
        (20, 4.0, 500, 4),
        (5, 1.0, 500, 5),
        (1, 0.01, 4, 100),
    ],
)
def test_nobody_has_the_floor_for_longer_than_needed_or_ten_seconds(most, per_second, requests, seconds):
    """As long as what is to be sent takes at the pace; ten seconds at most, but always one request."""
    floor = floor_for(SharedLimit("x", most, 0, per_second), requests)
    assert floor.seconds == pytest.approx(seconds)
    assert floor.slots <= most


@pytest.mark.parametrize(("most", "per_second"), [(10, 1.0), (100, 10.0), (5, 0.5), (60, 1.0)])
async def test_four_runs_never_have_the_floor_together_and_use_nearly_all_of_it(limit_server, most, per_second):
    """No two at once, 95 % of the time somebody, and each its part."""
    limit_server.make(NAME, most, per_second)
    runs = [_shared(limit_server, usual=per_second) for _ in range(4)]
    for number, run in enumerate(runs):
        run.chance.seed(number)
    for run in runs:
        run.waiting = 100
    had = sorted(await _simulated(limit_server, runs, 400))
    for (_, end, _, who), (start, _, _, other) in pairwise(had):
        assert who == other or end <= start + 1e-6
    parts = [sum(end - start for start, end, _, who in had if who == n) for n in range(4)]
    assert sum(parts) >= 0.95 * 400
    assert min(parts) > 400 / 4 / 3


async def test_a_run_alone_hardly_waits(limit_server):
    """The floor follows upon the floor."""
    run = _shared(limit_server)
    run.waiting = 100
    had = await _simulated(limit_server, [run], 300)
    assert sum(end - start for start, end, _, _ in had) >= 0.97 * 300


async def test_the_server_is_asked_for_blocks_and_not_for_each_request(limit_server):
    """Ten a second for a minute cost a few questions a second at most, once it is known how many are sent."""
    limit_server.make(NAME, 100, 10.0)
    run = _shared(limit_server, usual=10.0)
    run.waiting = 20
    await _simulated(limit_server, [run], 60)
    assert limit_server.asked < 120


async def test_what_is_not_needed_is_left_to_others(limit_server):
    """Who has two to send has the floor for two."""
    first, second = _shared(limit_server), _shared(limit_server)
    first.waiting, second.waiting = 2, 2
    await first.step()
    limit_server.now += 2.05
    await second.step()
    assert (second.is_ours, first.is_ours) == (True, False)


async def test_who_has_nothing_more_to_send_leaves_the_rest_of_the_floor(limit_server):
    """It does not wait for the ten seconds to pass; the time of what was sent last is kept all the same."""
    limit_server.make(NAME, 10, 1.0)
    first, second = _shared(limit_server), _shared(limit_server)
    first.waiting = 10
    await first.step()
    for _ in range(3):
        limit_server.now += 1
        first.sent()
    first.waiting, second.waiting = 0, 1
    await first.step()
    assert first.is_ours
    limit_server.now += 1.1
    await first.step()
    await second.step()
    assert (first.is_ours, second.is_ours) == (False, True)


@pytest.mark.parametrize(("others", "seconds"), [(False, 4.0), (True, 1.0)], ids=["alone", "with others"])
async def test_who_shares_does_not_keep_the_floor_for_what_may_come(limit_server, others, seconds):
    """Five requests a second are likely after two that wait: alone they are provided for, else others go first."""
    limit_server.make(NAME, 100, 10.0)
    run = _shared(limit_server, usual=10.0, others=lambda: others)
    run.waiting = 2
    await run.step()
    run._expected = 5.0
    limit_server.now += 10
    await run.step()
    assert run._until - limit_server.now == pytest.approx(seconds)


async def test_a_run_that_ends_takes_no_floor_with_it(limit_server):
    """What it has not used is free for others in the time of one request."""
    limit_server.make(NAME, 10, 1.0)
    first, second = _shared(limit_server), _shared(limit_server)
    first.waiting, second.waiting = 10, 1
    await first.step()
    first.sent()
    limit_server.now += 0.2
    await first.leave()
    limit_server.now += 0.5
    await second.step()
    assert (first.is_ours, second.is_ours) == (False, False)
    limit_server.now += 0.6
    await second.step()
    assert second.is_ours


async def test_what_could_not_be_put_back_is_used(limit_server, monkeypatch):
    """A server that fails in the middle leaves nobody without the floor: who took all of it has all of it."""
    monkeypatch.setattr("pipelines.pacing.shared_rate._AGAIN_S", 0)
    failures, put_back = [1] * 9, limit_server.put_back

    async def failing(*arguments):
        if failures:
            failures.pop()
            raise LimitServerAway
        await put_back(*arguments)

    monkeypatch.setattr(limit_server, "put_back", failing)
    limit_server.make(NAME, 10, 1.0)
    run = _shared(limit_server)
    run.waiting = 2
    await run.step()
    limit_server.now += 9
    assert run.is_ours
    limit_server.now += 2
    await run.step()
    assert not failures
    limit_server.now += 3
    assert not run.is_ours


@pytest.mark.parametrize(
    ("asked", "pace"), [(None, 4.0), (1.0, 4.0), (0.5, 0.5)], ids=["untold", "as many", "told fewer"]
)
async def test_a_turned_limit_is_heeded_at_the_next_look(limit_server, asked, pace):
    """Faster or slower, while the run has the floor; but not faster than it was told to be."""
    limit_server.make(NAME, 10, 1.0)
    run = _shared(limit_server, usual=asked or 1.0, asked=asked)
    run.waiting = 50
    assert await run.step() <= 2
    limit_server.limits[NAME] |= {"per_second": 4.0}
    limit_server.now += 2
    await run.step()
    assert (run.per_second, run.is_ours) == (pace, True)
    limit_server.limits[NAME] |= {"most": 0}
    await run.step()
    assert not run.is_ours


async def test_a_limit_that_is_off_is_none(limit_server):
    """The run goes at its own pace, and a limit that somebody deleted stays deleted."""
    limit_server.make(NAME, 6, 0.1)
    run = _shared(limit_server, usual=5.0)
    run.waiting = 1
    limit_server.limits[NAME]["active"] = False
    await run.step()
    assert (run.is_ours, run.per_second) == (True, 5.0)
    del limit_server.limits[NAME]
    await run.step()
    assert (run.is_ours, NAME in limit_server.limits) == (True, False)


@pytest.mark.parametrize("created", [2.5, 0.0])
async def test_the_first_run_creates_the_limit_if_there_is_one_worth_the_name(limit_server, created):
    """A server of one's own has no rate that anybody knows of: then none is made up."""
    run = _shared(limit_server, created=created)
    await run.step()
    assert (NAME in limit_server.limits) == bool(created)


@pytest.mark.parametrize(("others", "pace"), [(False, 1.0), (True, 0.25)])
async def test_a_server_that_is_away_stops_nobody(limit_server, others, pace):
    """Alone the run keeps its pace; where others have been seen, a part of it; until it has its turn again. It is said once."""
    said = []
    limit_server.make(NAME, 10, 1.0, in_use=10 if others else 0)
    notices = Notices(lost=lambda _: said.append("lost"), regained=lambda: said.append("regained"))
    run = _shared(limit_server, notices=notices)
    run.waiting = 3
    await run.step()
    limit_server.away = True
    await run.step()
    assert said == []
    for _ in range(3):
        limit_server.now += 10
        await run.step()
    assert (run.is_ours, run.per_second, said) == (True, pace, ["lost"])
    limit_server.away = False
    limit_server.limits[NAME]["in_use"], limit_server.limits[NAME]["updated"] = 10, limit_server.now
    await run.step()
    assert (said, run.is_ours) == (["lost", "regained"], True)
    limit_server.now += 10
    await run.step()
    assert run.is_ours
    assert run.clock() < run._until
    limit_server.now += 11
    assert not run.is_ours


async def test_requests_go_in_pace_while_the_run_has_the_floor_and_wait_for_the_next(limit_server, virtual_time):
    """Behind the floor nobody is sent; what was not sent in its time comes first in the next."""
    stop = asyncio.Event()
    limit_server.make(NAME, 6000, 100.0)
    shared = SharedRate(limit_server, NAME, 100.0, None, created=100.0, stop=stop)
    limit_server.clock = shared.clock = virtual_time
    rate, times = RateLimit(100, stop=stop, shared=shared), []
    shared._seen, shared._limit = True, await limit_server.look(NAME)

    async def one():
        await rate.slot()
        times.append(shared.clock())

    waiting = [asyncio.create_task(one()) for _ in range(60)]
    await _turns()
    assert (times, shared.waiting) == ([], 60)
    shared._until = shared.clock() + 0.2
    shared._open.set()
    await asyncio.sleep(0.4)
    first = len(times)
    assert 10 <= first <= 31
    assert all(at < shared._until for at in times)
    shared._until = shared.clock() + 60
    shared._open.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert shared.waiting == 0


async def test_i11_the_end_of_the_run_frees_who_waits_for_the_floor(limit_server):
    """Nobody stays behind when the run ends."""
    stop = asyncio.Event()
    rate = RateLimit(1, stop=stop, shared=SharedRate(limit_server, NAME, 1.0, None, created=1.0, stop=stop))
    waiting = asyncio.gather(*[rate.slot() for _ in range(5)])
    await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(waiting, 5)
