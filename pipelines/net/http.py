"""Every byte that leaves for a provider or comes from one passes here.

Three ways to speak, each with its own connections: `submit` (paid, a fresh connection, never repeated), `ask` (free,
may be repeated by the caller) and `fetch` (a file, from an address that is checked at the moment of connecting).
Foreign errors are translated here and nowhere else. They carry no query string, and nothing that was sent or received:
signed links, tokens and keys are secrets.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from pipelines.core.errors import AddressRefused, DownloadInterrupted, NoAnswer, NotSent, Unsendable
from pipelines.core.failpoints import failpoint
from pipelines.net.addresses import Origin, redirect_target, refusal, without_query
from pipelines.net.headers import refuse_unsendable
from pipelines.net.proxies import ProxyRules
from pipelines.net.transports import api_client, file_client

ANSWER_CAP_BYTES = 1 << 20  # no answer of these APIs comes near; more is an attack or a mistake
CLIP_CAP_BYTES = 128 << 20  # of an answer that holds a clip
SUBMIT_DEADLINE_S = 150.0
ASK_DEADLINE_S = 30.0
_ASKED_AT_ONCE = 100
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER_PACKING = zlib.MAX_WBITS | 32  # gzip or zlib: the first bytes tell
# `idna` raises UnicodeError for a host that is no name; TimeoutError is an OSError.
_NO_ADDRESS = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
#: What httpcore says when a part of an order is sent, and when its answer begins.
_PARTS_SENT = {
    "send_request_headers.complete": "send.head",
    "send_request_body.complete": "send.body",
    "receive_response_headers.complete": "answer.head",
}
_STATUS_OF_PROXY = re.compile(r"\d{3}\b")
_QUOTING = (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError)  # say what they choke on: it may be a key

#: What people read of the usual ways to fail, instead of the name of a class.
_PLAIN = {
    (httpx.ConnectTimeout, httpx.PoolTimeout): "no connection in time",
    (httpx.TimeoutException, TimeoutError): "nothing came in time",
    (httpx.ConnectError,): "no connection",
    (httpx.NetworkError,): "the connection broke",
}
#: The same, by what httpx says of a connection that was closed.
_CLOSED = {
    "without sending a response": "the connection was closed before an answer came",
    "without sending complete": "the connection was closed in the middle of an answer",
}

# httpx logs whole URLs at INFO and httpcore logs signed `Location` headers at DEBUG.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

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


#: Whom TLS trusts; reading all the authorities takes some 40 ms, so that it is done once a process.
_trust = cache(httpx.create_ssl_context)


class Http:
    """The connections of one run. Use as an async context manager.

    Args:
        rules: what goes through a proxy; None: what the environment says.
    """

    def __init__(self, rules: ProxyRules | None = None) -> None:
        self._context = _trust()
        self._rules = ProxyRules.of(os.environ) if rules is None else rules
        fresh = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        # Who waits, waits here: the deadline of a question begins when it is asked.
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)
        kept = httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=20)
        self._paid = api_client(self._context, fresh, httpx.Timeout(SUBMIT_DEADLINE_S, connect=10), self._rules)
        self._free = api_client(self._context, kept, httpx.Timeout(ASK_DEADLINE_S, connect=10), self._rules)
        self._files: dict[frozenset[Origin], httpx.AsyncClient] = {}  # by whom they trust

    async def __aenter__(self) -> Self:
        """Open for use; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for client in (self._paid, self._free, *self._files.values()):
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
        sent. Redirects are not followed. Inside the tunnel of a proxy the first byte to the provider counts: what is said
        to the proxy before, and its refusal, is not sent. Without a tunnel (an http address) the proxy hears the order.

        Raises:
            Unsendable: the address or a header cannot be sent, now or later. The hook was never reached.
            NotSent: the hook was never reached, so no byte left.
            NoAnswer: it was reached, and no status line came back. The provider may have acted.
            Exception: whatever `before_first_byte` raises, as it is; no byte left.
        """
        started = False
        held_back: Exception | None = None

        async def trace(event: str, info: dict[str, Any]) -> None:
            nonlocal started, held_back
            if not started and event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
                try:
                    await before_first_byte()
                except Exception as error:
                    held_back = error
                    raise
                started = True
            elif started and (reached := _PARTS_SENT.get(event.partition(".")[2])) is not None:
                failpoint(reached)

        refuse_unsendable(headers, url)
        try:
            request = self._paid.build_request(
                "POST", url, headers=headers, content=content, extensions={"trace": trace}
            )
            answer = await _exchange(self._paid, request, deadline_s)
        except _FAULTS as error:
            if held_back is not None:
                raise held_back from None
            kind = NoAnswer if started else Unsendable if isinstance(error, _NO_ADDRESS) else NotSent
            raise kind(f"{without_query(url)}: {_reason(error)}") from None
        failpoint("answer.whole")
        return answer

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        deadline_s: float = ASK_DEADLINE_S,
        most_bytes: int = ANSWER_CAP_BYTES,
    ) -> Answer:
        """Send a request that costs nothing and may be repeated; of its answer no more than `most_bytes` are read.

        Raises:
            NoAnswer: no complete status line came back in time.
        """
        try:
            request = self._free.build_request(method, url, headers=headers, content=content)
            async with self._asking:
                return await _exchange(self._free, request, deadline_s, most_bytes)
        except _FAULTS as error:
            raise NoAnswer(f"{without_query(url)}: {_reason(error)}") from None

    @asynccontextmanager
    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        key_header: Mapping[str, str] | None = None,
        trusted: frozenset[Origin] = frozenset(),
    ) -> AsyncIterator[Incoming]:
        """Open a file. Redirects are followed by hand, at most three, each checked like the first link.

        Args:
            url: the link.
            headers: sent to whoever serves the file.
            key_header: the API key's header; sent only as long as the origin is that of `url`.
            trusted: origins whose address the operator set for whoever gave the link. They may be private.

        Raises:
            AddressRefused: a link or a redirect leads where reelbatch does not go.
            DownloadInterrupted: the connection failed; also raised from `chunks`.
        """
        first = hop = url
        if trusted not in self._files:  # a connection into a private network is open to nobody else
            self._files[trusted] = file_client(self._context, trusted, self._rules)
        client = self._files[trusted]
        for _ in range(_MOST_REDIRECTS + 1):
            if reason := refusal(hop, trusted):
                raise AddressRefused(f"The link {without_query(hop)} was not opened: {reason}.")
            secret = key_header if key_header and Origin.of(hop) == Origin.of(first) else {}
            try:
                request = client.build_request("GET", hop, headers={**headers, **secret})
                response = await client.send(request, stream=True)
            except _FAULTS as error:
                raise DownloadInterrupted(f"{without_query(hop)}: {_reason(error)}") from None
            try:
                target = response.headers.get("location")
                if response.status_code not in _REDIRECTS or not target:
                    yield Incoming(response.status_code, response.headers, Origin.of(hop), _chunks(response, hop))
                    return
            finally:
                await response.aclose()
            hop = redirect_target(hop, target)
        raise AddressRefused(f"{without_query(first)} redirects more than {_MOST_REDIRECTS} times.")


async def _exchange(
    client: httpx.AsyncClient, request: httpx.Request, deadline_s: float, most_bytes: int = ANSWER_CAP_BYTES
) -> Answer:
    """Send and read the whole answer under one deadline. A body that breaks off is kept, and marked.

    What comes is counted before it is unpacked: httpx would unpack as much as the server likes.
    """
    body = bytearray()
    complete = True
    response: httpx.Response | None = None
    try:
        async with asyncio.timeout(deadline_s):
            response = await client.send(request, stream=True)
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > most_bytes:
                    complete = False
                    break
    except (httpx.HTTPError, TimeoutError, OSError):
        if response is None:
            raise
        complete = False
    finally:
        if response is not None:
            await response.aclose()
    content, whole = unpacked(bytes(body[:most_bytes]), response.headers.get("content-encoding", ""), most_bytes)
    return Answer(response.status_code, response.headers, content, complete and whole)


def unpacked(body: bytes, encoding: str, most_bytes: int = ANSWER_CAP_BYTES) -> tuple[bytes, bool]:
    """A body as it was before it was packed, as far as the cap allows, and whether that is all of it.

    Nobody is asked to pack, but some proxies do. Whatever else was done to a body, packing it twice among it, is left
    as it is: no reader will find anything in it.
    """
    if not body or encoding.strip().lower() not in _PACKED:
        return body, True
    unpack = zlib.decompressobj(_EITHER_PACKING)
    try:
        content = unpack.decompress(body, most_bytes)
    except zlib.error:
        return body, True
    return content, unpack.eof


async def _chunks(response: httpx.Response, url: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except (httpx.HTTPError, OSError) as error:
        raise DownloadInterrupted(f"{without_query(url)}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """Say what went wrong in words that carry no URL, and nothing of what was sent or received."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, _QUOTING):
        return name
    if isinstance(error, httpx.ProxyError) and (said := _STATUS_OF_PROXY.match(text)):  # and its own words, quoted
        return f"the proxy answered {said[0]}"
    if isinstance(error, httpx.RemoteProtocolError):  # says what is wrong, and quotes it after a colon
        text = text.partition(":")[0]
        if (plain := next((words for said, words in _CLOSED.items() if said in text), None)) is not None:
            return plain
    name = next((words for kinds, words in _PLAIN.items() if isinstance(error, kinds)), name)
    return name if not text or "://" in text else f"{name} ({text[:200]})"
