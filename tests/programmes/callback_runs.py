"""Whole runs under callbacks that are dropped, doubled, forged and shuffled; under every fault script; and over one database.

Between the sandbox and the receiver stands a post that is as bad as posts get: 30 % of the calls are dropped, 30 % doubled,
10 % accompanied by forged ones, all of them shuffled. The end must be that of the same batch by polling alone, judged by the
sandbox's bill: nothing bought twice, everything that was made is home. Then a receiver in a process of its own wakes two
runs that keep their ledgers in one PostgreSQL database, and is killed and started again in the middle. `make
callbacks-trial` runs it; it ends with 1 if a promise was broken. A run is the engine of `reelbatch run` without Prefect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipelines.batch import read_batch
from pipelines.core.errors import OutputError
from pipelines.core.job import Job
from pipelines.ledger import callbacks
from pipelines.ledger.ledger import SANDBOX_BILL, LedgerReader, ledger_in
from pipelines.ledger.storage.place import SharedLedger, place_named
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import FAULTS, RunOptions
from pipelines.run.run import Run, RunContext, handing_over
from tests.programmes.processes import HOUSE, Sandbox, free_port, own_environment, receiver, sandbox
from tests.programmes.shared_ledger_trial import postgres
from tests.programmes.verdict import leave

GOOD_ENDS = {"planned", "done", "failed", "rejected", "cancelled", "expired", "parked"}


@dataclass
class BadPost:
    """Takes calls for a receiver, and passes them on as a bad network, and bad people, would."""

    to: str
    chance: random.Random
    drop: float = 0.0
    double: float = 0.0
    forge: float = 0.0
    shuffle_s: float = 0.0
    figures: Counter[str] = field(default_factory=Counter)
    port: int = 0
    going: set[asyncio.Task[None]] = field(default_factory=set)
    _http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=15))

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call, acknowledged whatever becomes of it: its sender does not come again."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        target = head.split(b" ", 2)[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        with suppress(OSError):
            await writer.drain()
        writer.close()
        self.figures["calls"] += 1
        if self.chance.random() < self.forge:
            said = json.loads(body) | {"task_id": "forged", "data": [{"video_url": "https://evil.example/a.mp4"}]}
            token = target[:-6] + "".join(self.chance.choices("abcdefABCDEF", k=6))
            self.begin("forged", token, json.dumps(said).encode())
        if self.chance.random() < self.drop:
            self.figures["dropped"] += 1
            return
        for _ in range(1 + (self.chance.random() < self.double)):
            self.begin("passed", target, body)

    def begin(self, what: str, target: str, body: bytes) -> None:
        """Pass one on, at any moment of the next seconds."""
        self.figures[what] += 1
        task = asyncio.create_task(self.send(what, target, body))
        self.going.add(task)
        task.add_done_callback(self.going.discard)

    async def send(self, what: str, target: str, body: bytes) -> None:
        """Pass it on until somebody answers."""
        await asyncio.sleep(self.chance.uniform(0, self.shuffle_s))
        for _ in range(60):
            with suppress(httpx.HTTPError):
                answer = await self._http.post(self.to + target, content=body)
                if answer.status_code != 503:
                    self.figures[f"{what}: {answer.status_code}"] += 1
                    return
            await asyncio.sleep(0.25)
        self.figures[f"{what}: nobody answered"] += 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen for the length of the block."""
        server = await asyncio.start_server(self.take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            server.close()
            for task in self.going:
                task.cancel()
            await self._http.aclose()


@dataclass
class Came:
    """What one run came to."""

    name: str
    ends: dict[str, str]  # by prompt
    bill: list[dict[str, Any]]
    status_requests: int
    took_s: float
    counts: callbacks.CallCounts
    rows: int = 0  # of the inbox
    lags: list[float] = field(default_factory=list)

    def judge(self) -> list[str]:
        """What was broken, by the bill."""
        bought = Counter(line["prompt"] for line in self.bill)
        broken = [f"{self.name}: {prompt} was bought {n} times" for prompt, n in bought.items() if n > 1]
        made = {line["prompt"] for line in self.bill if line["outcome"] == "completed"}
        for prompt, end in self.ends.items():
            if prompt in made and end not in ("done", "in_doubt"):
                broken.append(f"{self.name}: {prompt} was made, and is {end}")
            if prompt not in made and end == "done":
                broken.append(f"{self.name}: {prompt} is done, and was not made")
            if end not in GOOD_ENDS | {"in_doubt"}:
                broken.append(f"{self.name}: {prompt} is left {end}")
        return broken


def batch_of(folder: Path, rows: int, name: str) -> Path:
    """A campaign, whose name is its file's."""
    path = folder / f"{name}.csv"
    lines = ["id,prompt,seconds,provider"] + [f"row-{n:04},{name} clip {n},10,acedata" for n in range(rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


async def made(name: str, there: Sandbox | None, batch: Path, **options: Any) -> Came:
    """One run, from its opening to its end; without a sandbox a rehearsal, which has its own."""
    os.environ.update({} if there is None else there.environment())
    chosen = RunOptions(out=batch.parent / f"out-{name}", again=True, per_minute=60_000.0, **options)
    read = read_batch(batch)
    began, lags = time.monotonic(), []

    async def work(run: Run, job: Job) -> None:
        try:
            await generate_job(job.id, run)
        except OutputError:
            await generate_job(job.id, run)
        lags.append(time.time())

    context = RunContext()
    with handing_over(context):
        async with open_run(read, chosen) as run:
            await dispatch(run, lambda job: work(run, job))
    reader = LedgerReader(ledger_in(batch.parent / f"out-{name}"))
    rows = reader.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM callback").scalar_one())
    whole = there.ask("bill") if there is not None else map(json.loads, (run.folder / SANDBOX_BILL).open())
    bill = [line for line in whole if line["prompt"].startswith(read.name + " ")]
    assert context.result is not None
    return Came(
        name,
        {run.job(job_id).order.prompt: str(state.status) for job_id, state in run.states.items()},
        bill,
        context.result.status_requests,
        time.monotonic() - began,
        reader.read(callbacks.counts, run.progress.calls_turned_away),
        rows,
    )


async def mangled(folder: Path, rows: int) -> list[str]:
    """30 % dropped, 30 % doubled, 10 % forged, all shuffled."""
    with sandbox(latency="uniform:2-6") as there:
        options = {"in_flight": rows, "poll_every": 5.0}
        polled = await made("polled", there, batch_of(folder, rows, "polled"), **options)
        listen = free_port()
        post = BadPost(f"http://127.0.0.1:{listen}", random.Random(5), 0.3, 0.3, 0.1, 3.0)
        async with post.open() as address:
            options |= {"callback_url": address, "callback_listen": f"127.0.0.1:{listen}"}
            called = await made("called", there, batch_of(folder, rows, "called"), **options)
    print(f"mangled: {rows} rows, {dict(post.figures)}; {called.counts.words()} {called.rows} rows written")
    broken = [*polled.judge(), *called.judge()]
    if list(polled.ends.values()) != list(called.ends.values()):
        broken.append(f"mangled: by polling {Counter(polled.ends.values())}, called {Counter(called.ends.values())}")
    if taken := sum(n for what, n in post.figures.items() if what.startswith("forged: ") and what != "forged: 404"):
        broken.append(f"mangled: {taken} forged calls were taken")
    if called.rows > rows:
        broken.append(f"mangled: {called.rows} rows for {rows} jobs")
    return broken


async def every_script(folder: Path, rows: int) -> list[str]:
    """Polling and callbacks come to the same end, whatever goes wrong at the provider."""
    broken = []
    for faults in FAULTS:
        found = []
        for way in ("poll", "call"):
            options: dict[str, Any] = {"rehearse": True, "faults": faults, "latency": "uniform:1-3", "in_flight": rows}
            if way == "call":
                options |= {"callback_listen": "127.0.0.1:0"}
            name = f"{faults}-{way}"
            found.append(await made(name, None, batch_of(folder, rows, name), **options))
        polled, called = found
        print(f"{faults}: by polling {dict(Counter(polled.ends.values()))}, by callbacks {dict(Counter(called.ends.values()))}; "
              f"{called.counts.words()}")  # fmt: skip
        broken += [*polled.judge(), *called.judge()]
        if (doubts := Counter(called.ends.values())["in_doubt"]) and faults in ("ambiguous", "none"):
            broken.append(f"{faults}: {doubts} are in doubt though they were called about")
    return broken


async def two_runs(folder: Path, rows: int, server: Any) -> list[str]:
    """One receiver, two runs, one database; the receiver is killed and started again in the middle."""
    ledger = server.get_uri()
    place = place_named(ledger, folder, "both")
    assert isinstance(place, SharedLedger)
    listen, log = f"127.0.0.1:{free_port()}", folder / "receiver.log"
    post = BadPost(f"http://{listen}", random.Random(1))
    process = receiver(listen, ledger, log)
    async with AsyncExitStack() as stack:
        there = stack.enter_context(sandbox(latency="uniform:8-40"))
        environment = own_environment() | there.environment() | {"REELBATCH_LEDGER": ledger}
        address = await stack.enter_async_context(post.open())
        runs = []
        for name in ("left", "right"):
            batch_of(folder, rows, name)
            worker = [sys.executable, __file__, "--worker", str(folder / f"{name}.csv"), address]
            runs.append(
                await asyncio.create_subprocess_exec(*worker, env=environment, stdout=subprocess.PIPE, cwd=HOUSE)
            )
        async with asyncio.timeout(120):
            while post.figures["passed: 200"] < rows // 4:  # noqa: ASYNC110 - it is another process that calls
                await asyncio.sleep(0.05)
        process.kill()
        process.wait()
        process = receiver(listen, ledger, log)
        said = [json.loads((await run.communicate())[0] or b"{}") for run in runs]
        if post.going:
            await asyncio.wait(post.going, timeout=60)
        inboxes = [
            LedgerReader(SharedLedger(place.url, name, folder, place.address)).read(callbacks.counts)
            for name in ("left", "right")
        ]
        process.terminate()
        code = process.wait(20)
        bill = there.ask("bill")
    print(f"two runs: {said}; receiver killed once; {dict(post.figures)}")
    print(f"  in the inboxes at the end: {[counts.words() for counts in inboxes]}")
    broken = [f"two runs: {one}" for one in said if one.get("done") != rows or one.get("strange")]
    broken += [f"two runs: {counts}" for counts in inboxes if counts.received + counts.late != rows]
    slow = max((one.get("slowest_s", 99.0) for one in said), default=99.0)
    return [
        *broken,
        *([f"two runs: {len(bill)} on the bill"] if len(bill) != 2 * rows else []),
        *([f"two runs: a call woke its run after {slow:.1f} s"] if slow > 2.0 else []),
        *([f"SIGTERM ended the receiver with {code}"] if code else []),
    ]


async def work(batch: Path, address: str) -> None:
    """One of the two runs; prints what it came to, and how long the slowest call waited to be heeded."""
    read, chosen = (
        read_batch(batch),
        RunOptions(out=batch.parent / f"out-{batch.stem}", callback_url=address, in_flight=500),
    )
    async with open_run(read, chosen) as run:
        await dispatch(run, lambda job: generate_job(job.id, run))
        heeded = "SELECT max(extract(epoch FROM heeded_at::timestamptz - received_at::timestamptz)) FROM callback"
        slowest = await run.ledger.write(lambda c: c.exec_driver_sql(heeded).scalar_one())
        counts = await run.ledger.write(callbacks.counts)
        odd = "SELECT count(*) FROM callback WHERE came_to = 'strange'"
        strange = await run.ledger.write(lambda c: c.exec_driver_sql(odd).scalar_one())
        requests = sum(session.poller.requests for session in run.sessions.values())
    done = sum(state.status == "done" for state in run.states.values())
    print(
        json.dumps(
            {
                "done": done,
                **asdict(counts),
                "status_requests": requests,
                "slowest_s": float(slowest or 0),
                "strange": strange,
            }
        )
    )


async def trial(rows: int, *, parts: list[str]) -> list[str]:
    """Every part, one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="callback-runs-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    broken: list[str] = []
    if "mangled" in parts:
        broken += await mangled(folder, 3 * rows)
    if "scripts" in parts:
        broken += await every_script(folder, rows)
    if "two" in parts:
        with postgres() as server:
            broken += await two_runs(folder, rows, server)
    print(f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    leave(broken, folder)
    return broken


def main() -> None:
    """Choose a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nightly", action="store_true", help="ten times as many rows")
    parser.add_argument("--part", action="append", choices=("mangled", "scripts", "two"))
    parser.add_argument("--worker", nargs=2, metavar=("BATCH", "URL"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker is not None:
        asyncio.run(work(Path(chosen.worker[0]), chosen.worker[1]))
        return
    asyncio.run(trial(200 if chosen.nightly else 20, parts=chosen.part or ["mangled", "scripts", "two"]))


if __name__ == "__main__":
    main()
