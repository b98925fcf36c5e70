"""The campaign flow, with a real Prefect server and a real provider, as the Prefect UI and the output folder show it."""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
from datetime import datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.campaign import campaign
from pipelines.catalogue.row import COLUMNS
from pipelines.options import RunOptions

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PICTURE = "https://images.example.com/kettle-720x1280.jpg"
IDS = [f"job-{n}" for n in range(1, 13)]
UNLIKED_FIFTH = {"match": {"route": "submit", "nth": [5]}, "do": {"outcome": "moderation_blocked"}}


@pytest.fixture
def mixed(write_batch):
    """Twelve rows: both providers, from text and from pictures, with a column of the user's own."""
    rows = [
        {
            "prompt": f"clip {n}",
            "provider": ("qiniu", "acedata")[n % 2],
            "image_url": PICTURE if n % 3 == 0 else "",
            "scene": f"scene {n}",
        }
        for n in range(12)
    ]
    return write_batch(*rows, name="spring-launch.csv")


@pytest.fixture
def run_campaign(prefect_api, provider, monkeypatch, tmp_path):
    """Run the flow as a deployment would. Gives its last state."""
    for name, value in provider.environment("a").items():  # any key will do, one that is part of every job's id as well
        monkeypatch.setenv(name, value)

    async def run(batch, **options):
        with temporary_settings({PREFECT_API_URL: prefect_api}):
            return await campaign(batch, RunOptions(out=tmp_path / "out", **options), return_state=True)

    return run


@pytest.fixture
def seen_by_prefect(prefect_api):
    """What Prefect's server knows of a flow run. Records of task runs arrive late, so they are awaited."""

    async def look(state, tasks):
        run_id = str(state.state_details.flow_run_id)
        async with httpx.AsyncClient(base_url=prefect_api, trust_env=False) as server:
            flow_run = (await server.get(f"/flow_runs/{run_id}")).json()
            wanted = {"flow_runs": {"id": {"any_": [run_id]}}, "limit": 200}
            for _ in range(400):
                task_runs = (await server.post("/task_runs/filter", json=wanted)).json()
                if sum(run["state_type"] in ("COMPLETED", "FAILED", "CRASHED") for run in task_runs) >= tasks:
                    break
                await asyncio.sleep(0.05)
            artifacts = (await server.post("/artifacts/filter", json=wanted)).json()
        return flow_run, task_runs, artifacts

    return look


async def test_a_mixed_batch(run_campaign, seen_by_prefect, provider, mixed, tmp_path, manifest):
    """Every row over both providers becomes a catalogued video, Prefect shows each by its id, and again sends nothing."""
    state = await run_campaign(mixed)
    assert (state.type, state.message) == ("COMPLETED", "12 of 12 done")
    out = tmp_path / "out"
    rows = manifest(out)
    assert list(rows) == IDS
    assert all((out / row["path"]).stat().st_size == row["bytes"] for row in rows.values())
    assert provider.prompts() == sorted(row["prompt"] for row in rows.values())

    table, frame = (
        list(csv.reader((out / "manifest.csv").read_text("utf-8").splitlines())),
        pd.read_parquet(out / "manifest.parquet"),
    )
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert [*COLUMNS, "scene"] == table[0] == list(frame.columns) == list(lines[0])
    assert IDS == [row[0] for row in table[1:]] == list(frame["id"])
    assert [line["sha256"] for line in lines] == list(frame["sha256"])
    assert all(datetime.fromisoformat(line["downloaded_at"]).utcoffset().total_seconds() == 0 for line in lines)
    own = list(csv.DictReader((out / "spring-launch.done.csv").read_text("utf-8").splitlines()))
    assert [(row["id"], row["scene"], row["status"]) for row in own] == [
        (job, f"scene {n}", "done") for n, job in enumerate(IDS)
    ]
    gallery = (out / "gallery.html").read_text("utf-8")
    assert all(row["path"] in gallery for row in rows.values())
    assert not (out / "failed.csv").exists()

    flow_run, task_runs, artifacts = await seen_by_prefect(state, 15)
    assert (flow_run["name"], flow_run["state"]["message"]) == ("spring-launch", "12 of 12 done")
    assert sorted(run["name"] for run in task_runs) == sorted([*IDS, "plan", "catalogue", "report"])
    assert {run["state_type"] for run in task_runs} == {"COMPLETED"}
    by_key = {artifact["key"]: artifact for artifact in artifacts if artifact["key"]}
    assert set(by_key) == {"spring-launch-progress", "spring-launch-summary"}
    assert by_key["spring-launch-progress"]["data"] == 100
    assert sorted(row["id"] for row in json.loads(by_key["spring-launch-summary"]["data"])) == sorted(IDS)

    before = provider.requests()
    again = await run_campaign(mixed)
    assert (again.type, again.message) == ("COMPLETED", "12 of 12 done")
    assert provider.requests() == before


async def test_one_row_fails(run_campaign, seen_by_prefect, provider, mixed, tmp_path, manifest):
    """A failed row leaves the others alone; the run and that row's task are Failed, and the message counts."""
    provider.faults(UNLIKED_FIFTH)
    state = await run_campaign(mixed)
    assert (state.type, state.message) == ("FAILED", "11 of 12 done, 1 failed")
    statuses = [row["status"] for row in manifest(tmp_path / "out").values()]
    assert sorted(statuses) == ["done"] * 11 + ["failed"]
    _, task_runs, artifacts = await seen_by_prefect(state, 15)
    failed = IDS[statuses.index("failed")]
    assert [run["name"] for run in task_runs if run["state_type"] == "FAILED"] == [failed]
    summary = next(artifact for artifact in artifacts if (artifact["key"] or "").endswith("summary"))
    assert json.loads(summary["data"])[0]["id"] == failed


async def test_a_wrong_batch_is_a_failed_run(run_campaign, provider, write_batch):
    """A deployment that names a bad batch fails with every problem in its message, and sends nothing."""
    state = await run_campaign(write_batch({"prompt": "", "provider": "nobody"}, name="broken.csv"))
    assert state.type == "FAILED"
    assert "nobody" in state.message
    assert provider.requests() == {}


async def test_profiles_of_ones_own(run_campaign, write_batch, provider, tmp_path, manifest, caplog):
    """A deployment knows the profiles beside the batch file and those that its options name, and rehearses them whole."""
    shutil.copytree(EXAMPLES / "reelbatch.providers", tmp_path / "reelbatch.providers")
    owl = tmp_path / "owl.yaml"
    owl.write_text("name: owl\nextends: lumafox\npaths: {submit: /nest}\n", "utf-8")
    again = tmp_path / "reelbatch.providers" / "qiniu.yaml"
    again.write_text("name: qiniu\nextends: qiniu\nlimits: {in_flight: 1}\n", "utf-8")
    rows = [{"prompt": f"a clip of {name}", "provider": name} for name in ("lumafox", "owl", "qiniu")]
    state = await run_campaign(write_batch(*rows), profiles=(owl,), rehearse=True, speed=2000)
    assert state.is_completed(), state.message
    made = manifest(tmp_path / "out" / "rehearsal").values()
    assert [(row["provider"], row["status"]) for row in made] == [(row["provider"], "done") for row in rows]
    assert provider.orders() == 0
    learned = {path.stem for path in (tmp_path / "out" / "rehearsal" / "sandbox-profiles").iterdir()}
    assert learned == {"lumafox", "owl"}  # a change of limits is no change of what is spoken
    assert any("replaces the shipped profile of the name qiniu" in line for line in caplog.messages)
