from __future__ import annotations

import asyncio
import hmac
import json
from hashlib import sha256

import httpx
import pytest

from pipelines.providers.sandbox.options import SandboxOptions
from pipelines.providers.sandbox.postman import is_on_this_machine
from pipelines.providers.sandbox.process import running_sandbox


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:9/x"])
def test_this_machine_is_called(url):
    """Loopback addresses get their callbacks."""
    assert is_on_this_machine(url)


@pytest.mark.parametrize(
    "url", ["https://webhook.site/x", "http://10.0.0.1/x", "http://example.com", "ftp://127.0.0.1/x", "http:"]
)
def test_nobody_else_is_called(url):
    """A simulator sends nothing to other machines."""
    assert not is_on_this_machine(url)


async def test_completion_is_posted_once_with_the_result():
    """At completion the receiver gets the answer that the task query gives, signed if a secret was given."""
    arrived: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()

    async def receive(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"content-length")).split()[1])
        await arrived.put((head, await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    receiver = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = receiver.sockets[0].getsockname()[1]
    order = {
        "prompt": "a",
        "version": "2.0",
        "callback_url": f"http://127.0.0.1:{port}/c/token",
        "callback_secret": "s",
    }
    async with (
        receiver,
        running_sandbox(SandboxOptions(latency="0.1")) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, headers={"authorization": "Bearer k"}) as client,
    ):
        identifier = (await client.post("/sora/videos", json=order)).json()["task_id"]
        head, body = await asyncio.wait_for(arrived.get(), 5)
        task = (await client.post("/sora/tasks", json={"id": identifier})).json()
    assert head.startswith(b"POST /c/token HTTP/1.1")
    assert json.loads(body) == task["response"]
    assert hmac.new(b"s", body, sha256).hexdigest().encode() in head
    assert arrived.empty()
