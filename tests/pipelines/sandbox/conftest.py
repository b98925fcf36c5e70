from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from queue import SimpleQueue
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pipelines.sandbox.http import endpoint
from pipelines.sandbox.http.server import serve_until_left
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.process import SandboxAddress

KEY = {"authorization": "Bearer somebody"}
PATIENCE = 60.0

Start = Callable[..., AbstractContextManager[httpx.Client]]


@contextmanager
def _serving(options: SandboxOptions) -> Iterator[str]:
    """The address of a sandbox in a thread of this process: it starts in no time, and clips are encoded once for all."""
    opened: SimpleQueue[Any] = SimpleQueue()

    def listening(address: SandboxAddress, leave: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        opened.put((address.url, lambda: loop.call_soon_threadsafe(leave)))

    def work() -> None:
        try:
            asyncio.run(serve_until_left(options, listening))
        except Exception as error:  # noqa: BLE001 - the thread that waits raises it
            opened.put(error)

    thread = Thread(target=work)
    thread.start()
    answer = opened.get()
    if isinstance(answer, Exception):
        raise answer
    url, leave = answer
    try:
        yield url
    finally:
        leave()
        thread.join()


@contextmanager
def started(**options: Any) -> Iterator[httpx.Client]:
    with (
        _serving(SandboxOptions(**{"latency": "0.05", **options})) as url,
        httpx.Client(base_url=url, headers=KEY, timeout=PATIENCE, trust_env=False, verify=False) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def start() -> Start:
    return started


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The clock of sandboxes of this process: it goes on when it is told to, and shows every state to who asks slowly."""
    now = [time.time()]
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(time=lambda: now[0]))

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


@pytest.fixture(scope="module")  # no longer: the bill is read often, and should stay short
def shared_client() -> Iterator[httpx.Client]:
    with started() as client:
        yield client


@pytest.fixture
def client(shared_client: httpx.Client) -> httpx.Client:
    shared_client.post("/_sandbox/faults", json=[]).raise_for_status()
    return shared_client


@pytest.fixture
def faults(client: httpx.Client) -> Callable[..., None]:
    def put(*rules: dict[str, Any]) -> None:
        client.post("/_sandbox/faults", json=rules).raise_for_status()

    return put


@pytest.fixture
def bill(client: httpx.Client) -> Callable[[], list[dict[str, Any]]]:
    return lambda: client.get("/_sandbox/bill").json()


@pytest.fixture
def finished() -> Callable[..., dict[str, Any]]:
    def wait(client: httpx.Client, address: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while (answer := client.get(address).json())["status"] not in ("completed", "failed", "cancelled"):
            assert time.monotonic() < until, answer
            time.sleep(0.02)
        return answer

    return wait


@pytest.fixture
def finished_task() -> Callable[..., dict[str, Any]]:
    def wait(client: httpx.Client, identifier: str, service: str = "sora") -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while "finished_at" not in (task := client.post(f"/{service}/tasks", json={"id": identifier}).json()):
            assert time.monotonic() < until, task
            time.sleep(0.02)
        return task

    return wait


class Receiver:
    """A real HTTP server that takes callbacks, and answers with the statuses it was told, then with 204."""

    def __init__(self, *statuses):
        self.arrived: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self.statuses = list(statuses)
        self.url = ""

    async def receive(self, reader, writer):
        """Takes one callback."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split()[1]
        )
        await self.arrived.put((head, await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {self.statuses.pop(0) if self.statuses else 204} Whatever\r\n\r\n".encode())
        writer.close()

    async def next(self):
        """Head, document and raw body of the next callback."""
        head, body = await asyncio.wait_for(self.arrived.get(), PATIENCE)
        return head, json.loads(body), body


@asynccontextmanager
async def _calling(*statuses, do=None, **options):
    """A sandbox with one fault for its callbacks, a client of it, and a receiver."""
    receiver = Receiver(*statuses)
    server = await asyncio.start_server(receiver.receive, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c/token"
    with _serving(SandboxOptions(**{"latency": "0.1", "speed": 1_000_000, **options})) as url:
        async with (
            server,
            httpx.AsyncClient(
                base_url=url, headers={"authorization": "Bearer k"}, timeout=PATIENCE, verify=False
            ) as client,
        ):
            if do is not None:
                rules = [{"match": {"route": "callback"}, "do": do}]
                (await client.post("/_sandbox/faults", json=rules)).raise_for_status()
            yield client, receiver


@pytest.fixture
def calling():
    return _calling


@pytest.fixture(scope="session")
def serving():
    return _serving
