"""A proxy that spoils connections, and what it finds: answers cut at every byte, and eight kinds of trouble in each call.

The kinds are those of toxiproxy: latency, down, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data, in either
direction. Each cell is a small campaign of which the first orders, queries or downloads pass through the trouble; then it goes
on without, a person settles what is in doubt by the bill, and everything must be at home and on the bill once. `make torture`
runs it; how an answer cut at any byte is judged is a test as well (`tests/pipelines/providers/test_cut_answers.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Self

from pipelines.core.errors import DownloadInterrupted, NotAVideo, ProviderError, TransportError
from pipelines.core.job import Order
from pipelines.core.outcome import Accepted, InDoubt
from pipelines.net.http import Http
from pipelines.outputs import ClipSource, bring_home
from pipelines.providers.client import Client
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Phase, Supplies
from pipelines.run import requests as of_run
from tests.programmes import failpoint_kills
from tests.programmes.failpoint_kills import SCENARIOS, Campaign, fresh, judge, load_once, settle, start
from tests.programmes.processes import sandbox
from tests.programmes.verdict import leave

TOXICS = ("latency", "down", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data")
CALLS = ("submit", "ask", "download")
WAYS = ("to them", "to us")
_HEAD_AND_MORE = 512  # bytes of a body at which it is cut, behind each byte of its head


@dataclass
class FaultProxy:
    """Stands before a sandbox, and spoils some of the connections that come by. Use as an async context manager.

    Args:
        target: port of the sandbox.
        port: where to listen; 0: anywhere.
    """

    target: int
    port: int = 0
    call: str = ""  # of which connections are spoilt
    toxic: str = ""  # how
    way: str = "to us"  # which direction
    times: int = 0  # how many more
    cut_at: int = 0  # of limit_data: bytes that still pass
    passed: int = 0  # bytes of the answer on the connection that was spoilt last
    _server: asyncio.Server | None = field(default=None, init=False)
    _visits: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visits.add(asyncio.create_task(self._visit(reader, writer)))

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            spoilt = self.times > 0 and call_of(head) == self.call
            self.times -= spoilt
            toxic = self.toxic if spoilt else ""
            if toxic == "down":
                _reset(writer)
                return
            theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
            if toxic == "reset_peer" and self.way == "to them":
                _reset(writer)
                ours.close()
                return
            up = toxic if self.way == "to them" else ""
            down = toxic if self.way == "to us" else ""
            pumps = [
                asyncio.create_task(self._pump(reader, ours, up, head)),
                asyncio.create_task(self._pump(theirs, writer, down, b"", count=spoilt)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait(pumps[1:], timeout=2)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
                for end in (ours, writer):
                    end.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        toxic: str,
        first: bytes,
        *,
        count: bool = False,
    ) -> None:
        data, left = first or await source.read(65_536), self.cut_at
        if count:
            self.passed = 0
        while data:
            if toxic == "timeout":
                await asyncio.sleep(0.5)
                sink.close()
                return
            if toxic == "reset_peer":
                _reset(sink)
                return
            if toxic == "limit_data":
                data, left = data[:left], left - len(data)
            for piece in _pieces(data, toxic):
                sink.write(piece)
                with suppress(OSError):
                    await sink.drain()
                self.passed += len(piece) if count else 0
                await asyncio.sleep({"latency": 0.2, "bandwidth": 0.02, "slicer": 0.001}.get(toxic, 0))
            if toxic == "limit_data" and left <= 0:
                sink.close()
                return
            data = await source.read(65_536)
        if toxic == "slow_close":
            await asyncio.sleep(0.5)


def _pieces(data: bytes, toxic: str) -> Iterator[bytes]:
    size = {"bandwidth": 512, "slicer": 3}.get(toxic, len(data) or 1)
    if toxic == "slicer":
        data, rest = data[:300], data[300:]  # the head, and some
        yield from (data[at : at + size] for at in range(0, len(data), size))
        yield rest
        return
    yield from (data[at : at + size] for at in range(0, len(data), size))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection by a reset."""
    plain = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def call_of(head: bytes) -> str:
    """Which call a request is: an order, a question or a download."""
    method, path, *_ = head.split(b" ", 2)
    if method == b"POST" and not path.endswith(b"/tasks"):
        return "submit"
    return "download" if b"/files/" in path or path.partition(b"?")[0].endswith((b".mp4", b"/content")) else "ask"


# ----------------------------------------------------------------------------------------------- at every byte


