"""The script that somebody would write instead: httpx, a semaphore, a loop. No ledger, no checks, no resume."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path

import httpx


async def main(base_url: str, folder: Path, jobs: int, in_flight: int, poll_every_s: float) -> None:
    gate = asyncio.Semaphore(in_flight)
    requests = {"status": 0}
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(limits=limits, headers={"authorization": "Bearer plain"}, timeout=60) as client:

        async def one(number: int) -> None:
            async with gate:
                body = {"model": "sora-2", "prompt": f"clip {number}", "seconds": "4", "size": "1280x720"}
                video = (await client.post(f"{base_url}/videos", json=body)).raise_for_status().json()
                while video["status"] != "completed":
                    await asyncio.sleep(poll_every_s)
                    requests["status"] += 1
                    video = (await client.get(f"{base_url}/videos/{video['id']}")).raise_for_status().json()
                answer = await client.get(f"{base_url}/videos/{video['id']}/content")
                (folder / f"{number}.mp4").write_bytes(answer.raise_for_status().content)

        started = time.monotonic()
        await asyncio.gather(*(one(number) for number in range(jobs)))
        took = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall_s": round(took, 2),
                "cpu_ms_a_job": round(1000 * (used.ru_utime + used.ru_stime) / jobs, 2),
                "status_requests_a_job": round(requests["status"] / jobs, 2),
                "peak_mb": used.ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(sys.argv[1], target, int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
    os._exit(0)
