"""A real receiver over a real ledger, and callers that speak to its socket byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipelines.callbacks.addresses import CallbackKeys, keys_for
from pipelines.callbacks.inbox import OwnInbox
from pipelines.callbacks.listener import listener_on, listening
from pipelines.callbacks.metrics import ReceiverCounts
from pipelines.callbacks.receiver import Receiver
from pipelines.ledger import bought
from pipelines.ledger.ledger import Ledger
from tests.pipelines.ledger.conftest import (  # noqa: F401 - fixtures
    EVERYWHERE,
    accept,
    bring_to,
    claim,
    ledger,
    make_job,
    path,
    register,
    rows,
    send,
)

__all__ = ["EVERYWHERE"]


@dataclass
class Post:
    """A receiver that listens, and how to call it."""

    port: int
    keys: CallbackKeys
    name: str  # of the ledger
    counts: ReceiverCounts
    rung: list[None] = field(default_factory=list)

    def target(self, subject: str, name: str | None = None) -> str:
        """The path to call."""
        return self.keys.url("http://x", self.name if name is None else name, subject).removeprefix("http://x")

    async def raw(self, *parts: bytes, half: bool = False) -> bytes:
        """What comes back for these bytes, until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if half:
                writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def call(
        self, target: str, body: bytes | Any = b"{}", method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"host": "x", "content-length": str(len(body)), **(headers or {})}
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        said = await self.raw(head.encode() + b"\r\n" + body)
        top, _, text = said.partition(b"\r\n\r\n")
        return int(top.split(b" ", 2)[1]), text


@asynccontextmanager
async def receiving(ledger: Ledger, secrets: Any = (), answers: Any = ()) -> AsyncIterator[Post]:  # noqa: F811
    """A receiver of a ledger that is open."""
    name, keys, counts = await ledger.write(bought.ledger_id), keys_for(ledger.place, {}), ReceiverCounts()
    rung: list[None] = []
    inbox = OwnInbox(ledger, name, lambda: rung.append(None))
    receiver = Receiver(keys, inbox, counts, dict(secrets), dict(answers))
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listener_on("127.0.0.1:0", "--listen"))
        port = await stack.enter_async_context(listening(receiver, listener))
        yield Post(port, keys, name, counts, rung)


@pytest.fixture
async def post(ledger: Ledger) -> AsyncIterator[Post]:  # noqa: F811
    async with receiving(ledger) as found:
        yield found
