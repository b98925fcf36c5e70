from __future__ import annotations

import asyncio
import json
import sqlite3
import urllib.request
from contextlib import closing

from flows.command_line.prefect_server import temporary_server


def _is_healthy(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/health", timeout=10) as answer:
        return json.load(answer) is True


async def test_two_runs_that_start_at_once_have_a_server_each():
    """Neither takes the other's for its own, which would end with the other's run."""
    async with temporary_server() as first:

        async def another() -> str:
            async with temporary_server() as url:
                assert await asyncio.to_thread(_is_healthy, url)
                return url

        both = await asyncio.gather(another(), another())
        assert len({first, *both}) == 3
        assert await asyncio.to_thread(_is_healthy, first)


def test_a_server_of_the_runs_own_forgets_nothing(reelbatch, provider, write_batch, tmp_path):
    """When a run's own server ends, it has written down each task run to its end, and each of its events."""
    batch = write_batch(*(f"clip {n}" for n in range(12)))
    environment = {**provider.environment(), "PREFECT_API_URL": None, "PREFECT_HOME": str(tmp_path / "prefect")}
    ended = reelbatch("run", batch, "--out", "out", "--provider", "qiniu", **environment)
    assert ended.code == 0, ended.err
    with closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as database:
        states = dict(database.execute("SELECT name, state_type FROM task_run"))
        events = dict(
            database.execute("SELECT event, count(*) FROM events WHERE event LIKE 'prefect.task-run.%' GROUP BY 1")
        )
    assert states == dict.fromkeys([*(f"job-{n}" for n in range(1, 13)), "plan", "catalogue", "report"], "COMPLETED")
    assert events == {f"prefect.task-run.{state}": 15 for state in ("Pending", "Running", "Completed")}