async def cut_everywhere(url: str, key: str, folder: Path, *, every: int = 1) -> Counter[str]:
    """Cut the answers to an order, a question and a download behind every byte, or every so many, and judge what is said.

    Args:
        url: of a sandbox whose jobs end at once.
        key: of an account of its own.
        folder: for clips.
        every: 1: at every byte.

    Returns:
        How many cuts there were, by call.
    """
    target, figures = int(url.rpartition(":")[2]), Counter[str]()
    order = Order(provider="qiniu", mode="video", model="sora-2", prompt="cut", seconds=4, size="1280x720")
    async with FaultProxy(target, toxic="limit_data") as proxy, Http() as http:
        base = f"http://127.0.0.1:{proxy.port}/qiniu/v1"
        client = Client(http, shipped_profiles()["qiniu"], base, key, trusted=True)

        async def submitted() -> Accepted | InDoubt:
            async def at_last() -> None:
                pass

            verdict = await client.submit(order, Supplies(), at_last)
            assert isinstance(verdict, Accepted | InDoubt), f"an order that is on the bill is {verdict}"
            return verdict

        proxy.call, proxy.times, proxy.cut_at = "submit", 1, 1 << 30
        known = await submitted()
        assert isinstance(known, Accepted)
        whole = proxy.passed
        for at in range(0, whole + 1, every):
            proxy.times, proxy.cut_at = 1, at
            verdict = await submitted()
            assert isinstance(verdict, Accepted) == (at >= whole), f"an order cut at {at} of {whole} is {verdict}"
            figures["submit"] += 1
        while (progress := await client.check(known.job)).phase is Phase.RUNNING:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        proxy.call, proxy.times, proxy.cut_at = "ask", 1, 1 << 30
        async with Http() as other:  # a connection of its own, so that its first answer is counted
            await Client(other, client.profile, base, key, trusted=True).check(known.job)
        whole = proxy.passed
        for at in range(0, whole, every):
            proxy.times, proxy.cut_at = 1, at
            async with Http() as other:
                asking = Client(other, client.profile, base, key, trusted=True)
                with suppress(ProviderError, TransportError):
                    said = await asking.check(known.job)
                    raise AssertionError(f"a question cut at {at} of {whole} says {said}")
            figures["ask"] += 1
        source = ClipSource(progress.links[0].url, client.key_header(), None, client.trusted)
        assert f":{proxy.port}/" in source.url
        proxy.call, proxy.times, proxy.cut_at = "download", 1, 1 << 30
        first = await bring_home(http, source, folder=folder, filename="whole.mp4", attempt="whole")
        most = proxy.passed - first.bytes + _HEAD_AND_MORE
        for at in range(0, most, every):
            proxy.times, proxy.cut_at = 1, at
            async with Http() as other:
                place = {"folder": folder, "filename": f"cut-{at}.mp4", "attempt": f"cut{at}"}
                with suppress(DownloadInterrupted, NotAVideo):  # both are tried again
                    clip = await bring_home(other, source, **place)
                    raise AssertionError(f"a download cut at {at} is {clip}")
                clip = await bring_home(other, source, **place)
                assert clip.sha256 == first.sha256
                clip.path.unlink()
            figures["download"] += 1
    return figures


# ------------------------------------------------------------------------------------------------ eight toxics


@dataclass
class Cell:
    """One kind of trouble in one call, in one direction."""

    toxic: str
    call: str
    way: str
    cut_at: int

    def __str__(self) -> str:
        return f"{self.toxic} of {self.call} {self.way}, {self.cut_at}"


def told(cell: Cell, campaign: Campaign, port: int, target: int) -> list[str]:
    """A campaign through one kind of trouble, and on without. Returns the promises that were broken."""
    campaign.begin()

    async def spoilt(one: Campaign) -> None:
        async with FaultProxy(target, port, cell.call, cell.toxic, cell.way, times=2, cut_at=cell.cut_at):
            await failpoint_kills.run(one)

    async def plain(one: Campaign) -> None:
        async with FaultProxy(target, port):
            await failpoint_kills.run(one)

    async def settled(one: Campaign) -> None:
        async with FaultProxy(target, port):
            await settle(one)

    failpoint_kills.ended(start(spoilt, campaign, ""))
    for _ in range(4):
        rows = campaign.rows_now()
        if rows and all(row["status"] == "done" for row in rows.values()):
            break
        failpoint_kills.ended(start(settled, campaign, ""))
        failpoint_kills.ended(start(plain, campaign, ""))
    return judge(campaign, SCENARIOS["a life"])


def work(options: argparse.Namespace, folder: Path) -> list[str]:
    """Do it all. Returns the promises that were broken."""
    chance, broken, number = random.Random(options.seed), list[str](), 0
    load_once()
    of_run.LOOK_EVERY_S = 0.1
    with ExitStack() as stack:
        url = stack.enter_context(sandbox(latency="0.05", bill=folder / "bill.jsonl")).url
        if not options.no_cuts:
            figures = asyncio.run(cut_everywhere(url, "key-of-cuts", folder / "cuts", every=options.every))
            print("cut at every byte:", ", ".join(f"{call} {count}" for call, count in figures.items()), flush=True)
        cells = list(product(TOXICS, CALLS, WAYS)) * options.rounds
        for toxic, call, way in cells:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            cell = Cell(toxic, call, way, chance.randrange(1, 400))
            campaign = fresh(folder, f"http://127.0.0.1:{port}", None, number := number + 1, ())
            campaign.url = url
            found = told(cell, campaign, port, int(url.rpartition(":")[2]))
            broken += [f"{cell}: {each} ({campaign.folder})" for each in found]
        print(f"{len(cells)} campaigns through trouble, {len(broken)} broken")
    return broken


def main() -> None:
    """Read the arguments, work, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="of the 48 kinds of trouble")
    parser.add_argument("--every", type=int, default=1, help="cut at every so many bytes")
    parser.add_argument("--no-cuts", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    options.seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {options.seed}")
    os.environ.pop("REELBATCH_LEDGER", None)
    folder = Path(tempfile.mkdtemp(prefix="reelbatch-wire-"))
    leave(work(options, folder), folder)


if __name__ == "__main__":
    main()
