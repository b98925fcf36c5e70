"""What ends without a word: SIGTERM and `kill -9` for a worker and for a run's process, and the whole machine.

Promised each time: no flow run is `Running` ten minutes later, no order is lost or made twice, and the next run in that
folder goes on to the end. The automation for lost runs is on, with heartbeats every thirty seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.lost_runs import watch_for_lost_runs
from tests.programmes.prefect_trial.house import FINAL, House, Promises, open_house, until
from tests.programmes.prefect_trial.stops import (
    ROWS,
    created,
    deploy,
    out_of,
    paid,
    start_command,
    statuses,
)

HEARTBEAT_S = 30
SILENCE_S = 3 * HEARTBEAT_S
TEN_MINUTES_S = 600


def processes_of(run_id: str) -> Iterator[int]:
    """The processes that work on a flow run: those whose environment names it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if f"PREFECT__FLOW_RUN_ID={run_id}".encode() in (folder / "environ").read_bytes():
                    yield int(folder.name)


def hit(pids: list[int], number: int) -> None:
    """Send a signal to processes."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def settled(house: House, promises: Promises, name: str, run_id: str) -> None:
    """Wait until a flow run has ended; then go on in its folder, and look at everything."""
    began = time.monotonic()
    state = house.api.until_state(run_id, patience_s=TEN_MINUTES_S)
    took = f"{state['type']} after {time.monotonic() - began:.0f} s: {state['message']}"
    promises.check(f"{name}: not Running ten minutes later", holds=state["type"] in FINAL, seen=took)
    if state["type"] == "COMPLETED":  # whoever was hit did not end the run
        promises.check(
            f"{name}: it came to its end all the same", holds=statuses(out_of(house, name)) == {"done": ROWS}
        )
        return
    until(lambda: not list(processes_of(run_id)), f"{name}: its processes")
    _, process, _ = start_command(house, name)
    code = process.wait(180)
    counts, bill = statuses(out_of(house, name)), sorted(paid(house, name))
    doubt = counts.get("in_doubt", 0)
    promises.check(f"{name}: the next run goes on", holds=code == (4 if doubt else 0), seen=f"{code} {counts}")
    once = len(bill) == len(set(bill)) and len(bill) >= counts.get("done", 0) >= ROWS - doubt
    promises.check(f"{name}: each row bought once at most", holds=once, seen=len(bill))
    left = [each["name"] for each in house.api.task_runs(run_id) if each["state_type"] in ("RUNNING", "PENDING")]
    promises.check(f"{name}: no task run left running", holds=not left, seen=left)


def main() -> None:
    """Every kill; or those that are named."""
    promises = Promises()
    kills: dict[str, Callable[[House, subprocess.Popen[bytes], str], None]] = {
        "engine-term": lambda _h, _w, run: hit(list(processes_of(run)), signal.SIGTERM),
        "engine-kill": lambda _h, _w, run: hit(list(processes_of(run)), signal.SIGKILL),
        "worker-term": lambda _h, worker, _r: hit([worker.pid], signal.SIGTERM),
        "worker-kill": lambda _h, worker, _r: hit([worker.pid], signal.SIGKILL),
        "machine": lambda _h, worker, run: hit([worker.pid, *processes_of(run)], signal.SIGKILL),
    }
    wanted = sys.argv[1:] or list(kills)
    with open_house(provider={"latency": "4"}) as house:
        with temporary_settings({PREFECT_API_URL: house.server.url}):
            asyncio.run(watch_for_lost_runs(within_s=SILENCE_S))
        for name in wanted:
            worker = house.worker(f"worker-{name}", PREFECT_FLOWS_HEARTBEAT_FREQUENCY=str(HEARTBEAT_S))
            deploy(house)
            run_id = created(house, "pooled", name)
            until(lambda name=name: len(paid(house, name)) > 2, f"{name}: orders")
            kills[name](house, worker, run_id)
            settled(house, promises, name, run_id)
            hit([worker.pid], signal.SIGTERM)
    promises.leave()


if __name__ == "__main__":
    main()
