"""A receiver of callbacks under attack (T10, T11, T12): bad tokens by the thousand, half-open connections, and chance.

The receiver is `reelbatch callbacks` in a process of its own, bound to one core where the system can do that; who attacks
is another process, on the other core. Meanwhile ten valid calls a second come. What must hold: every valid call is taken and
on the disk, its p99 stays below the limit, nobody without a token causes a row or a look into the ledger, memory does not
grow, and whoever holds a connection open is cut in time. `make callbacks-trial` runs it; it ends with 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.callbacks.addresses import CallbackKeys, keys_for
from pipelines.callbacks.listener import most_connections
from pipelines.core.status import AttemptState
from pipelines.core.text.times import utc_text
from pipelines.ledger import bought, callbacks
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage.place import LEDGER_NAME, place_of
from pipelines.ledger.storage.schema import attempt
from tests.programmes.processes import HOUSE, own_environment, receiver
from tests.programmes.verdict import leave

VALID_A_SECOND = 10
MOST_GROWTH_MB = 64.0
CUT_S = 11.0
HEAD = "POST {} HTTP/1.1\r\nhost: hooks.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


@dataclass
class Target:
    """The receiver under attack."""

    process: subprocess.Popen[bytes]
    port: int
    keys: CallbackKeys
    name: str
    attempts: list[str]
    folder: Path
    used: int = 0
    lags: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def rows(self) -> int:
        """Rows of the inbox."""
        with closing(sqlite3.connect(self.folder / LEDGER_NAME, timeout=30)) as file:
            return int(file.execute("SELECT count(*) FROM callback").fetchone()[0])

    def writes(self) -> int:
        """How often SQLite has committed into the file, as its header counts."""
        return int.from_bytes((self.folder / LEDGER_NAME).read_bytes()[24:28], "big")

    def memory_mb(self) -> float:
        """Resident memory of the receiver."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu_s(self) -> float:
        """CPU time of the receiver so far."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    async def call(self) -> None:
        """One valid call about a job of its own, timed from the connection to the whole answer."""
        subject, self.used = self.attempts[self.used], self.used + 1
        body = json.dumps({"success": True, "task_id": subject, "data": [{"state": "succeeded"}]})
        target = self.keys.url("http://x", self.name, subject).removeprefix("http://x")
        began = time.perf_counter()
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write((HEAD.format(target, len(body)) + body).encode())
                said = await reader.read()
                writer.close()
        except (OSError, TimeoutError) as error:
            self.refused[type(error).__name__] += 1
            return
        self.lags.append(time.perf_counter() - began)
        if not said.startswith(b"HTTP/1.1 200"):
            self.refused[said[:30].decode("ascii", "replace")] += 1

    async def call_for(self, seconds: float) -> None:
        """Ten valid calls a second, each at its time, however long the others take."""
        began, calls = time.perf_counter(), []
        for number in range(round(seconds * VALID_A_SECOND)):
            await asyncio.sleep(max(0.0, began + number / VALID_A_SECOND - time.perf_counter()))
            calls.append(asyncio.create_task(self.call()))
        await asyncio.gather(*calls)


async def prepared(folder: Path, jobs: int) -> tuple[str, list[str]]:
    """A ledger with so many submissions that were sent and accepted; its name, and theirs."""
    names = [str(uuid.uuid4()) for _ in range(jobs)]
    async with Ledger(folder / LEDGER_NAME) as ledger:

        def fill(connection):
            row = {"n": 1, "provider": "acedata", "account": "a", "state": AttemptState.CLOSED, "fingerprint": "f"}
            row |= {"epoch": 1, "claimed_at": utc_text(), "sent_at": utc_text(), "calls_back": True}
            connection.execute(attempt.insert(), [row | {"id": name, "job_id": name} for name in names])

        await ledger.write(fill)
        return await ledger.write(bought.ledger_id), names


async def started(folder: Path, jobs: int, core: int | None) -> Target:
    """The receiver, as an operator starts it."""
    name, attempts = await prepared(folder, jobs)
    log = folder / "receiver.log"

    def bound() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    process = receiver("127.0.0.1:0", str(folder), log, in_child=bound)
    while b"--callback-url" not in (said := log.read_bytes()):
        if process.poll() is not None:
            raise SystemExit(said.decode())
        await asyncio.sleep(0.05)
    port = int(said.partition(b"--callback-url ")[2].split()[0].rpartition(b":")[2])
    return Target(process, port, keys_for(place_of(folder / LEDGER_NAME), {}), name, attempts, folder)


def forgeries(target_name: str, chance: random.Random) -> list[bytes]:
    """Requests without a valid token, of every kind."""

    def path() -> str:
        token = "".join(chance.choices("ABCDEFabcdef0123456789-_", k=43))
        return f"/cb/v1/{target_name}/{uuid.UUID(int=chance.getrandbits(128)).hex}/{token}"

    kinds = [
        lambda: HEAD.format(path(), 200) + "x" * 200,
        lambda: HEAD.format(path(), 9_000_000),
        lambda: f"GET {path()} HTTP/1.1\r\n\r\n",
    ]
    kinds += [
        lambda: HEAD.format(path()[:-1], 2) + "{}",
        lambda: "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        lambda: HEAD.format("/cb/v1/" + "a" * 1500, 2),
    ]
    return [chance.choice(kinds)().encode() for _ in range(2_000)]


def attack(port: int, name: str, a_second: float, seconds: float) -> None:
    """Send forgeries at a rate, each on a connection of its own; prints what was answered."""
    most_connections()
    texts, figures, polled = forgeries(name, random.Random(7)), Counter(), select.epoll()
    going: dict[int, tuple[socket.socket, bytes | None]] = {}
    began, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds + 2 and (now < seconds or going):
        due = min(int(min(now, seconds) * a_second) - sent, 100)
        for _ in range(due):
            link = socket.socket()
            link.setblocking(False)  # noqa: FBT003 - socket's own
            link.connect_ex(("127.0.0.1", port))
            polled.register(link, select.EPOLLOUT)
            going[link.fileno()] = link, texts[sent % len(texts)]
            sent += 1
        for number, _ in polled.poll(0.002):
            link, text = going[number]
            try:
                if text is not None:
                    link.send(text)
                    polled.modify(link, select.EPOLLIN)
                    going[number] = link, None
                    continue
                said = link.recv(64)[9:12].decode("ascii", "replace")
            except OSError as error:
                said = type(error).__name__
            figures[said] += 1
            polled.unregister(link)
            del going[number]
            link.close()
    figures["no answer"] += len(going)
    print(json.dumps({"sent": sent, "a_second": sent / seconds, "answers": dict(figures)}))


async def hostile(target: Target, a_second: float, seconds: float) -> list[str]:
    """T10: forgeries at a rate, with valid calls among them."""
    await target.call_for(2)  # warm
    target.lags.clear()
    memory, rows, cpu = target.memory_mb(), target.rows(), target.cpu_s()
    attacker = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--attack", str(target.port), target.name, str(a_second), str(seconds)),
        cwd=HOUSE, env=own_environment(), stdout=subprocess.PIPE,
    )  # fmt: skip
    await target.call_for(seconds)
    said, _ = await attacker.communicate()
    got, growth = json.loads(said), target.memory_mb() - memory
    valid, p99 = len(target.lags), percentile(target.lags, 0.99)
    print(f"T10 {seconds:.0f} s: {got['a_second']:.0f} forgeries a second {got['answers']}; {valid} valid, "
          f"p50 {1000 * percentile(target.lags, 0.5):.0f} ms, p99 {1000 * p99:.0f} ms, slowest {1000 * max(target.lags):.0f} ms; "
          f"{100 * (target.cpu_s() - cpu) / seconds:.0f} % of a core; memory {memory:.0f} MB, growth {growth:.1f} MB")  # fmt: skip
    return [
        *([f"T10: {dict(target.refused)} valid calls were not taken"] if target.refused else []),
        *([f"T10: {target.rows() - rows} rows for {valid} calls"] if target.rows() - rows != valid else []),
        *([f"T10: p99 {p99:.3f} s"] if p99 > 0.25 else []),
        *([f"T10: only {got['a_second']:.0f} forgeries a second were sent"] if got["a_second"] < 0.95 * a_second else []),
        *([f"T10: memory grew by {growth:.0f} MB"] if growth > MOST_GROWTH_MB else []),
    ]  # fmt: skip


async def half_open(target: Target, connections: int) -> list[str]:
    """T11: connections that send nothing, or a byte, or half a head, or a body drop by drop."""
    target.lags.clear()
    spare, target.used = target.attempts[target.used], target.used + 1
    good = target.keys.url("http://x", target.name, spare).removeprefix("http://x")
    drips = (b"", b"P", b"POST /cb/v1/", HEAD.format(good, 60_000).encode()[:-2], HEAD.format(good, 60_000).encode())
    lasted: list[float] = []
    rows = target.rows()

    async def hold(number: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        except OSError:
            return
        began = time.perf_counter()
        with suppress(OSError):
            writer.write(drips[number % len(drips)])
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        if not await reader.read(1_000):
                            break
                        continue
                writer.write(b"x")  # drop by drop
        lasted.append(time.perf_counter() - began)
        writer.close()

    held = []
    for number in range(connections):
        held.append(asyncio.create_task(hold(number)))
        if number % 50 == 49:
            await asyncio.sleep(0.02)
    await target.call_for(14)
    await asyncio.wait(held, timeout=20)
    p99, longest = percentile(target.lags, 0.99), max(lasted, default=0.0)
    print(f"T11: {connections} half-open, {len(lasted)} cut, the last after {longest:.1f} s; {len(target.lags)} valid "
          f"meanwhile, p99 {1000 * p99:.0f} ms, slowest {1000 * max(target.lags):.0f} ms")  # fmt: skip
    new = target.rows() - rows
    return [
        *([f"T11: {dict(target.refused)} valid calls were not taken"] if target.refused else []),
        *([f"T11: {connections - len(lasted)} were not cut"] if len(lasted) < connections else []),
        *([f"T11: one lasted {longest:.1f} s"] if longest > CUT_S + 1.0 else []),
        *([f"T11: p99 {p99:.3f} s"] if p99 > 1.0 else []),
        *([f"T11: {new} rows for {len(target.lags)} calls"] if new != len(target.lags) else []),
    ]


async def fuzz(target: Target, cases: int) -> list[str]:
    """T12: valid requests bent by chance, and requests of every method, with and without a token: never a 5xx."""
    chance, answers, broken = random.Random(11), Counter(), []
    spare, target.used = target.attempts[target.used], target.used + 1
    good = target.keys.url("http://x", target.name, spare).removeprefix("http://x")
    rows = target.rows()
    gate = asyncio.Semaphore(64)

    def bent() -> tuple[bytes, bool]:
        body = chance.choice(
            (b"{}", b'{"task_id": 1}', b"[" * 500, os.urandom(50), b'{"id":"a","status":"OK"}', b"null")
        )
        text = bytearray(HEAD.format(good, len(body)).encode() + body)
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            at = chance.randrange(len(text))
            how = chance.random()
            if how < 0.4:
                text[at] = chance.randrange(256)
            elif how < 0.7:
                del text[at : at + chance.randrange(1, 20)]
            else:
                text[at:at] = chance.choice((b"\r\n", b"\0", b"/../", b"%2e", b"transfer-encoding: chunked\r\n", b" "))
        return bytes(text), good.encode() + b" HTTP" in text

    async def one(data: bytes, *, knows_token: bool) -> None:
        async with gate:
            try:
                async with asyncio.timeout(15):
                    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
                    writer.write(data)
                    writer.write_eof()
                    said = await reader.read()
                    writer.close()
            except (OSError, TimeoutError) as error:
                answers[type(error).__name__] += 1
                return
        status = said[9:12].decode("ascii", "replace")
        answers[status] += 1
        if status.startswith("5") or (status == "200" and not knows_token):
            broken.append(f"T12: {data!r} was answered with {status}")

    for start in range(0, cases, 1_000):
        batch = [bent() for _ in range(min(1_000, cases - start))]
        await asyncio.gather(*(one(data, knows_token=knows) for data, knows in batch))
    new = target.rows() - rows
    print(f"T12: {cases} cases, {dict(answers)}, {new} rows of one attempt")
    return broken[:5] + ([f"T12: {new} rows of one attempt"] if new > 16 else [])


def percentile(values: list[float], share: float) -> float:
    """The value that a share of them stays below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


