from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from pipelines.core.job import Order
from pipelines.providers.profile.load import profile_named
from pipelines.run.provider_session import Allowance, HeldSlot, Pace, ProviderSession


@pytest.fixture
def session_of():
    def session(name="qiniu", stop=None, **pace):
        return ProviderSession(SimpleNamespace(profile=profile_named(name)), Pace(**pace), stop or asyncio.Event())

    return session


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
def test_t13_submissions_keep_the_users_pace_or_the_vendors(session_of, name, pace, per_second):
    """The user's rate wins; else the vendor's, on the vendor's clock."""
    assert session_of(name, **pace).submit_rate.per_second == pytest.approx(per_second)


def test_an_operators_own_server_has_no_vendor_limits(session_of):
    """The vendor's rates say nothing of a server that the operator chose."""
    assert session_of("acedata", vendor_limits=False).submit_rate.per_second >= 100


@pytest.mark.parametrize(("pace", "most"), [({}, 5), ({"in_flight": 40}, 40)])
def test_t13_slots_in_flight_are_the_users_or_the_vendors(session_of, pace, most):
    """So many jobs at the provider at once; a few more workers bring home what is ready."""
    session = session_of("acedata", **pace)
    assert session.in_flight.most == most
    assert session.workers > most


@pytest.mark.parametrize(
    ("seconds", "scale", "expected"), [(4, 1, 210), (12, 1, 750), (7, 1, 120), (None, 1, 120), (4, 60, 3.5)]
)
def test_what_a_job_usually_takes(session_of, seconds, scale, expected):
    """The profile's time for that length, on the clock of this run."""
    assert session_of(time_scale=scale).expected_s(_order(seconds)) == pytest.approx(expected)


def test_a_paid_job_whose_mode_has_gone_is_waited_for_all_the_same(session_of):
    """Who edits a profile between two runs may take a mode away: what was bought in it takes the profile's usual time."""
    assert session_of().expected_s(_order(4, "of an older profile")) == 210


async def test_with_a_provider_that_answers_nobody_waits(session_of):
    """Leave is given at once as long as nothing has failed."""
    session = session_of()
    await asyncio.wait_for(asyncio.gather(*[session.half_open_probe() for _ in range(100)]), 1)


async def test_s01_one_probes_at_a_time_while_it_cannot_be_reached(session_of, monkeypatch):
    """Behind a provider that is away all wait; one by one they try, and when one is heard all are free."""
    pauses = []
    monkeypatch.setattr("pipelines.run.provider_session.delay", lambda *_, **__: pauses.append(1) or 0.05)
    session = session_of()
    session.outage.failed()
    order = []

    async def job(number):
        await session.half_open_probe()
        order.append((number, time.monotonic()))
        if number == 1:
            session.outage.reached()
        else:
            assert number == 0 or not session.outage.ongoing()

    began = time.monotonic()
    await asyncio.gather(*[job(number) for number in range(10)])
    assert [number for number, _ in order][:2] == [0, 1]
    assert order[0][1] - began >= 0.049
    assert order[1][1] - order[0][1] >= 0.045
    assert len(pauses) == 2  # whoever comes after it was reached does not pause


async def test_i11_a_stop_frees_those_who_wait_to_probe(session_of):
    """When the run ends, nobody stays behind a provider that is away."""
    stop = asyncio.Event()
    session = session_of(stop=stop)
    for _ in range(20):
        session.outage.failed()
    waiting = asyncio.gather(*[session.half_open_probe() for _ in range(5)])
    await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(waiting, 5)


def test_an_account_allows_the_least_of_what_its_providers_do():
    """Providers that are paid from one account share its places and its queries: together, not each for itself."""
    strict, loose = (profile_named("acedata").limits.model_copy(update={"in_flight": n}) for n in (3, 8))
    allowance = Allowance.of(Pace(), [loose, strict], asyncio.Event())
    sessions = [
        ProviderSession(SimpleNamespace(profile=profile_named(name)), Pace(), asyncio.Event(), allowance)
        for name in ("acedata", "acedata-veo")
    ]
    assert sessions[0].in_flight is sessions[1].in_flight
    assert (allowance.in_flight.most, allowance.query_rate.per_second) == (3, 1)
    assert sessions[0].submit_rate is not sessions[1].submit_rate


async def test_a_slot_is_held_until_it_is_given_back(session_of):
    """One job holds one slot at one provider: asking again changes nothing, and another provider's slot frees the first."""
    here, there, slot = session_of("qiniu", in_flight=1), session_of("acedata", in_flight=1), HeldSlot()
    for _ in range(2):
        await slot.take(here)
    assert (here.in_flight.count, there.in_flight.count) == (1, 0)
    await slot.take(there, already_in=True)
    assert (here.in_flight.count, there.in_flight.count) == (0, 1)
    for _ in range(2):
        await slot.release()
    assert there.in_flight.count == 0


@pytest.mark.parametrize(
    ("steps", "at_fault"),
    [
        (["elsewhere"], True),
        (["none"], False),
        (["none", "none"], True),
        (["shown", "elsewhere"], False),
        (["shown", "none", "none"], False),
        (["none", "shown", "elsewhere"], False),
    ],
)
def test_a_profile_seems_wrong_while_no_clip_was_where_it_looks(session_of, steps, at_fault):
    """Links elsewhere in the first answer say so, or two answers without any; one without says that moderation was there."""
    session = session_of()
    for step in steps:
        found = session.shows_clips() if step == "shown" else session.misses_clips(is_elsewhere=step == "elsewhere")
    assert found is at_fault
