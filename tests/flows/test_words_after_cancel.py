"""A runner of Prefect writes its own words over those of a cancelled run; a real server says what is left of them."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx
import pytest

from flows.words_after_cancel import outlive_runner, put_back
from tests.servers import HERE, prefect_at, written

OURS = "3 of 10 done, 7 planned. The run was cancelled in Prefect."
RUNNERS = "Flow run was cancelled successfully."


@pytest.fixture
async def server(prefect_api):
    """A connection to it."""
    async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
        with prefect_at(prefect_api):
            yield server


@pytest.fixture
async def cancelled(server):
    """The id of a flow run that has ended as it was asked to."""
    flow = await written(server, "/flows/", {"name": "campaign"})
    run = await written(server, "/flow_runs/", {"flow_id": flow["id"]})
    await set_state(server, run["id"], "CANCELLING")
    await set_state(server, run["id"], "CANCELLED", OURS)
    return run["id"]


async def set_state(server, run_id, kind, message=None):
    """As a runner does."""
    state = {"type": kind, "message": message}
    await written(server, f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})


async def state_of(server, run_id):
    """Its type and message."""
    state = (await server.get(f"/flow_runs/{run_id}")).json()["state"]
    return state["type"], state["message"]


async def test_the_words_of_the_run_are_the_last(server, cancelled):
    """They are put back by a process of its own, which ends then."""
    with outlive_runner(cancelled, OURS) as process:
        await set_state(server, cancelled, "CANCELLED", RUNNERS)
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert await state_of(server, cancelled) == ("CANCELLED", OURS)


async def test_a_run_that_somebody_has_begun_again_is_left_alone(server, cancelled):
    """Its cancel is of yesterday."""
    await set_state(server, cancelled, "RUNNING")
    await put_back(UUID(cancelled), OURS)
    assert await state_of(server, cancelled) == ("RUNNING", None)