async def trial(a_second: float, seconds: float, connections: int, cases: int) -> None:
    """Every part, one after the other, against one receiver."""
    folder = Path(tempfile.mkdtemp(prefix="callback-storm-"))
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    core = cores[0] if len(cores) > 1 else None
    most_connections()
    target = await started(folder, round((seconds + 40) * VALID_A_SECOND) + 10, core)
    try:
        broken = await hostile(target, a_second, seconds)
        broken += await half_open(target, connections)
        broken += await fuzz(target, cases)
        target.process.send_signal(signal.SIGTERM)
        if (code := target.process.wait(20)) != 0:
            broken.append(f"SIGTERM ended it with {code}")
    finally:
        target.process.kill()
        target.process.wait()
    log = (folder / "receiver.log").read_text("utf-8")
    if "Traceback" in log:
        broken.append("the receiver has shown a traceback")
    if any(
        url in log for url in (target.keys.url("", target.name, name).rpartition("/")[2] for name in target.attempts)
    ):
        broken.append("a token stands in the log")
    unheeded = LedgerReader(folder / LEDGER_NAME).read(callbacks.calls_to_heed)
    print(
        f"load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}; {len(unheeded)} calls of known jobs"
    )
    leave(broken, folder)


def main() -> None:
    """Choose a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nightly", action="store_true", help="ten minutes, 5,000 connections, 50,000 cases")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--attack", nargs=4, metavar=("PORT", "NAME", "RATE", "SECONDS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.attack is not None:
        port, name, rate, seconds = chosen.attack
        attack(int(port), name, float(rate), float(seconds))
        return
    sizes = (2_000, 600.0, 5_000, 50_000) if chosen.nightly else (2_000, 20.0, 500, 1_000)
    rate, seconds, connections, cases = sizes
    asyncio.run(trial(rate, chosen.seconds or seconds, connections, cases))


if __name__ == "__main__":
    main()
