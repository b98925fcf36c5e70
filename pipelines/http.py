"""The one owner of httpx: every byte that leaves for a provider or comes from one passes here.

Three ways to speak, each with its own connections: `submit` (paid, a fresh connection, never repeated), `ask` (free,
may be repeated by the caller) and `fetch` (a file, from an address that is checked at the moment of connecting).
Foreign errors are translated here and nowhere else, and carry no query string: signed links and tokens are secrets.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

import httpcore
import httpx

from pipelines.addresses import Origin, is_public, refusal, without_query
from pipelines.errors import AddressRefused, DownloadInterrupted, NoAnswer, NotSent

ANSWER_CAP_BYTES = 1 << 20  # no answer of these APIs comes near; more is an attack or a mistake
SUBMIT_DEADLINE_S = 150.0
ASK_DEADLINE_S = 30.0
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_OWN_HEADERS = {"accept-encoding": "identity", "user-agent": "reelbatch"}
_OPEN_PORTS = frozenset({80, 443})
# `idna` raises UnicodeError for a host that is no name; TimeoutError is an OSError.
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

# httpx logs whole URLs at INFO and httpcore logs signed `Location` headers at DEBUG.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back on a request."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    complete: bool = True  # False: the body was cut by the peer, the deadline or the size cap


def form_of(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes, str]]) -> tuple[str, bytes]:
    """A body of multipart/form-data, also without any file, and its content type.

    Args:
        fields: text by name.
        files: file name, bytes and media type by name.
    """
    parts: dict[str, Any] = {name: (None, text.encode()) for name, text in fields.items()}
    request = httpx.Request("POST", "http://localhost/", files=parts | dict(files))
    return request.headers["content-type"], request.read()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on its way in: read `chunks` once, inside the context of `Http.fetch`."""

    status: int
    headers: Mapping[str, str]
    origin: Origin  # who serves it, after redirects
    chunks: AsyncIterator[bytes] = field(repr=False)


