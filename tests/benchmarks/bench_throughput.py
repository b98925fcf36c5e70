"""1,000 jobs of 1 s, 50 in flight, beside a plain httpx script, against the same sandbox, one after the other.

Run it alone on the machine: `make bench`. Prints one table; asserts nothing.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHAPES = {"1000 x 1 s, 50 in flight": (1000, 50), "2000 x 1 s, 200 in flight": (2000, 200)}


@contextmanager
def sandbox(folder: Path, latency: str = "1") -> Iterator[str]:
    command = [sys.executable, "-m", "pipelines.sandbox", "--until-stdin-closes", "--renders", "light"]
    command += ["--latency", latency, "--bill", str(folder / "bill.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(10)


def requests_seen(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sandbox/requests") as answer:
        return json.load(answer)


def plain(url: str, folder: Path, jobs: int, in_flight: int) -> dict[str, Any]:
    command = [
        sys.executable,
        str(HERE / "plain_script.py"),
        f"{url}/openai/v1",
        str(folder),
        str(jobs),
        str(in_flight),
    ]
    done = subprocess.run([*command, "0.25"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def reelbatch(url: str, folder: Path, jobs: int, in_flight: int) -> dict[str, Any]:
    batch = folder / "batch.csv"
    folder.mkdir(parents=True)
    with batch.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt", "seconds", "size"])
        writer.writerows([f"job-{n}", f"clip {n}", 4, "1280x720"] for n in range(jobs))
    out = folder / "out"
    command = [sys.executable, "-m", "flows.command_line", "run", str(batch), "--out", str(out), "--json"]
    command += ["--provider", "openai", "--in-flight", str(in_flight), "--yes"]
    environment = {**os.environ, "OPENAI_BASE_URL": f"{url}/openai/v1", "OPENAI_API_KEY": "bench"}
    environment["PREFECT_HOME"] = str(folder / "prefect")
    environment["XDG_STATE_HOME"] = str(folder / "state")
    started = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    whole = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    summary = json.loads(done.stdout)
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    first = min(datetime.fromisoformat(row["submitted_at"]) for row in rows)
    last = max(datetime.fromisoformat(row["downloaded_at"]) for row in rows)
    ages = [
        (datetime.fromisoformat(r["downloaded_at"]) - datetime.fromisoformat(r["submitted_at"])).total_seconds()
        for r in rows
    ]
    return {
        "wall_s": round((last - first).total_seconds(), 2),
        "cpu_ms_a_job": round(1000 * summary["generating_cpu_s"] / jobs, 2),
        "cpu_ms_a_job_whole_process": round(1000 * summary["cpu_s"] / jobs, 2),
        "status_requests_a_job": round(summary["status_requests"] / jobs, 2),
        "median_lag_ms": round(1000 * (statistics.median(ages) - 1)),
        "whole_command_s": round(whole, 1),
        "peak_mb": summary["peak_mb"],
    }


def main() -> None:
    chosen = sys.argv[1:] or ["1000 x 1 s, 50 in flight"]
    for name in chosen:
        jobs, in_flight = SHAPES[name]
        floor = jobs / in_flight
        print(f"{name}: floor {floor:g} s")
        with tempfile.TemporaryDirectory() as place, sandbox(Path(place)) as url:
            for who, run in (("plain script", plain), ("reelbatch", reelbatch)):
                figures = run(url, Path(place) / who.replace(" ", "-"), jobs, in_flight)
                times = f"{figures['wall_s'] / floor:.3f} x floor"
                print(
                    f"  {who:13} {times}  " + "  ".join(f"{key}={value}" for key, value in figures.items()), flush=True
                )


if __name__ == "__main__":
    main()
