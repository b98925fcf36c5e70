from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from pipelines.core.job import Order
from pipelines.providers.profile.load import profile_named
from pipelines.run.provider_session import Allowance, Lane, Pace


@pytest.fixture
def lane_of():
    def lane(name="qiniu", stop=None, **pace):
        return Lane(SimpleNamespace(profile=profile_named(name)), Pace(**pace), stop or asyncio.Event())

    return lane


def _order(seconds, mode="video"):
    return Order(provider="qiniu", mode=mode, model="sora-2", prompt="x", seconds=seconds)


@pytest.mark.parametrize(
    ("name", "pace", "per_second"),
    [
        ("qiniu", {}, 1.0),
        ("acedata", {}, 0.5),
        ("acedata", {"per_minute": 120}, 2.0),
        ("acedata", {"time_scale": 60}, 30.0),
        ("acedata", {"per_minute": 120, "time_scale": 60}, 2.0),
        ("acedata", {"per_minute": 120, "vendor_limits": False}, 2.0),
    ],
    ids=["profile", "another profile", "the user's word", "rehearsed", "the user's word, rehearsed", "own server"],
)
def test_t13_submissions_keep_the_users_pace_or_the_vendors(lane_of, name, pace, per_second):
    """The user's rate wins; else the vendor's, on the vendor's clock."""
    assert lane_of(name, **pace).submit_rate.per_second == pytest.approx(per_second)


def test_an_operators_own_server_has_no_vendor_limits(lane_of):
    """The vendor's rates say nothing of a server that the operator chose."""
    assert lane_of("acedata", vendor_limits=False).submit_rate.per_second >= 100


@pytest.mark.parametrize(("pace", "most"), [({}, 5), ({"in_flight": 40}, 40)])
def test_t13_places_in_flight_are_the_users_or_the_vendors(lane_of, pace, most):
    """So many jobs at the provider at once; a few more workers bring home what is ready."""
    lane = lane_of("acedata", **pace)
    assert lane.in_flight.most == most
    assert lane.workers > most


@pytest.mark.parametrize(
    ("seconds", "scale", "expected"), [(4, 1, 210), (12, 1, 750), (7, 1, 120), (None, 1, 120), (4, 60, 3.5)]
)
def test_what_a_job_usually_takes(lane_of, seconds, scale, expected):
    """The profile's time for that length, on the clock of this run."""
    assert lane_of(time_scale=scale).expected_s(_order(seconds)) == pytest.approx(expected)


def test_a_paid_job_whose_mode_has_gone_is_waited_for_all_the_same(lane_of):
    """Who edits a profile between two runs may take a mode away: what was bought in it takes the profile's usual time."""
    assert lane_of().expected_s(_order(4, "of an older profile")) == 210


async def test_with_a_provider_that_answers_nobody_waits(lane_of):
    """Clearance is given at once as long as nothing has failed."""
    lane = lane_of()
    await asyncio.wait_for(asyncio.gather(*[lane.clearance() for _ in range(100)]), 1)


async def test_s01_one_knocks_at_a_time_while_it_cannot_be_reached(lane_of, monkeypatch):
    """Behind a provider that is away all wait; one by one they try, and when one is heard all are free."""
    monkeypatch.setattr("pipelines.run.provider_session.delay", lambda *_, **__: 0.05)
    lane = lane_of()
    lane.outage.failed()
    order = []

    async def job(number):
        await lane.clearance()
        order.append((number, time.monotonic()))
        if number == 1:
            lane.outage.reached()
        else:
            assert number == 0 or not lane.outage.ongoing()

    began = time.monotonic()
    await asyncio.wait_for(asyncio.gather(*[job(number) for number in range(10)]), 5)
    assert [number for number, _ in order][:2] == [0, 1]
    assert order[0][1] - began >= 0.049
    assert order[1][1] - order[0][1] >= 0.045
    assert order[-1][1] - order[1][1] < 0.3


async def test_i11_a_stop_frees_those_who_wait_to_knock(lane_of):
    """When the run ends, nobody stays behind a provider that is away."""
    stop = asyncio.Event()
    lane = lane_of(stop=stop)
    for _ in range(20):
        lane.outage.failed()
    waiting = asyncio.gather(*[lane.clearance() for _ in range(5)])
    await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(waiting, 5)


def test_an_account_allows_the_least_of_what_its_providers_do():
    """Providers that are paid from one account share its places and its queries: together, not each for itself."""
    strict, loose = (profile_named("acedata").limits.model_copy(update={"in_flight": n}) for n in (3, 8))
    allowance = Allowance.of(Pace(), [loose, strict], asyncio.Event())
    lanes = [
        Lane(SimpleNamespace(profile=profile_named(name)), Pace(), asyncio.Event(), allowance)
        for name in ("acedata", "acedata-veo")
    ]
    assert lanes[0].in_flight is lanes[1].in_flight
    assert (allowance.in_flight.most, allowance.query_rate.per_second) == (3, 1)
    assert lanes[0].submit_rate is not lanes[1].submit_rate
