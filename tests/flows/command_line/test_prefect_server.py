from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import urllib.request
import uuid
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from flows.command_line.prefect_api import may_name_a_server
from flows.command_line.prefect_server import free_listener, temporary_server
from tests.flows.command_line.test_run import MIXED
from tests.servers import HERE


def _is_healthy(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/health", timeout=10) as answer:
        return json.load(answer) is True


@pytest.mark.long
async def test_two_runs_that_start_at_once_have_a_server_each(own_prefect, monkeypatch):
    """Neither takes the other's for its own; and what takes its time is loaded meanwhile, behind what was asked before."""
    monkeypatch.setenv("PREFECT_HOME", str(own_prefect))
    order = []
    asyncio.get_running_loop().call_later(0.1, order.append, "asked")
    with closing(free_listener()) as other:  # of a run that has just begun: its server does not answer yet
        async with temporary_server(meanwhile=lambda: order.append("loaded")) as url:
            assert order == ["asked", "loaded"]
            assert await asyncio.to_thread(_is_healthy, url)
            assert not url.endswith(f":{other.getsockname()[1]}")


@pytest.mark.long
def test_a_run_on_its_own_needs_nothing_and_forgets_nothing(reelbatch, own_prefect, write_batch, tmp_path):
    """A rehearsal needs no key and no Prefect server, and its own server has written down each event when it goes."""
    batch = write_batch(*MIXED)
    unset = {name: None for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL"))}
    unset["PREFECT_API_URL"] = None
    command = ["run", batch, "--out", "out", "--rehearse", "--latency", "0.2", "--json"]
    ended = reelbatch(*command, PREFECT_HOME=str(own_prefect), **unset)
    assert ended.code == 0, ended.err
    assert ended.json["counts"] == {"done": 5}
    assert ended.json["manifest"] == str(tmp_path / "out" / "rehearsal" / "manifest.jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"batch.csv", "out"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rehearsal"}
    with closing(sqlite3.connect(own_prefect / "prefect.db")) as database:
        states = dict(database.execute("SELECT name, state_type FROM task_run"))
        events = dict(
            database.execute("SELECT event, count(*) FROM events WHERE event LIKE 'prefect.task-run.%' GROUP BY 1")
        )
    names = [*(f"job-{n}" for n in range(1, 6)), "plan", "catalogue", "report"]
    assert states == dict.fromkeys(names, "COMPLETED"), ended.err
    assert events == {f"prefect.task-run.{state}": 8 for state in ("Pending", "Running", "Completed")}


@pytest.mark.long
async def test_a_server_that_ends_has_written_down_what_it_was_told(own_prefect, monkeypatch):
    """Also what has come in its last moment, which its services had not taken up yet."""
    monkeypatch.setenv("PREFECT_HOME", str(own_prefect))
    burst = [
        {
            "id": str(uuid.uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "trial.burst",
            "resource": {"prefect.resource.id": f"trial.{number}"},
        }
        for number in range(500)
    ]
    async with temporary_server() as url:
        await asyncio.to_thread(httpx.post, f"{url}/api/events", json=burst, **HERE)
    with closing(sqlite3.connect(own_prefect / "prefect.db")) as database:
        assert database.execute("SELECT count(*) FROM events WHERE event = 'trial.burst'").fetchone() == (500,)


@pytest.mark.parametrize(
    ("file", "text", "variables"),
    [
        ("", "", {"PREFECT_API_URL": "http://127.0.0.1:4200/api"}),
        ("", "", {"prefect_api_url": "http://127.0.0.1:4200/api"}),
        ("prefect.toml", '[api]\nurl = "http://127.0.0.1:4200/api"\n', {}),
        ("pyproject.toml", '[tool.prefect.api]\nurl = "http://127.0.0.1:4200/api"\n', {}),
        (".env", "PREFECT_API_URL=http://127.0.0.1:4200/api\n", {}),
        ("home/profiles.toml", 'active = "a"\n[profiles.a]\nPREFECT_API_URL = "http://127.0.0.1:4200/api"\n', {}),
    ],
    ids=["variable", "small letters", "prefect.toml", "pyproject.toml", ".env", "profile"],
)
def test_a_server_is_found_wherever_prefect_looks_for_one(tmp_path, file, text, variables):
    """Only where nothing could name one is Prefect not asked; else account limits that runs share would be overlooked."""
    (tmp_path / "home").mkdir()
    if file:
        (tmp_path / file).write_text(text)
    environment = {"PREFECT_HOME": str(tmp_path / "home")}
    assert may_name_a_server(environment | variables, tmp_path)
    (tmp_path / "nothing").mkdir()
    assert not may_name_a_server({"PREFECT_HOME": str(tmp_path / "nothing")}, tmp_path / "nothing")