class Http:
    """The connections of one run. Use as an async context manager.

    Args:
        trusted: origins whose address the operator set. Files served from them may come from private addresses.
    """

    def __init__(self, trusted: Iterable[Origin] = ()) -> None:
        self.trusted = frozenset(trusted)
        context = httpx.create_ssl_context()
        fresh = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        kept = httpx.Limits(max_connections=100, max_keepalive_connections=8, keepalive_expiry=20)
        self._paid = _client(context, fresh, httpx.Timeout(SUBMIT_DEADLINE_S, connect=10))
        self._free = _client(context, kept, httpx.Timeout(ASK_DEADLINE_S, connect=10))
        self._files = httpx.AsyncClient(
            transport=_guarded_transport(context, self.trusted),
            timeout=httpx.Timeout(60, connect=10),
            trust_env=False,
            headers=_OWN_HEADERS,
        )

    async def __aenter__(self) -> Self:
        """Open for use; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for client in (self._paid, self._free, self._files):
            await client.aclose()

    async def submit(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        before_first_byte: Callable[[], Awaitable[None]],
        deadline_s: float = SUBMIT_DEADLINE_S,
    ) -> Answer:
        """POST once, on a fresh connection, after `before_first_byte` has returned.

        httpcore awaits its trace hook before it writes, and an exception from the hook ends the request with nothing
        sent. Redirects are not followed.

        Raises:
            NotSent: the hook was never reached, so no byte left.
            NoAnswer: it was reached, and no status line came back. The provider may have acted.
            Exception: whatever `before_first_byte` raises, as it is; no byte left.
        """
        started = False
        held_back: Exception | None = None

        async def trace(event: str, _info: dict[str, Any]) -> None:
            nonlocal started, held_back
            if not started and event.endswith("send_request_headers.started"):
                try:
                    await before_first_byte()
                except Exception as error:
                    held_back = error
                    raise
                started = True

        try:
            request = self._paid.build_request(
                "POST", url, headers=headers, content=content, extensions={"trace": trace}
            )
            return await _exchange(self._paid, request, deadline_s)
        except _FAULTS as error:
            if held_back is not None:
                raise held_back from None
            kind = NoAnswer if started else NotSent
            raise kind(f"{without_query(url)}: {_reason(error)}") from None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        deadline_s: float = ASK_DEADLINE_S,
    ) -> Answer:
        """Send a request that costs nothing and may be repeated.

        Raises:
            NoAnswer: no complete status line came back in time.
        """
        try:
            request = self._free.build_request(method, url, headers=headers, content=content)
            return await _exchange(self._free, request, deadline_s)
        except _FAULTS as error:
            raise NoAnswer(f"{without_query(url)}: {_reason(error)}") from None

    @asynccontextmanager
    async def fetch(
        self, url: str, *, headers: Mapping[str, str], key_header: Mapping[str, str] | None = None
    ) -> AsyncIterator[Incoming]:
        """Open a file. Redirects are followed by hand, at most three, each checked like the first link.

        Args:
            url: the link.
            headers: sent to whoever serves the file.
            key_header: the API key's header; sent only as long as the origin is that of `url`.

        Raises:
            AddressRefused: a link or a redirect leads where reelbatch does not go.
            DownloadInterrupted: the connection failed; also raised from `chunks`.
        """
        first, hop = url, url
        for _ in range(_MOST_REDIRECTS + 1):
            if reason := refusal(hop, self.trusted):
                raise AddressRefused(f"The link {without_query(hop)} was not opened: {reason}.")
            secret = key_header if key_header and Origin.of(hop) == Origin.of(first) else {}
            try:
                request = self._files.build_request("GET", hop, headers={**headers, **secret})
                response = await self._files.send(request, stream=True)
            except _FAULTS as error:
                raise DownloadInterrupted(f"{without_query(hop)}: {_reason(error)}") from None
            try:
                target = response.headers.get("location")
                if response.status_code not in _REDIRECTS or not target:
                    yield Incoming(response.status_code, response.headers, Origin.of(hop), _chunks(response, hop))
                    return
            finally:
                await response.aclose()
            hop = _next_hop(hop, target)
        raise AddressRefused(f"{without_query(first)} redirects more than {_MOST_REDIRECTS} times.")


def _client(context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """A client for the API itself. Proxies of the environment are honoured, but never for this machine."""
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(
            verify=context, limits=limits, socket_options=_SOCKET_OPTIONS, trust_env=False
        ),
        mounts=dict.fromkeys(_LOOPBACK) | _proxy_mounts(context, limits),
        timeout=timeout,
        trust_env=False,
        headers=_OWN_HEADERS,
    )


def _proxy_mounts(context: ssl.SSLContext, limits: httpx.Limits) -> dict[str, httpx.AsyncHTTPTransport | None]:
    """Transports for the proxies that the environment names. Paid requests keep their own connection limits."""
    proxies = getproxies()
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


async def _exchange(client: httpx.AsyncClient, request: httpx.Request, deadline_s: float) -> Answer:
    """Send and read the whole answer under one deadline. A body that breaks off is kept, and marked."""
    body = bytearray()
    complete = True
    response: httpx.Response | None = None
    try:
        async with asyncio.timeout(deadline_s):
            response = await client.send(request, stream=True)
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_CAP_BYTES:
                    complete = False
                    break
    except (httpx.HTTPError, TimeoutError, OSError):
        if response is None:
            raise
        complete = False
    finally:
        if response is not None:
            await response.aclose()
    return Answer(response.status_code, response.headers, bytes(body[:ANSWER_CAP_BYTES]), complete)


def _next_hop(hop: str, location: str) -> str:
    try:
        target = urljoin(hop, location)
        downgrade = Origin.of(hop).scheme == "https" and urlsplit(target).scheme.lower() != "https"
    except ValueError:
        raise AddressRefused(f"{without_query(hop)} redirects to a link that cannot be read.") from None
    if downgrade:
        raise AddressRefused(f"{without_query(hop)} redirects from https to an open connection.")
    return target


async def _chunks(response: httpx.Response, url: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except (httpx.HTTPError, OSError) as error:
        raise DownloadInterrupted(f"{without_query(url)}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """What went wrong, in words that carry no URL."""
    text = str(error)
    name = type(error).__name__
    return name if not text or "://" in text else f"{name} ({text[:200]})"


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


def _guarded_transport(context: ssl.SSLContext, trusted: frozenset[Origin]) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx has no argument for the network backend; tests/pipelines/test_http.py fails if this stops working.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 - httpx has no public way to a network backend
        ssl_context=context,
        max_connections=100,
        max_keepalive_connections=8,
        keepalive_expiry=10,
        network_backend=_GuardedBackend(trusted),
    )
    return transport
