"""The campaign flow, with a real Prefect server and a real provider, as the Prefect UI and the output folder show it."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import re
import shutil
import uuid
from datetime import datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow

from flows.campaign import campaign
from flows.command_line.driving import shown_parameters
from pipelines.catalogue.manifest_row import COLUMNS
from pipelines.run.observers import SAID
from pipelines.run.options import RunOptions
from tests.servers import HERE, prefect_at

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
        with prefect_at(prefect_api):
            return await campaign(
                **shown_parameters(batch, RunOptions(out=tmp_path / "out", **options)), return_state=True
            )

    return run


@pytest.fixture
def seen_by_prefect(prefect_api):
    """What Prefect's server knows of a flow run. Records of task runs arrive late, so they are awaited."""

    async def look(state, tasks):
        run_id = str(state.state_details.flow_run_id)
        async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
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
    by_key = {artifact["key"].rpartition("-")[2]: artifact for artifact in artifacts if artifact["key"]}
    assert set(by_key) == {"progress", "summary"}
    assert all(re.fullmatch(r"spring-launch-[0-9a-f]{6}-\w+", found["key"]) for found in by_key.values())
    assert by_key["progress"]["data"] == 100
    assert by_key["summary"]["data"].count("](file://") == 2 + len(IDS)
    pages = {artifact["task_run_id"]: artifact["data"] for artifact in artifacts if artifact["key"] is None}
    clips = {run["id"]: run["name"] for run in task_runs if run["name"] in IDS}
    assert set(pages) == set(clips)
    assert all("data:image/jpeg;base64," in pages[run] and f"**{name}**" in pages[run] for run, name in clips.items())

    before = provider.requests()
    again = await run_campaign(mixed)
    assert (again.type, again.message) == ("COMPLETED", "12 of 12 done")
    assert provider.requests() == before


async def test_one_row_fails(run_campaign, seen_by_prefect, provider, mixed, tmp_path, manifest):
    """A failed row leaves the others alone; that row's task is Failed, and the run says so by its name and its result."""
    provider.faults(UNLIKED_FIFTH)
    state = await run_campaign(mixed)
    error = await state.aresult(raise_on_failure=False)
    assert (state.type, str(error), error.result.counts) == (
        "FAILED",
        "11 of 12 done, 1 failed",
        {"done": 11, "failed": 1},
    )
    statuses = [row["status"] for row in manifest(tmp_path / "out").values()]
    assert sorted(statuses) == ["done"] * 11 + ["failed"]
    flow_run, task_runs, artifacts = await seen_by_prefect(state, 15)
    assert (flow_run["state"]["name"], flow_run["state"]["message"]) == ("Rows Failed", "11 of 12 done, 1 failed")
    failed = IDS[statuses.index("failed")]
    assert [run["name"] for run in task_runs if run["state_type"] == "FAILED"] == [failed]
    summary = next(artifact for artifact in artifacts if (artifact["key"] or "").endswith("summary"))
    first = next(line for line in summary["data"].splitlines() if line.startswith("| ["))
    assert f"[{failed}](http" in first


@pytest.mark.long
async def test_a_rehearsal_is_seen_to_be_one(run_campaign, seen_by_prefect, write_batch, tmp_path, monkeypatch):
    """The run's name, its last state and its artifacts say so; the table names the folder and what it would have cost."""
    monkeypatch.chdir(tmp_path)
    batch = write_batch("a boat", "a tram", name="harbour.csv")
    state = await run_campaign(batch, provider="qiniu", rehearse=True, speed=2000)
    assert state.message == "2 of 2 done (rehearsal, nothing was paid)"
    flow_run, _, artifacts = await seen_by_prefect(state, 5)
    assert flow_run["name"] == "harbour (rehearsal)"
    described = [artifact["description"] for artifact in artifacts if artifact["key"]]
    assert len(described) == 2
    assert all("rehearsal, nothing was paid" in words for words in described)
    summary = next(words for words in described if "manifest.csv" in words)
    assert "It would have cost " in summary
    assert summary.endswith("Everything: out/rehearsal/manifest.csv and out/rehearsal/gallery.html")


