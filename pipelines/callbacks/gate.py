"""Who is let in: judged by the head of a request alone, before anything of it is parsed, kept or looked up. Pure.

The order matters. The token comes first, in the request line; whoever has none learns nothing but 404, however the rest
of the request looks. What is said of the body is judged next, so that a body which will be refused is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.callbacks.addresses import CallAddress, CallbackKeys

MOST_LINE = 2 << 10  # bytes of the request line
MOST_HEAD = 16 << 10  # bytes of request line and headers
MOST_BODY = 64 << 10  # bytes
_MOST_HEADERS = 100
_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,2000}) HTTP/1\.[01]", re.ASCII)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Turned:
    """Turned away, and why: one word for the count, a status for the caller."""

    status: int
    why: str


@dataclass(frozen=True, slots=True)
class LetIn:
    """The whole head has come, and nothing speaks against reading the body."""

    address: CallAddress
    head_bytes: int
    body_bytes: int | None  # as it says; None: it comes in chunks


NO_TOKEN = Turned(404, "no token")


def judge(buffer: bytes | bytearray, keys: CallbackKeys) -> Turned | LetIn | None:
    """Judge what has come of a request so far. None: too little to say.

    Args:
        buffer: everything that has come.
        keys: that open.
    """
    line, ended, _ = bytes(buffer[: MOST_LINE + 2]).partition(b"\r\n")
    if not ended:
        return NO_TOKEN if len(buffer) > MOST_LINE or not buffer[:1].isupper() else None
    found = _LINE.fullmatch(line)
    address = keys.opens(found[2].decode("ascii")) if found is not None else None
    if found is None or address is None:
        return NO_TOKEN
    if found[1] != b"POST":
        return Turned(405, "method")
    end = buffer.find(b"\r\n\r\n", len(line), MOST_HEAD)
    if end < 0:
        return Turned(431, "head") if len(buffer) >= MOST_HEAD else None
    return _judge_headers(bytes(buffer[len(line) + 2 : end]), address, end + 4)


def _judge_headers(text: bytes, address: CallAddress, head_bytes: int) -> Turned | LetIn:
    """Judge what the headers say of the body: how long it is must be said once, and in one way."""
    lines = text.split(b"\r\n") if text else []
    if len(lines) > _MOST_HEADERS:
        return Turned(431, "head")
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            return Turned(400, "head")
        headers.setdefault(name.lower(), []).append(value.strip())
    lengths, ways = headers.get(b"content-length", []), headers.get(b"transfer-encoding", [])
    if len(lengths) + len(ways) > 1 or any(not value.isdigit() for value in lengths):
        return Turned(400, "length")
    if any(value.lower() != b"chunked" for value in ways):
        return Turned(400, "length")
    if any(value.lower() not in (b"", b"identity") for value in headers.get(b"content-encoding", [])):
        return Turned(415, "compressed")
    if lengths and (len(lengths[0]) > len(str(MOST_BODY)) or int(lengths[0]) > MOST_BODY):
        return Turned(413, "body")
    return LetIn(address, head_bytes, None if ways else int(lengths[0]) if lengths else 0)
