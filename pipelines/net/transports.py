"""Connections: directly or through a proxy, and to checked addresses only where a file is fetched.

Together with `http.py` the only module that knows httpx and httpcore.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from pipelines.core.errors import AddressRefused, ReelbatchError
from pipelines.net.addresses import Origin, is_public
from pipelines.net.proxies import ProxyRules

_OWN_HEADERS: Mapping[str, str] = {"accept-encoding": "identity", "user-agent": "reelbatch"}
_OPEN_PORTS = frozenset({80, 443})
_TOLD = (httpx.HTTPError, httpx.InvalidURL, ReelbatchError, OSError, UnicodeError)
_opened: ContextVar[list[httpcore.AsyncNetworkStream]] = ContextVar("_opened")
_NO_PROXY_THERE = "what answers there does not speak the protocol of the proxy"
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


def api_client(
    context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout, rules: ProxyRules
) -> httpx.AsyncClient:
    """A client for the API itself. Paid requests keep their limits also through a proxy."""
    direct = httpx.AsyncHTTPTransport(verify=context, limits=limits, socket_options=_SOCKET_OPTIONS, trust_env=False)
    return httpx.AsyncClient(
        transport=_Routed(direct, rules, context, limits), timeout=timeout, trust_env=False, headers=_OWN_HEADERS
    )


def file_client(context: ssl.SSLContext, trusted: frozenset[Origin], rules: ProxyRules) -> httpx.AsyncClient:
    """A client for files, wherever a provider says that they are. Without a proxy, checked addresses only.

    What goes through a proxy is resolved by the proxy, and so judged by the text of the link alone (`refusal`): a
    literal private address is refused all the same, a name that leads into the proxy's network is for its own rules.

    Args:
        context: for TLS.
        trusted: origins that may have private addresses.
        rules: what goes through a proxy, as orders and queries do.
    """
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=8, keepalive_expiry=10)
    direct = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx has no argument for the network backend; tests/pipelines/net/test_transports.py fails if this stops working.
    direct._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 - httpx has no public way to a network backend
        ssl_context=context,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=_GuardedBackend(trusted),
    )
    return httpx.AsyncClient(
        transport=_Routed(direct, rules, context, limits),
        timeout=httpx.Timeout(60, connect=10),
        trust_env=False,
        headers=_OWN_HEADERS,
    )


class _Routed(httpx.AsyncBaseTransport):
    """Sends each request directly or through the proxy that the rules name for it."""

    def __init__(
        self, direct: httpx.AsyncHTTPTransport, rules: ProxyRules, context: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._direct, self._rules, self._context, self._limits = direct, rules, context, limits
        self._through: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send by the way that is meant for the address. Who gives up, at whatever moment, leaves no connection behind."""
        address = self._rules.proxy_of(str(request.url))
        way = self._direct if address is None else self._proxied(address)
        try:
            response = await (way.handle_async_request(request) if address is None else _by_proxy(way, request))
        except BaseException:
            await _close_abandoned(way._pool)  # noqa: SLF001 - httpcore has no public way to a connection of its pool
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream)
        return response

    def _proxied(self, address: str) -> httpx.AsyncHTTPTransport:
        """The way through a proxy, made when it is first needed."""
        if address not in self._through:
            inner = self._context if address.startswith("https:") else None
            made = httpx.AsyncHTTPTransport(
                verify=self._context,
                limits=self._limits,
                proxy=httpx.Proxy(address, ssl_context=inner),
                socket_options=_SOCKET_OPTIONS,
                trust_env=False,
            )
            made._pool._network_backend = _RememberingBackend()  # noqa: SLF001 - as below
            self._through[address] = made
        return self._through[address]

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in (self._direct, *self._through.values()):
            await transport.aclose()


class _Body(httpx.AsyncByteStream):
    """A body whose end is not cut short: half closed, its connection would be nobody's for ever."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read on."""
        return aiter(self._stream)

    async def aclose(self) -> None:
        """Give the connection back, also where whoever read is cancelled at this moment."""
        await asyncio.shield(self._stream.aclose())


async def _by_proxy(way: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    opened = _opened.set([])
    try:
        return await way.handle_async_request(request)
    except BaseException as error:
        for stream in _opened.get():  # httpcore leaves them open where a SOCKS proxy says no
            await stream.aclose()
        if not isinstance(error, Exception) or isinstance(error, _TOLD):
            raise
        # what the SOCKS library makes of something else that answers there
        raise httpx.ProxyError(_NO_PROXY_THERE) from error
    finally:
        _opened.reset(opened)


async def _close_abandoned(pool: Any) -> None:
    """Close what nobody uses and nobody can: httpcore forgets a connection whose request is given up before its first byte.

    It is neither idle nor closed, so that it would hold its socket, and its place in the pool, for ever.
    """
    requests, connections = pool._requests, pool._connections  # noqa: SLF001 - as above
    used = {id(request.connection) for request in requests}
    for connection in [each for each in connections if not (id(each) in used or each.is_idle() or each.is_closed())]:
        connections.remove(connection)
        await connection.aclose()
    for idle in pool._assign_requests_to_connections():  # noqa: SLF001 - who waited for a place has it now
        await idle.aclose()


class _RememberingBackend(httpcore.AnyIOBackend):
    """Connects, and remembers what was opened for the request that is being made."""

    async def connect_tcp(self, *where: Any, **how: Any) -> httpcore.AsyncNetworkStream:
        """Connect to a proxy."""
        stream = await super().connect_tcp(*where, **how)
        _opened.get().append(stream)
        return stream


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were checked, so that a name cannot change its mind between check and use."""

    def __init__(self, trusted: frozenset[Origin]) -> None:
        self._trusted = trusted
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
        known = any(origin.covers(host.lower(), port) for origin in self._trusted)
        addresses = [host] if known else await self._checked(host, port, timeout)
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