@pytest.mark.long
async def test_logs_have_levels_and_the_terminal_no_echo(reelbatch, provider, write_batch, prefect_api):
    """In the UI doubt is an error and a refusal a warning, and a summary closes; the terminal says each of them once."""
    refused, cut = ({"route": "submit", "nth": [n]} for n in (1, 2))
    provider.faults({"match": refused, "do": {"status": 400}}, {"match": cut, "do": {"cut": "after"}})
    batch = write_batch("a boat", "a tram", "a kettle", name="levels.csv")
    command = ["run", batch, "--out", "out", "--provider", "qiniu", "--poll-every", "0.05"]
    ended = await asyncio.to_thread(reelbatch, *command, **provider.environment("levels"))
    assert ended.code == 4, ended.err
    async with httpx.AsyncClient(base_url=prefect_api, **HERE) as server:
        named = {"flow_runs": {"name": {"any_": ["levels"]}}}
        (flow_run,) = (await server.post("/flow_runs/filter", json=named)).json()
        wanted = {"logs": {"flow_run_id": {"any_": [flow_run["id"]]}}, "limit": 200}
        logs = (await server.post("/logs/filter", json=wanted)).json()
    for words, level in (("may have been paid", logging.ERROR), ("rejected by qiniu", logging.WARNING)):
        assert [line["level"] for line in logs if words in line["message"] and line["name"] == SAID] == [level]
        assert ended.err.count(words) == 1, ended.err
    (closing,) = [line["message"] for line in logs if "Everything is in out." in line["message"]]
    assert closing.startswith("1 of 3 done, 1 in doubt, 1 rejected. Spent ")
    assert "uncertain 0." in closing


@pytest.fixture
def run_deployed(prefect_api, provider, monkeypatch, tmp_path):
    """Make a deployment of the flow, and run it as a worker does, with some parameters of its own. Gives its last state."""
    for name, value in provider.environment("d").items():
        monkeypatch.setenv(name, value)

    async def run(own, given):
        with prefect_at(prefect_api):
            async with get_client() as client:
                flow_id = await client.create_flow(campaign)
                made = await client.create_deployment(
                    flow_id, f"deployed-{uuid.uuid4()}", parameters={"out": str(tmp_path / "out"), **own}
                )
                flow_run = await client.create_flow_run_from_deployment(made, parameters=given)
            return await run_flow(campaign, flow_run=flow_run, parameters=flow_run.parameters, return_type="state")

    return run


@pytest.mark.long
@pytest.mark.parametrize(
    ("own", "given"),
    [({"rehearse": True}, {"rehearse": False}), ({"budget": 5.0}, {"budget": None})],
    ids=["rehearsal", "capped"],
)
async def test_a_deployment_is_not_robbed_of_its_cap(run_deployed, provider, write_batch, own, given):
    """A run that takes the rehearsal or the cap of its deployment away, and names none, orders nothing and says what to do."""
    batch = str(write_batch("a boat", name="capped.csv"))
    state = await run_deployed({"batch": batch, "provider": "qiniu", **own}, given)
    assert (state.type, provider.orders()) == ("FAILED", 0)
    assert "`budget`: 25" in state.message
    state = await run_deployed({"batch": batch, "provider": "qiniu", **own}, {**given, "budget": 5.0})
    assert (state.type, provider.orders()) == ("COMPLETED", 1)


@pytest.mark.long
async def test_an_occurrence_is_read_in_the_zone_of_its_deployment(
    run_deployed, seen_by_prefect, provider, write_batch, tmp_path
):
    """Where a run names only the moment: its folder, its day and its name; one that cannot be read fails with what to write."""
    batch = str(write_batch("a boat on {{ date }}", name="zoned.csv"))
    own = {"batch": batch, "provider": "qiniu", "advanced": {"timezone": "Asia/Tokyo"}}
    state = await run_deployed(own, {"advanced": {"occurrence": "2026-11-22 03:17:09"}})
    assert (state.type, provider.prompts()) == ("COMPLETED", ["a boat on 2026-11-22"])
    assert (tmp_path / "out" / "2026-11-21T18-17-09Z").is_dir()
    flow_run, *_ = await seen_by_prefect(state, 4)
    assert flow_run["name"] == "zoned 2026-11-22 03:17:09+09:00"
    state = await run_deployed(own, {"advanced": {"occurrence": "x y/../z"}})
    assert (state.type, state.name) == ("FAILED", "Failed")
    assert "Write a day or a moment: 2026-11-21" in state.message


async def test_a_wrong_batch_is_a_failed_run(run_campaign, provider, write_batch):
    """A deployment that names a bad batch fails with every problem in its message, and sends nothing."""
    state = await run_campaign(write_batch({"prompt": "", "provider": "nobody"}, name="broken.csv"))
    assert state.type == "FAILED"
    assert "nobody" in state.message
    assert provider.requests() == {}


@pytest.mark.long
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
