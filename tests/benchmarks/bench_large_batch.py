"""100,000 rows: how long a plan takes, how long a run that goes on needs to its first status query, and how much memory.

Also how long it takes to end, once it was interrupted, and how much memory its catalogue wants. Beside it the loop that somebody would write instead: csv and jinja2, prices added up, no checks, no ledger. Run it alone on
the machine: `make bench-large`. Prints one table; asserts nothing.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_throughput import sandbox

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
WAITING = 20
HOUSE = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PLAIN = """
import csv, json, sqlite3, sys, urllib.request
import jinja2
template, spent, orders = jinja2.Environment(), 0.0, {}
compiled = {}
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        text = compiled.setdefault(row["prompt"], None) or template.from_string(row["prompt"])
        compiled[row["prompt"]] = text
        orders[row["id"]] = {"model": "sora-2", "prompt": text.render(**row), "seconds": "4", "size": "1280x720"}
        spent += 0.4
if len(sys.argv) > 2:
    known = json.load(open(sys.argv[3]))
    urllib.request.urlopen(f"{sys.argv[2]}/videos/{next(iter(known.values()))}").read()
print(len(orders), round(spent, 2))
"""


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall and CPU seconds, and the peak of memory in MB, of one command."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **started(environment))
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def queries(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_sandbox/requests") as answer:
        routes = json.load(answer)["routes"]
    return sum(n for route, n in routes.items() if route.startswith("GET") and "_sandbox" not in route)


def orders(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_sandbox/bill") as answer:
        return len(json.load(answer))


def started(environment: dict[str, str]) -> dict[str, Any]:
    """As a person would start it: not in the folder of the source, whose pyproject.toml Prefect would read."""
    return {"env": environment | {"PYTHONPATH": str(HOUSE)}, "cwd": environment["XDG_STATE_HOME"]}


def until(
    command: list[str], environment: dict[str, str], happened: object, end: list[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """The same of the command's own process until something happens; then it is interrupted as by Ctrl-C.

    `end` takes the same of what follows: the end of the run, with its catalogue. The peak is that of the whole process.
    """
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **started(environment))
    while not happened():  # type: ignore[operator]
        if os.waitpid(process.pid, os.WNOHANG)[0]:
            raise SystemExit(f"{' '.join(command)} ended too early")
        time.sleep(0.02)
    took, proc = time.monotonic() - began, Path("/proc") / str(process.pid)
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("VmHWM"))
    until_then, began = (int(fields[11]) + int(fields[12])) / TICKS, time.monotonic()
    process.send_signal(signal.SIGINT)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    end.append((time.monotonic() - began, used.ru_utime + used.ru_stime - until_then, used.ru_maxrss / 1024))
    return took, until_then, int(peak.split()[1]) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="reelbatch-large-") as made:
        folder = Path(made)
        batch, plain = folder / "batch.csv", folder / "plain.py"
        with batch.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "prompt", "name"])
            for number in range(ROWS):
                rows.writerow([f"r{number}", f"A quiet harbour at dawn, {{{{ name }}}}, number {number}", f"n{number}"])
        plain.write_text(PLAIN)
        (folder / "state").mkdir()
        with sandbox(folder, latency="3600") as url:
            environment = os.environ | {
                "OPENAI_BASE_URL": f"{url}/openai/v1",
                "OPENAI_API_KEY": "bench",
                "XDG_STATE_HOME": str(folder / "state"),
                "PREFECT_HOME": str(folder / "prefect"),
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "DO_NOT_TRACK": "1",
            }
            reelbatch = [sys.executable, "-m", "flows.command_line"]
            run = [*reelbatch, "run", str(batch), "--provider", "openai", "--yes"]
            run += ["--limit", str(WAITING), "--poll-every", "1"]
            ends: list[tuple[float, float, float]] = []
            table = {"plan: csv and jinja2": measured([sys.executable, str(plain), str(batch)], environment)}
            plan = [*reelbatch, "plan", str(batch), "--provider", "openai"]
            table["plan: reelbatch, no ledger yet"] = measured(plan, environment)
            table["first run, to its first order: reelbatch"] = until(run, environment, lambda: orders(url) > 0, ends)
            table["plan: reelbatch, with its ledger"] = measured(plan, environment)
            before = queries(url)
            table["resume, to its first status query: reelbatch"] = until(
                run, environment, lambda: queries(url) > before, ends
            )
            table["first run, interrupted: its end, with its catalogue"] = ends[0]
            with urllib.request.urlopen(f"{url}/_sandbox/bill") as answer:
                known = {str(n): line["id"] for n, line in enumerate(json.load(answer))}
            (folder / "known.json").write_text(json.dumps(known))
            again = [sys.executable, str(plain), str(batch), f"{url}/openai/v1", str(folder / "known.json")]
            table["resume, to its first status query: csv and jinja2"] = measured(again, environment)
    print(f"{ROWS:,} rows                                        wall s   CPU s  peak MB")
    for name, (wall, cpu, peak) in table.items():
        print(f"{name:50} {wall:7.1f} {cpu:7.1f} {peak:8.0f}")


if __name__ == "__main__":
    main()
