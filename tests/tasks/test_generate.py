from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from flows.campaign import campaign
from flows.command_line.driving import shown_parameters
from pipelines.run.options import RunOptions
from pipelines.run.progress import RunProgress
from tasks.generate import generate, generate_all
from tests.servers import HERE, prefect_at

#: As often as one run of the task tries; the sixth download goes well.
CUT_FIVE_TIMES = [{"match": {"route": "download", "nth": [1, 2, 3, 4, 5], "per": "job"}, "do": {"file": "cut"}}]
TWO = [["id", "prompt"], ["boat", "a boat"], ["tram", "a tram"]]
REHEARSED = " (rehearsal, nothing was paid)"
ALWAYS_CUT = [{"match": {"route": "download"}, "do": {"status": 503}}]


def said(state):
    """What the campaign said at its end, without what Prefect puts before it."""
    return state.message.removeprefix("Flow run encountered an exception: AttentionNeeded: ")


@pytest.fixture
def rehearse(prefect_api, tmp_path, monkeypatch):
    """Rehearse two jobs, or others, with faults. Gives the last state and Prefect's task runs, by job."""
    monkeypatch.setattr(generate, "retry_delay_seconds", [0.1, 0.1])

    async def run(rules, rows=TWO):
        batch, faults = tmp_path / "batch.csv", tmp_path / "faults.json"
        with batch.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        faults.write_text(json.dumps(rules), "utf-8")
        options = RunOptions(
            out=tmp_path / "out", provider="qiniu", rehearse=True, speed=1000, latency="0.1", faults=str(faults)
        )
        with prefect_at(prefect_api):
            state = await campaign(**shown_parameters(batch, options), return_state=True)
        wanted = {"flow_runs": {"id": {"any_": [str(state.state_details.flow_run_id)]}}, "limit": 200}
        ends = {}
        async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
            names = {name for name, *_ in rows[1:]}
            while not names <= set(ends):  # records arrive late; the test's own time limit ends this
                await asyncio.sleep(0.05)
                found = (await server.post("/task_runs/filter", json=wanted)).json()
                ends = {
                    run["name"]: run
                    for run in found
                    if run["state"] and run["state_type"] in ("COMPLETED", "FAILED", "CANCELLED")
                }
        return state, ends

    return run


@pytest.fixture
def bought(tmp_path):
    """What the providers' bill and the ledger's attempts say: prompts, and attempts by job."""

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
    assert state.message == f"2 of 2 done{REHEARSED}"
    assert {name: runs[name]["run_count"] for name in ("boat", "tram")} == {"boat": 2, "tram": 2}
    assert bought() == (["a boat", "a tram"], {"boat": 1, "tram": 1})


@pytest.mark.long
async def test_a_download_that_never_works_stays_ready(rehearse, bought, tmp_path):
    """When all retries are used up the job is kept as paid and ready; the next run brings it home without an order."""
    state, runs = await rehearse(ALWAYS_CUT)
    assert state.type == "FAILED"
    assert said(state).startswith("0 of 2 done, 2 ready")
    assert {name: (runs[name]["run_count"], runs[name]["state_type"]) for name in ("boat", "tram")} == {
        "boat": (3, "FAILED"),
        "tram": (3, "FAILED"),
    }
    state, _ = await rehearse([])
    assert state.message == f"2 of 2 done{REHEARSED}"
    assert bought() == (["a boat", "a tram"], {"boat": 1, "tram": 1})


@pytest.mark.long
async def test_a_chain_is_made_one_after_the_other(rehearse, bought):
    """Each remix is a task run of its own, and begins when that of its parent has ended."""
    rows = [["id", "prompt", "remix_of"], ["rain", "in the rain", "boat"], ["boat", "a boat", ""]]
    state, runs = await rehearse([], [*rows, ["night", "at night", "rain"]])
    assert state.message == f"3 of 3 done{REHEARSED}"
    assert bought() == (["a boat", "at night", "in the rain"], {"boat": 1, "night": 1, "rain": 1})
    assert runs["boat"]["end_time"] <= runs["rain"]["start_time"]
    assert runs["rain"]["end_time"] <= runs["night"]["start_time"]


