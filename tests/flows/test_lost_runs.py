"""The automation that marks lost runs, as Prefect's server keeps it."""

from __future__ import annotations

import httpx
import pytest

from flows.lost_runs import LOST, NAME, silence_s, watch_for_lost_runs
from tests.servers import HERE, prefect_at


@pytest.mark.parametrize(("heartbeat", "silence"), [(30, 90), (60, 180), (180, 540), (600, 540), (None, 540)])
def test_a_lost_run_is_marked_within_ten_minutes(heartbeat, silence):
    """Three heartbeats may be missed, but nobody is looked for longer than nine minutes."""
    assert silence_s(heartbeat) == silence


async def test_the_automation_is_made_once(prefect_api):
    """Making it again changes what is there; it waits anew after each heartbeat and marks only what is ours."""
    async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
        wanted = {"automations": {"name": {"any_": [NAME]}}}
        with prefect_at(prefect_api):
            await watch_for_lost_runs()
            (first,) = (await server.post("/automations/filter", json=wanted)).json()
            await watch_for_lost_runs(within_s=90)
        (found,) = (await server.post("/automations/filter", json=wanted)).json()
        await server.delete(f"/automations/{found['id']}")
    assert (found["id"], found["trigger"]["within"]) == (first["id"], 90)
    assert first["trigger"]["within"] == 540
    assert set(found["trigger"]["after"]) == {"prefect.flow-run.Running", "prefect.flow-run.heartbeat"}
    assert "campaign" in found["trigger"]["match_related"]["prefect.resource.name"]
    (action,) = found["actions"]
    assert (action["state"], action["message"]) == ("CRASHED", LOST)
