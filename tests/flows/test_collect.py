"""The collect and expiry flows, over folders that killed runs have left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.collect import collect
from flows.expiry import LINK_EXPIRING, expiry
from pipelines.ledger.ledger import LEDGER_NAME, Ledger


@pytest.fixture
def left(start_reelbatch, start_provider, write_batch, until, tmp_path, monkeypatch):
    """A folder with one paid clip under way, whose run was killed."""
    provider = start_provider(latency="2")
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "root" / "left"
    command = ["run", write_batch("a boat", name="left.csv"), "--out", out, "--provider", "qiniu", "--budget", "1"]
    killed = start_reelbatch(*command, **provider.environment())
    until(provider.bill)

    def accepted():
        with closing(sqlite3.connect(f"file:{out / LEDGER_NAME}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT count(*) FROM job WHERE status = 'waiting'").fetchone()[0]

    until(accepted)
    killed.kill()
    killed.wait()
    with closing(sqlite3.connect(out / LEDGER_NAME)) as ledger, ledger:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        ledger.execute("UPDATE job SET url_expires_at = ?", (soon,))
    return out, provider


@pytest.fixture
def events(prefect_api):
    """The alarms that Prefect has heard of a folder."""

    def heard(folder):
        wanted = {"filter": {"event": {"name": [LINK_EXPIRING]}}, "limit": 50}
        found = httpx.post(f"{prefect_api}/events/filter", json=wanted, trust_env=False).json()["events"]
        return [event["payload"] for event in found if event["payload"]["folder"] == str(folder)]

    return heard


async def test_collect_brings_home_what_is_below_a_folder(left, prefect_api):
    """One task run a folder; a folder that another run owns is left alone, and nothing is ordered."""
    out, provider = left
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        async with Ledger(out / LEDGER_NAME):
            state = await collect(str(out.parent), return_state=True)
            assert (state.type, state.message) == ("COMPLETED", "0 paid clips recovered")
        state = await collect(str(out.parent), return_state=True)
    assert state.message == "1 paid clip recovered"
    assert [*(out / "videos").glob("*.mp4")]
    assert len(provider.bill()) == 1


async def test_expiry_raises_the_alarm_for_what_cannot_be_had(left, prefect_api, events, until, monkeypatch):
    """Without a key the clip stays where it is, and an event names campaign and jobs; with the key it comes home."""
    out, _ = left
    with temporary_settings({PREFECT_API_URL: prefect_api}), monkeypatch.context() as without:
        without.delenv("QINIU_API_KEY")
        lost = await expiry(str(out.parent))
        assert lost == {str(out): ["job-1"]}
        until(lambda: events(out))
    assert events(out)[0] == {"folder": str(out), "campaign": "left", "jobs": ["job-1"], "count": 1}
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        state = await expiry(str(out.parent), return_state=True)
    assert (state.message, await state.aresult()) == ("1 paid clip recovered", {})


async def test_expiry_leaves_alone_what_has_time(left, prefect_api):
    """No provider is asked for a link that lasts."""
    out, provider = left
    before = provider.requests()
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        assert await expiry(str(out.parent), within_hours=0.5) == {}
    assert provider.requests() == before