@pytest.mark.long
async def test_every_end_has_a_state_of_its_own(rehearse):
    """In doubt, parked and rejected are Failed under their own names, and each message says the reason, not where to look."""
    rules = [
        {"match": {"route": "submit", "nth": [2]}, "do": {"status": 400}},
        {"match": {"route": "submit", "nth": [3]}, "do": {"cut": "after"}},
        {"match": {"route": "download"}, "do": {"file": "expired"}},
    ]
    _, runs = await rehearse(rules, [*TWO, ["kettle", "a kettle"]])
    jobs = [run for name, run in runs.items() if name in ("boat", "tram", "kettle")]
    said = {run["state_name"]: run["state"]["message"] for run in jobs}
    assert {run["state_type"] for run in jobs} == {"FAILED"}
    assert set(said) == {"Parked", "Rejected", "In Doubt"}
    assert said["Parked"].startswith("parked: ")
    assert said["Rejected"].startswith("rejected: ")
    assert said["Rejected"].endswith(").")
    assert "may have been paid" in said["In Doubt"]
    assert "reelbatch ls" not in str(said)


async def test_what_is_skipped_is_shown_as_skipped(rehearse, bought):
    """When a parent fails, its task run is red, and those of its children say that they were skipped, and are not green."""
    rows = [["id", "prompt", "remix_of"], ["boat", "a boat", ""], ["rain", "in the rain", "boat"]]
    state, runs = await rehearse([{"match": {"route": "submit"}, "do": {"status": 400}}], rows)
    assert said(state).startswith("0 of 2 done, 1 rejected, 1 skipped")
    assert {name: run["state_name"] for name, run in runs.items() if name in ("boat", "rain")} == {
        "boat": "Rejected",
        "rain": "Skipped",
    }
    assert (runs["boat"]["state_type"], runs["rain"]["state_type"]) == ("FAILED", "CANCELLED")
    assert bought() == ([], {"boat": 1})


@pytest.mark.long
async def test_a_fallback_is_one_task_run(rehearse, bought, tmp_path):
    """A job that turns to its fallback stays one task run, that ends well, and its manifest row names who made it."""
    rules = [{"match": {"route": "submit", "contract": "qiniu"}, "do": {"status": 400}}]
    rows = [["id", "prompt", "fallback"], ["boat", "a boat", "acedata"], ["tram", "a tram", "acedata"]]
    state, runs = await rehearse(rules, rows)
    assert state.message == f"2 of 2 done{REHEARSED}"
    assert {name: runs[name]["run_count"] for name in ("boat", "tram")} == {"boat": 1, "tram": 1}
    assert bought() == (["a boat", "a tram"], {"boat": 2, "tram": 2})
    lines = (tmp_path / "out" / "rehearsal" / "manifest.jsonl").read_text("utf-8").splitlines()
    assert {(row["provider"], "fallback_from:qiniu" in row["flags"]) for row in map(json.loads, lines)} == {
        ("acedata", True)
    }


async def test_no_page_outlives_a_run_that_is_cancelled(monkeypatch):
    """A run that is cancelled waits for none of its pages, and leaves none behind that would read its closed ledger."""
    run = SimpleNamespace(
        budget=None, title="x", progress=RunProgress(), folder=Path("x"), stop=asyncio.Event(), showing=set()
    )
    page = asyncio.create_task(asyncio.sleep(60))
    run.showing.add(page)

    async def dispatched(*_):
        await asyncio.sleep(60)

    monkeypatch.setattr("tasks.generate.dispatch", dispatched)
    going = asyncio.create_task(generate_all(run))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert page.cancelled()
