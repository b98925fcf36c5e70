from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from pipelines.core.errors import AddressRefused, DownloadInterrupted
from pipelines.net import transports
from pipelines.net.http import Http
from pipelines.net.proxies import ProxyRules

MOMENTS = [
    "connection.connect_tcp.started",
    "connection.connect_tcp.complete",
    "http11.send_request_headers.started",
    "http11.send_request_headers.complete",
    "http11.send_request_body.complete",
    "http11.receive_response_headers.started",
    "http11.receive_response_headers.complete",
    "http11.receive_response_body.complete",
    "http11.response_closed.started",
]


async def opened(http: Http, url: str) -> None:
    """Open a file as the program does."""
    async with http.fetch(url, headers={}):
        pass


def resolving(monkeypatch, *addresses):
    """Let every name lead to these addresses."""

    async def found(_self, _host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:127.0.0.1"], []])
async def test_d03_one_private_address_spoils_a_name(monkeypatch, addresses):
    """A public name that leads to a private address, even among public ones, is refused."""
    resolving(monkeypatch, *addresses)

    async with Http() as http:
        with pytest.raises(AddressRefused):
            await opened(http, "http://cdn.example.com/a.mp4")


async def test_d03_the_checked_address_is_the_one_connected_to(monkeypatch):
    """The name is resolved once; the connection goes to the number that was checked, the next one if it is dead."""
    resolving(monkeypatch, "1.1.1.1", "1.0.0.1")
    tried = []

    async def connect(_self, host, port, **_):
        tried.append((host, port))
        raise transports.httpcore.ConnectError("dead")

    monkeypatch.setattr(transports.httpcore.AnyIOBackend, "connect_tcp", connect)
    async with Http() as http:
        with pytest.raises(DownloadInterrupted):
            await opened(http, "https://cdn.example.com/a.mp4")

    assert tried == [("1.1.1.1", 443), ("1.0.0.1", 443)]


async def test_the_guard_judges_ports_by_itself():
    """Were a port read differently by two parsers, the connection would still not be made."""
    backend = transports._GuardedBackend(frozenset())

    with pytest.raises(AddressRefused, match="port 22"):
        await backend.connect_tcp("1.1.1.1", 22)


@pytest.fixture
async def server():
    """One that answers whoever asks, and knows who is still connected."""
    connected: set[asyncio.StreamWriter] = set()

    async def serve(reader, writer):
        connected.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connected.discard(writer)
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield running, connected
    running.close()
    await running.wait_closed()


async def given_up_at(moment: str, client: httpx.AsyncClient, url: str) -> None:
    """Ask, and be cancelled at this moment of the request's life."""
    asking = asyncio.current_task()

    async def trace(event: str, _info) -> None:
        if event == moment:
            asking.cancel()

    with contextlib.suppress(asyncio.CancelledError):
        await client.get(url, extensions={"trace": trace})
        pytest.fail(f"{moment} never came")
    asking.uncancel()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_request_given_up_at_any_moment_leaves_no_connection(server, moment):
    """Its socket is closed and its place in the pool is free, so that the next one waits for nothing."""
    running, connected = server
    url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
    limits = httpx.Limits(max_connections=1)
    rules = ProxyRules.of({})
    async with transports.api_client(httpx.create_ssl_context(), limits, httpx.Timeout(5), rules) as client:
        await given_up_at(moment, client, url)

        async with asyncio.timeout(5):
            assert (await client.get(url)).status_code == 200
            while len(connected) > 1:  # noqa: ASYNC110 - it falls as the server reads that clients have gone
                await asyncio.sleep(0.01)
        assert [each.is_idle() for each in client._transport._direct._pool.connections] == [True]


async def test_who_waits_for_a_place_has_that_of_one_who_gives_up(server):
    """A full pool whose only user gives up before the first byte serves the next at once."""
    running, _ = server
    url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
    limits = httpx.Limits(max_connections=1)
    async with transports.api_client(httpx.create_ssl_context(), limits, httpx.Timeout(5), ProxyRules.of({})) as client:
        first = asyncio.create_task(given_up_at("connection.connect_tcp.complete", client, url))
        second = asyncio.create_task(client.get(url))

        async with asyncio.timeout(4):
            await first
            assert (await second).status_code == 200
