"""Prefect's server goes away: before a run, for a while in the middle of it, for good, and its database is wiped.

Promised each time: the catalogue is written, the exit code is that of the rows, each row is on the bill once, the run waits
for nobody longer than a minute and a half, and what Prefect could not be told is said once.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.programmes.prefect_trial.house import House, Promises, open_house, until
from tests.programmes.prefect_trial.stops import deploy, out_of, paid, run_called, statuses

LATENCY_S, IN_FLIGHT = 3, 2
LONG, SHORT = (60, 120, 600), (20, 40, 60)
NOT_TOLD = "Prefect could not be told"
LONGEST_GOODBYE_S = 90


def rows_for(seconds: float) -> int:
    """So many rows that a run takes so long."""
    return int(IN_FLIGHT * (seconds + 15) / LATENCY_S)


def start_run(house: House, name: str, rows: int) -> tuple[subprocess.Popen[bytes], Path]:
    """A run of the command line, and the file of what it says."""
    batch = house.write_batch(f"{name}.csv", [f"{name} {n}" for n in range(rows)])
    given = ["reelbatch", "run", batch, "--out", out_of(house, name), "--in-flight", IN_FLIGHT, "--budget", 1000]
    said = house.folder / f"{name}.txt"
    return house.start(*given, said=said), said


def look(house: House, promises: Promises, name: str, rows: int) -> None:
    """Look at the catalogue and the bill."""
    counts = statuses(out_of(house, name))
    once = sorted(paid(house, name)) == sorted(f"{name} {n}" for n in range(rows))
    promises.check(
        f"{name}: catalogue written, each row bought once", holds=once and counts == {"done": rows}, seen=counts
    )


def goodbye(
    house: House, name: str, rows: int, process: subprocess.Popen[bytes], patience_s: float
) -> tuple[int, float]:
    """Wait for the end; the exit code, and how long after the last clip was at home."""
    videos = out_of(house, name) / "videos"
    until(lambda: len(list(videos.glob("*.mp4"))) == rows, f"{name}: its clips", patience_s)
    home = time.monotonic()
    return process.wait(700), time.monotonic() - home


def on_the_command_line(house: House, promises: Promises, outages: tuple[int, ...]) -> None:
    """The server is away for a while, for good, and wiped."""

    def away(seconds: float) -> Callable[[], None]:
        def act() -> None:
            house.server.stop(signal.SIGKILL)
            time.sleep(seconds)
            house.server.start()

        return act

    def wiped() -> None:
        house.server.stop(signal.SIGKILL)
        house.server.wipe()
        house.server.start()

    steps: dict[str, tuple[float, Callable[[], None], int]] = {
        **{f"away-{seconds}": (seconds, away(seconds), 0) for seconds in outages},
        "wiped": (30, wiped, 1),
        "for-good": (5, lambda: house.server.stop(signal.SIGKILL), 1),
    }
    for name, (seconds, act, untold) in steps.items():
        rows = rows_for(seconds)
        process, said = start_run(house, name, rows)
        until(lambda name=name: len(paid(house, name)) > IN_FLIGHT, f"{name}: orders")
        run_id = run_called(house, name)
        act()
        code, took = goodbye(house, name, rows, process, seconds + 200)
        words = said.read_text("utf-8")
        promises.check(f"{name}: exit code 0 by the rows", holds=code == 0, seen=code)
        quick = took < LONGEST_GOODBYE_S
        promises.check(f"{name}: left soon after the last clip", holds=quick, seen=f"{took:.0f} s")
        promises.check(f"{name}: said {untold} times what was not told", holds=words.count(NOT_TOLD) == untold)
        promises.check(
            f"{name}: no traceback", holds="Traceback" not in words, seen=said if "Traceback" in words else ""
        )
        look(house, promises, name, rows)
        if not untold:
            state = house.api.run(run_id)["state"]
            promises.check(f"{name}: COMPLETED", holds=state["type"] == "COMPLETED", seen=state["message"])
    process, said = start_run(house, "at-start", 4)
    code = process.wait(120)
    promises.check(
        "at-start: exit code 2, and said", holds=code == 2 and "No Prefect server answers" in said.read_text()
    )
    promises.check("at-start: nothing was bought", holds=not paid(house, "at-start"))


def deployed(house: House, promises: Promises, seconds: int) -> None:
    """The server is away when the run of a worker ends, and comes back."""
    name = "worker-away"
    house.worker()
    deploy(house)
    batch = house.write_batch(f"{name}.csv", [f"{name} {n}" for n in range(8)])
    given: dict[str, Any] = {
        "batch": str(batch),
        "out": str(out_of(house, name)),
        "in_flight": IN_FLIGHT,
        "budget": 1000,
    }
    run_id = house.api.create_run("pooled", given)
    until(lambda: len(paid(house, name)) > IN_FLIGHT, f"{name}: orders")
    house.server.stop(signal.SIGKILL)
    until(lambda: statuses(out_of(house, name)), f"{name}: its catalogue, while the server is away", 120)
    look(house, promises, name, 8)
    time.sleep(seconds)
    house.server.start()
    state = house.api.until_state(run_id, patience_s=120)
    promises.check(
        f"{name}: told its state when the server came back", holds=state["type"] == "COMPLETED", seen=state["message"]
    )


def main() -> None:
    """Every outage; `--short` takes shorter ones, and `cli` or `worker` only those."""
    outages = SHORT if "--short" in sys.argv else LONG
    wanted = [each for each in sys.argv[1:] if not each.startswith("-")] or ["cli", "worker"]
    promises = Promises()
    with open_house(provider={"latency": str(LATENCY_S)}) as house:
        if "worker" in wanted:
            deployed(house, promises, outages[0])
        if "cli" in wanted:
            on_the_command_line(house, promises, outages)
    promises.leave()


if __name__ == "__main__":
    main()
