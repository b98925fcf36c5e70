"""The expiry flow, over a folder that a killed run has left."""

from __future__ import annotations

import httpx
import pytest

from flows.expiry import LINK_EXPIRING, expiry
from tests.servers import HERE, prefect_at


@pytest.fixture
def events(prefect_api):
    """The alarms that Prefect has heard of a folder."""

    def heard(folder):
        wanted = {"filter": {"event": {"name": [LINK_EXPIRING]}}, "limit": 50}
        found = httpx.post(f"{prefect_api}/events/filter", json=wanted, **HERE).json()["events"]
        return [event["payload"] for event in found if event["payload"]["folder"] == str(folder)]

    return heard


@pytest.mark.long
async def test_expiry_raises_the_alarm_for_what_cannot_be_had(left_behind, prefect_api, events, until, monkeypatch):
    """Without a key the clip stays where it is, and an event names campaign and jobs; with the key it comes home."""
    out, _ = left_behind
    with prefect_at(prefect_api), monkeypatch.context() as without:
        without.delenv("QINIU_API_KEY")
        lost = await expiry(str(out.parent))
        assert lost == {str(out): ["job-1"]}
        until(lambda: events(out))
    found = events(out)[0]
    assert "1 paid clips end soon" in found.pop("message")
    assert found == {"folder": str(out), "campaign": "left", "jobs": ["job-1"], "count": 1}
    with prefect_at(prefect_api):
        state = await expiry(str(out.parent), return_state=True)
    assert (state.message, await state.aresult()) == ("1 paid clip recovered", {})


@pytest.mark.long
async def test_expiry_leaves_alone_what_has_time(left_behind, prefect_api):
    """No provider is asked for a link that lasts."""
    out, provider = left_behind
    before = provider.requests()
    with prefect_at(prefect_api):
        assert await expiry(str(out.parent), within_hours=0.5) == {}
    assert provider.requests() == before
