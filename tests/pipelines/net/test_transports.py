from __future__ import annotations

import asyncio
import socket

import pytest

from pipelines.core.errors import AddressRefused, DownloadInterrupted
from pipelines.net import transports
from pipelines.net.http import Http


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
