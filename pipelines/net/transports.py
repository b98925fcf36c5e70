"""Connections: through which proxies the API is spoken to, and to which addresses a file may be fetched from.

Together with `http.py` the only module that knows httpx and httpcore.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import getproxies

import httpcore
import httpx

from pipelines.core.errors import AddressRefused
from pipelines.net.addresses import Origin, is_public

_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_OWN_HEADERS: Mapping[str, str] = {"accept-encoding": "identity", "user-agent": "reelbatch"}
_OPEN_PORTS = frozenset({80, 443})
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


def api_client(context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """A client for the API itself. Proxies of the environment are honoured, but never for this machine."""
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(
            verify=context, limits=limits, socket_options=_SOCKET_OPTIONS, trust_env=False
        ),
        mounts=dict.fromkeys(_LOOPBACK) | proxy_mounts(getproxies(), context, limits),
        timeout=timeout,
        trust_env=False,
        headers=_OWN_HEADERS,
    )


def proxy_mounts(
    proxies: Mapping[str, str], context: ssl.SSLContext, limits: httpx.Limits
) -> dict[str, httpx.AsyncHTTPTransport | None]:
    """The transports through proxies, by the addresses that they are for; None: no proxy.

    Args:
        proxies: by scheme, as `urllib` finds them in the environment; under `no` the hosts that need none.
        context: for TLS.
        limits: paid requests keep their own, also through a proxy.
    """
    mounts: dict[str, httpx.AsyncHTTPTransport | None] = {}
    for scheme in ("http", "https"):
        if address := proxies.get(scheme):
            mounts[f"{scheme}://"] = httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=address)
    for host in proxies.get("no", "").split(","):
        if name := host.strip().lstrip("."):
            if name.count(":") > 1:  # IPv6
                mounts[f"all://[{name.strip('[]')}]"] = None
            else:
                mounts[f"all://{name}"] = None
                mounts[f"all://*.{name}"] = None
    return mounts


def file_client(context: ssl.SSLContext, trusted: frozenset[Origin]) -> httpx.AsyncClient:
    """A client for files, wherever a provider says that they are. No proxy, and checked addresses only.

    Args:
        context: for TLS.
        trusted: origins that may have private addresses.
    """
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx has no argument for the network backend; tests/pipelines/net/test_transports.py fails if this stops working.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 - httpx has no public way to a network backend
        ssl_context=context,
        max_connections=100,
        max_keepalive_connections=8,
        keepalive_expiry=10,
        network_backend=_GuardedBackend(trusted),
    )
    return httpx.AsyncClient(
        transport=transport, timeout=httpx.Timeout(60, connect=10), trust_env=False, headers=_OWN_HEADERS
    )


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were checked, so that a name cannot change its mind between check and use."""

    def __init__(self, trusted: frozenset[Origin]) -> None:
        self._trusted = frozenset((origin.host, origin.port) for origin in trusted)
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check every address, connect to the first of them that answers."""
        addresses = [host] if (host.lower(), port) in self._trusted else await self._checked(host, port, timeout)
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last == 0:
                    raise
        raise AssertionError("unreachable")

    async def _checked(self, host: str, port: int, timeout: float | None) -> list[str]:  # noqa: ASYNC109 - as above
        """The addresses behind a name, all of them public; one private among them spoils the name."""
        if port not in _OPEN_PORTS:  # said here again, in case that two parsers read a link differently
            raise AddressRefused(f"The host {host} was not opened: port {port}.")
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no address for {host}") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses or not all(is_public(address) for address in addresses):
            raise AddressRefused(f"The host {host} leads to a private or reserved address and was not opened.")
        return addresses
