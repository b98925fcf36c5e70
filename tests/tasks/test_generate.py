from __future__ import annotations

import csv
import json
import sqlite3

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.campaign import campaign
from pipelines.options import RunOptions
from tasks.generate import generate

#: As often as one run of the task tries; the sixth download goes well.
CUT_FIVE_TIMES = [{"match": {"route": "download", "nth": [1, 2, 3, 4, 5], "per": "job"}, "do": {"file": "cut"}}]
ALWAYS_CUT = [{"match": {"route": "download"}, "do": {"status": 503}}]


@pytest.fixture
def rehearse(prefect_api, tmp_path, monkeypatch):
    """Rehearse two jobs with faults. Gives the last state and what Prefect knows of the task runs, by job."""
    monkeypatch.setattr(generate, "retry_delay_seconds", [0.1, 0.1])

    async def run(rules):
        batch, faults = tmp_path / "batch.csv", tmp_path / "faults.json"
        with batch.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["id", "prompt"], ["boat", "a boat"], ["tram", "a tram"]])
        faults.write_text(json.dumps(rules), "utf-8")
        options = RunOptions(
            out=tmp_path / "out", provider="qiniu", rehearse=True, speed=1000, latency="0.1", faults=str(faults)
        )
        with temporary_settings({PREFECT_API_URL: prefect_api}):
            state = await campaign(batch, options, return_state=True)
        wanted = {"flow_runs": {"id": {"any_": [str(state.state_details.flow_run_id)]}}, "limit": 200}
        ends = {}
        async with httpx.AsyncClient(base_url=prefect_api, trust_env=False) as server:
            while not {"boat", "tram"} <= set(ends):  # records arrive late; the test's own time limit ends this
                found = (await server.post("/task_runs/filter", json=wanted)).json()
                ends = {run["name"]: run for run in found if run["state_type"] in ("COMPLETED", "FAILED")}
        return state, ends

    return run


@pytest.fixture
def bought(tmp_path):
    """What the provider's bill and the ledger's attempts say: prompts, and attempts by job."""

    def look():
        folder = tmp_path / "out" / "rehearsal"
        lines = (folder / "sandbox-bill.jsonl").read_text("utf-8").splitlines()
        with sqlite3.connect(folder / "ledger.sqlite3") as ledger:
            attempts = ledger.execute("SELECT job_id, count(*) FROM attempt GROUP BY job_id").fetchall()
        ledger.close()
        return sorted(json.loads(line)["prompt"] for line in lines), dict(attempts)

    return look


async def test_a_retry_never_buys_again(rehearse, bought):
    """Prefect retries the task of a job whose download fails; it goes on from the ledger, and no second order is sent."""
    state, runs = await rehearse(CUT_FIVE_TIMES)
    assert state.message == "2 of 2 done"
    assert {name: runs[name]["run_count"] for name in ("boat", "tram")} == {"boat": 2, "tram": 2}
    assert bought() == (["a boat", "a tram"], {"boat": 1, "tram": 1})


async def test_a_download_that_never_works_stays_ready(rehearse, bought, tmp_path):
    """When all retries are used up the job is kept as paid and ready; the next run brings it home without an order."""
    state, runs = await rehearse(ALWAYS_CUT)
    assert state.type == "FAILED"
    assert state.message.startswith("0 of 2 done, 2 ready")
    assert {name: (runs[name]["run_count"], runs[name]["state_type"]) for name in ("boat", "tram")} == {
        "boat": (3, "FAILED"),
        "tram": (3, "FAILED"),
    }
    state, _ = await rehearse([])
    assert state.message == "2 of 2 done"
    assert bought() == (["a boat", "a tram"], {"boat": 1, "tram": 1})
