"""1,000 jobs in flight, by polling and by callbacks: status requests a job, and the lag from ready to on disk.

    python tests/benchmarks/bench_callbacks.py [JOBS [WAY ...]]

Against one sandbox in a process of its own, one run after the other, without Prefect: by a fixed rhythm as plain scripts
have it (every 2 s), by the learned rhythm, and by callbacks. Two providers: one asks about each job by itself (Veo), the other
about fifty in one request (Ace). Who is ready when is in the sandbox's bill; what is home when, in the ledger.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from pipelines.batch import read_batch
from pipelines.core.job import Job
from pipelines.ledger import callbacks
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from tests.programmes.callback_runs import Sandbox, free_port

LATENCY = "lognormal:30,0.3"
WAYS: dict[str, dict[str, Any]] = {
    "every 2 s": {"poll_every": 2.0},
    "learned": {},
    "callbacks": {"callback": True},
}
ROWS = {"acedata": "acedata,,10,", "qiniu": "qiniu,veo-3.0-generate-preview,8,"}


async def measured(provider: str, way: str, jobs: int, folder: Path) -> None:
    """One run; prints its line."""
    sandbox = Sandbox(latency=LATENCY, seed=1)
    try:
        os.environ |= sandbox.environment() | {"QINIU_BASE_URL": f"{sandbox.url}/qiniu/v1", "QINIU_API_KEY": "a-key"}
        name = f"{provider}-{way.replace(' ', '')}"
        path = folder / f"{name}.csv"
        lines = ["id,prompt,provider,model,seconds,size"] + [
            f"r{n:04},{name} {n},{ROWS[provider]}" for n in range(jobs)
        ]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        options = {"in_flight": jobs, "per_minute": 60_000.0, "again": True} | WAYS[way]
        if options.pop("callback", False):
            port = free_port()
            options |= {"callback_listen": f"127.0.0.1:{port}", "callback_url": f"http://127.0.0.1:{port}"}
        async with open_run(read_batch(path), RunOptions(out=folder / name, **options)) as run:

            async def work(job: Job) -> None:
                await generate_job(job.id, run)

            await dispatch(run, work)
            home = await run.ledger.write(
                lambda c: dict(c.exec_driver_sql("SELECT provider_job_id, downloaded_at FROM job").tuples().all())
            )
            requests = sum(session.poller.requests for session in run.sessions.values())
            counts = await run.ledger.write(callbacks.counts)
        ready = {line["id"]: line["created"] + line["latency_s"] for line in sandbox.ask("bill")}
    finally:
        sandbox.end()
    lags = [datetime.fromisoformat(at).timestamp() - ready[name] for name, at in home.items() if at]
    print(f"| {provider} | {way} | {len(lags)} of {jobs} | {requests / jobs:.2f} | {median(lags):.2f} s | "
          f"{sorted(lags)[int(0.99 * len(lags))]:.1f} s | {counts.words()} |", flush=True)  # fmt: skip


def main() -> None:
    """Every way at each provider."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    folder = Path(tempfile.mkdtemp(prefix="bench-callbacks-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    print("| provider | way | done | status requests a job | median lag | p99 | |\n|---|---|---|---|---|---|---|")
    for provider in ROWS:
        for way in sys.argv[2:] or WAYS:
            asyncio.run(measured(provider, way, jobs, folder))
    print(f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
