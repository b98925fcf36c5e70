"""A person's word in Prefect, and a signal to its process, reach a campaign that goes on in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from types import SimpleNamespace

import anyio
import httpx
import pytest
from prefect.exceptions import Pause

from flows import stop_requests
from flows.campaign import campaign
from flows.lost_runs import LOST
from pipelines.core.errors import AttentionNeeded
from pipelines.core.stop_reason import StopReason
from tests.servers import HERE, prefect_at, written

ROWS = 10


@pytest.fixture
def slow(start_provider, write_batch, monkeypatch, tmp_path):
    """A campaign of jobs, two at once, that take a second each; its provider, and its parameters."""
    monkeypatch.setattr(stop_requests, "LOOK_EVERY_S", 0.1)
    provider = start_provider(latency="1")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    batch = write_batch(*(f"clip {n}" for n in range(ROWS)), name=f"{tmp_path.name}.csv")
    return provider, {"batch": str(batch), "provider": "qiniu", "in_flight": 2, "out": str(tmp_path / "out")}


@pytest.fixture
def during(slow, prefect_api, tmp_path, until):
    """Run the campaign, do something once two orders are out, and give what the flow came to and its last state."""
    provider, parameters = slow

    async def run(act):
        async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
            with prefect_at(prefect_api):
                going = asyncio.create_task(_outcome(parameters))
                await asyncio.to_thread(until, lambda: len(provider.bill()) == 2)
                named = {"flow_runs": {"name": {"any_": [tmp_path.name]}}, "sort": "START_TIME_DESC", "limit": 1}
                (flow_run,) = (await server.post("/flow_runs/filter", json=named)).json()
                await act(server, flow_run["id"])
                outcome = await going
            state = (await server.get(f"/flow_runs/{flow_run['id']}")).json()["state"]
        return outcome, state

    return run


async def _outcome(parameters):
    try:
        return await campaign(**parameters)
    except (AttentionNeeded, Pause) as outcome:
        return outcome


def _ask(kind, **more):
    async def act(server, run_id):
        body = {"state": {"type": kind, **more}, "force": True}
        assert (await written(server, f"/flow_runs/{run_id}/set_state", body))["status"] == "ACCEPT"

    return act


async def _terminate(_server, _run_id):
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.long
@pytest.mark.parametrize(
    ("act", "ends", "why"),
    [
        (_ask("CANCELLING"), ("CANCELLED", "Cancelled"), StopReason.CANCELLED),
        (_ask("PAUSED", name="Paused"), ("PAUSED", "Suspended"), StopReason.SUSPENDED),
        (_terminate, ("CRASHED", "Crashed"), StopReason.TERMINATED),
    ],
)
async def test_a_word_stops_the_run_in_order(slow, during, manifest, tmp_path, prefect_api, act, ends, why):
    """Nothing more is ordered, what is paid stands in the catalogue, the state says how far it came, and it goes on."""
    provider, parameters = slow
    before = signal.getsignal(signal.SIGTERM)
    outcome, state = await during(act)
    assert (state["type"], state["name"]) == ends
    counts = Counter(row["status"] for row in manifest(tmp_path / "out").values())
    assert state["message"].startswith(f"{counts['done']} of {ROWS} done, ")
    assert why.sentence in state["message"]
    if why is StopReason.SUSPENDED:
        assert isinstance(outcome, Pause)
    else:
        assert isinstance(outcome, AttentionNeeded)
        assert (outcome.result.exit_code, outcome.result.stopped) == (130, why)
    assert set(counts) - {"done"} == {"planned", "waiting"}
    assert len(provider.bill()) == ROWS - counts["planned"]
    assert signal.getsignal(signal.SIGTERM) == before
    with prefect_at(prefect_api):
        result = await campaign(**parameters | {"in_flight": ROWS})
    assert (result.counts, len(provider.bill())) == ({"done": ROWS}, ROWS)


@pytest.mark.long
async def test_a_run_that_was_taken_for_lost_says_that_it_lives(slow, during):
    """After an outage the automation for lost runs may mark one that goes on; the run takes that back and ends as it does."""
    provider, _ = slow
    outcome, state = await during(_ask("CRASHED", message=LOST))
    assert (outcome.counts, state["type"]) == ({"done": ROWS}, "COMPLETED")
    assert len(provider.bill()) == ROWS


async def test_what_does_not_end_is_cut_off(monkeypatch):
    """Once somebody stops the run, its work has so long and no longer; an error of the work is the caller's."""

    class Stopped:
        stopped = StopReason.ASKED

    monkeypatch.setattr(stop_requests, "_GRACE_S", 0.1)
    ended = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    await asyncio.wait_for(stop_requests.within_grace(Stopped(), work()), 30)
    assert ended.is_set()

    async def fail():
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await stop_requests.within_grace(Stopped(), fail())


async def test_a_slot_that_is_lost_cuts_nothing_off(prefect_api):
    """Prefect cancels the flow whose lease it cannot renew; the run comes to its end, and only then that is felt."""
    done = False
    with prefect_at(prefect_api), anyio.CancelScope() as lease:
        async with stop_requests.stop_requests(SimpleNamespace(stopped=None)):
            lease.cancel()
            await asyncio.sleep(0.1)
            done = True
        await asyncio.sleep(0)
    assert (done, lease.cancelled_caught) == (True, True)
