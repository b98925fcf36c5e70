from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from pipelines.core.job import Order
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.providers.profile.load import profile_named
from pipelines.sandbox.http.server import SandboxAddress
from pipelines.sandbox.options import SandboxOptions
from tests.pipelines.providers.desk import APIS, Desk

HOUSE = Path(__file__).parents[3]
KEY = "sk-canary-0123456789abcdef"


class Peer:
    """A real HTTP server on loopback that answers each request with the next of its scripted answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.script: list[bytes] = []
        self.url = ""

    def answers(self, status: int, body: Any = None, **headers: str) -> None:
        """Queue one answer. `bytes` go out as they are, anything else as JSON; headers with _ for -."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"content-type": "application/json", "content-length": str(len(content)), **named}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.script.append(f"HTTP/1.1 {status} Said\r\n{head}connection: close\r\n\r\n".encode() + content)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, keep it, answer it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            self.requests.append((head[0], fields, body))
            writer.write(self.script.pop(0) if self.script else b"")
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    yield peer
    server.close()
    await server.wait_closed()


@pytest.fixture
async def client_of(peer: Peer) -> AsyncIterator[Callable[[str], Client]]:
    async with Http() as http:
        yield lambda name: Client(http, profile_named(name), peer.url, KEY)


@pytest.fixture
def order_of() -> Callable[..., Order]:
    def order(provider: str = "qiniu", mode: str | None = None, **more: Any) -> Order:
        named = mode or profile_named(provider).modes[0].name
        usual = {"model": "sora-2", "prompt": "a cat", "seconds": 4, "size": "1280x720"}
        return Order(provider=provider, mode=named, **{**usual, **more})

    return order


@pytest.fixture(scope="session")
def quick_sandbox() -> Iterator[SandboxAddress]:
    """A sandbox that works at once, shared by the tests that go through a whole contract."""
    command = [sys.executable, "-m", "pipelines.sandbox", "--until-stdin-closes"]
    arguments = SandboxOptions(latency="0.03", renders="light", profile=APIS).arguments()
    with subprocess.Popen([*command, *arguments], stdin=-1, stdout=-1, cwd=HOUSE) as process:
        assert process.stdout is not None
        yield SandboxAddress(**json.loads(process.stdout.readline()))
        process.terminate()


@pytest.fixture(scope="session")
def office(quick_sandbox: SandboxAddress) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=quick_sandbox.url, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connections() -> AsyncIterator[Http]:
    async with Http() as http:
        yield http


@pytest.fixture
def desk(quick_sandbox: SandboxAddress, office: httpx.Client, connections: Http, tmp_path: Path) -> Iterator[Desk]:
    """The shared sandbox and a client's side of it; what a test makes go wrong there ends with the test."""
    desk = Desk(quick_sandbox, office, connections, tmp_path)
    yield desk
    if desk.goes_wrong:
        desk.faults()
