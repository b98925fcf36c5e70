"""1,000 jobs in flight, by polling and by callbacks: status requests a job, and the lag from ready to on disk.

    python tests/benchmarks/bench_callbacks.py [JOBS [LATENCY [PROVIDER ...]]]

Jobs take three to five minutes, as the vendors' do. Against a sandbox in a process of its own for each way, one way after the
other, without Prefect: our learned rhythm, callbacks, and a plain script as the vendors' examples have it: one question a job
every 5 s, and every 10 s. Two providers: one is asked about each job by itself (Veo), the other by us about fifty in one
request (Ace). Requests are counted by the sandbox; who was ready when is in its bill, what was home when in the ledger.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from pipelines.batch import read_batch
from pipelines.core.job import Job
from pipelines.ledger import callbacks
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from tests.programmes.processes import free_port, sandbox

LATENCY = "uniform:180-300"
PLAIN = {"plain script, every 5 s": 5.0, "plain script, every 10 s": 10.0}
OURS = ("learned rhythm", "callbacks")
ROWS = {"acedata": "acedata,,10,", "qiniu": "qiniu,veo-3.0-generate-preview,8,"}
_PLAIN_MOST = 250  # jobs; with more it cannot keep its own rhythm here, and its questions a job are the same
STATUS = {"acedata": "POST /acedata/sora/tasks", "qiniu": "GET /qiniu/v1/videos/generations/{id}"}


async def plain(provider: str, url: str, jobs: int, every_s: float, folder: Path) -> dict[str, float]:
    """The loop of the vendors' examples: order, then ask at a fixed pause until it is there. By id, when it was home."""
    home: dict[str, float] = {}
    await asyncio.to_thread(folder.mkdir)
    async with httpx.AsyncClient(headers={"authorization": "Bearer plain"}, timeout=60) as client:

        async def asked(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
            return (await client.request(method, f"{url}{path}", json=body)).raise_for_status().json()

        async def ace(prompt: str) -> tuple[str, str]:
            body = {"model": "sora-2", "prompt": prompt, "duration": 10, "version": "1.0", "async": True}
            name = (await asked("POST", "/acedata/sora/videos", body))["task_id"]
            while True:
                await asyncio.sleep(every_s)
                task = await asked("POST", "/acedata/sora/tasks", {"id": name, "action": "retrieve"})
                if task.get("finished_at"):
                    return name, task["response"]["data"][0]["video_url"]

        async def veo(prompt: str) -> tuple[str, str]:
            body = {"model": "veo-3.0-generate-preview", "instances": [{"prompt": prompt}], "parameters": {}}
            name = (await asked("POST", "/qiniu/v1/videos/generations", body))["id"]
            while True:
                await asyncio.sleep(every_s)
                job = await asked("GET", f"/qiniu/v1/videos/generations/{name}")
                if job["status"] == "Completed":
                    return name, job["data"]["videos"][0]["url"]

        async def one(number: int) -> None:
            name, link = await (ace if provider == "acedata" else veo)(f"clip {number}")
            answer = await client.get(link)
            (folder / f"{number}.mp4").write_bytes(answer.raise_for_status().content)
            home[name] = time.time()

        await asyncio.gather(*(one(number) for number in range(jobs)))
    return home


async def reelbatch(provider: str, jobs: int, folder: Path, *, called_back: bool) -> tuple[dict[str, float], str]:
    """One run. By id, when it was home; and what it says of callbacks."""
    path = folder.with_suffix(".csv")
    lines = [f"r{number:04},clip {number},{ROWS[provider]}" for number in range(jobs)]
    path.write_text("\n".join(["id,prompt,provider,model,seconds,size", *lines]) + "\n", "utf-8")
    options: dict[str, Any] = {"in_flight": jobs, "per_minute": 60_000.0, "again": True}
    if called_back:
        port = free_port()
        options |= {"callback_listen": f"127.0.0.1:{port}", "callback_url": f"http://127.0.0.1:{port}"}
    async with open_run(read_batch(path), RunOptions(out=folder, **options)) as run:

        async def work(job: Job) -> None:
            await generate_job(job.id, run)

        await dispatch(run, work)
        found = "SELECT provider_job_id, downloaded_at FROM job WHERE downloaded_at IS NOT NULL"
        rows = await run.ledger.write(lambda c: c.exec_driver_sql(found).tuples().all())
        words = (await run.ledger.write(callbacks.counts)).words()
    return {name: datetime.fromisoformat(at).timestamp() for name, at in rows}, words


async def measured(provider: str, way: str, jobs: int, latency: str, folder: Path) -> float:
    """One way at one provider; prints its line. Returns its status requests a job."""
    words = ""
    with sandbox(latency=latency, seed=1) as there:
        os.environ |= there.environment()
        out = folder / f"{provider}-{way.replace(' ', '-').replace(',', '')}"
        if way in PLAIN:
            jobs = min(jobs, _PLAIN_MOST)
            home = await plain(provider, there.url, jobs, PLAIN[way], out)
        else:
            home, words = await reelbatch(provider, jobs, out, called_back=way == "callbacks")
        seen = there.ask("requests")
        ready = {line["id"]: line["created"] + line["latency_s"] for line in there.ask("bill")}
    requests = seen["routes"][STATUS[provider]] / jobs
    lags = sorted(at - ready[name] for name, at in home.items())
    load = os.getloadavg()[0]
    print(f"| {provider} | {way} | {len(lags)} of {jobs} | {requests:.2f} | {median(lags):.2f} s | "
          f"{lags[int(0.99 * len(lags))]:.1f} s | {load:.1f} | {words} |", flush=True)  # fmt: skip
    return requests


def main() -> None:
    """Every way at each provider, then how many times fewer questions callbacks need than each other way."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    latency = sys.argv[2] if len(sys.argv) > 2 else LATENCY
    folder = Path(tempfile.mkdtemp(prefix="bench-callbacks-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    print(f"jobs of {latency} s\n| provider | way | done | status requests a job | median lag | p99 | load | |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for provider in sys.argv[3:] or ROWS:
        asked = {way: asyncio.run(measured(provider, way, jobs, latency, folder)) for way in (*OURS, *PLAIN)}
        fewer = ", ".join(
            f"{asked[way] / asked['callbacks']:.1f} times fewer than {way}" for way in asked if way != "callbacks"
        )
        print(f"{provider}: callbacks need {fewer}", flush=True)


if __name__ == "__main__":
    main()
