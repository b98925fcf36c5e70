"""Connections that cannot be held open: one request each, judged by its first line, and cut when its time is over.

uvicorn has no timeout of its own for a request, and parses before anybody can refuse. So each connection is a `Door`
first, which costs a few hundred bytes; only what the gate lets in is handed to uvicorn. When there are too many, the oldest
that has shown no token yet is cut, so that any number of half-open connections cannot keep a call out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from pipelines.callbacks.addresses import CallbackKeys
from pipelines.callbacks.gate import MOST_BODY, LetIn, Turned, judge
from pipelines.callbacks.metrics import ReceiverCounts

WHOLE_S = 10.0  #: from the connection to the last byte of the answer
HEAD_S = 5.0  #: from the connection to the end of the head
MOST_CONNECTIONS = 4_096
_MOST_A_SOURCE = 512  # that have shown no token, where the source is not this machine
_THIS_MACHINE = ("127.", "::1", "::ffff:127.")  # whence a proxy or tunnel passes on what many send
_LINGER_S = 0.5  # so long whoever was turned away may still send what it had begun, so that it hears why
_FRAMING = 4  # a body in chunks may be so many times as long on the wire
_LATE = Turned(408, "slow")


@dataclass(slots=True)
class Doorway:
    """What all connections of one listener share.

    Args:
        keys: that open.
        counts: of the receiver.
        most: connections at once.
    """

    keys: CallbackKeys
    counts: ReceiverCounts
    most: int = MOST_CONNECTIONS
    unknown: dict[Door, None] = field(default_factory=dict)  # that have shown no token yet, the oldest first
    sources: dict[str, int] = field(default_factory=dict)  # how many of them come from where

    def close(self) -> None:
        """Cut everybody who has shown no token."""
        for door in list(self.unknown):
            door.cut()


class Door(asyncio.Protocol):
    """One connection, until it is let in.

    Args:
        doorway: what it shares with the others.
        inside: makes the protocol that speaks HTTP.
    """

    def __init__(self, doorway: Doorway, inside: Callable[[], asyncio.Protocol]) -> None:
        self._doorway = doorway
        self._make = inside
        self._inside: asyncio.Protocol | None = None
        self._buffer = bytearray()
        self._left = 0  # bytes that may still come once it is let in
        self._over = False
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start both clocks; make room where there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        way, loop = self._doorway, asyncio.get_running_loop()
        way.counts.connections += 1
        way.unknown[self] = None
        way.sources[self._source] = way.sources.get(self._source, 0) + 1
        self._timers = [loop.call_later(HEAD_S, self._slow_head), loop.call_later(WHOLE_S, self._slow)]
        if not self._source.startswith(_THIS_MACHINE) and way.sources[self._source] > _MOST_A_SOURCE:
            self._turn_away(Turned(429, "too many of one source"))
        elif way.counts.connections > way.most and way.unknown:
            oldest = next(iter(way.unknown))
            way.counts.turned_away("too many connections")
            oldest.cut()

    def data_received(self, data: bytes) -> None:
        """Judge, or pass on."""
        if self._over:
            return
        if self._inside is not None:
            self._left -= len(data)
            if self._left < 0:
                self._doorway.counts.turned_away("body")
                self.cut()
            else:
                self._inside.data_received(data)
            return
        self._buffer += data
        verdict = judge(self._buffer, self._doorway.keys)
        if isinstance(verdict, Turned):
            self._turn_away(verdict)
        elif verdict is not None:
            self._let_in(verdict)

    def eof_received(self) -> bool | None:
        """Whoever ends its side before it is let in has nothing to hear."""
        if self._inside is None:
            return None
        return self._inside.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        for timer in self._timers:
            timer.cancel()
        self._over = True
        self._doorway.counts.connections -= 1
        self._forget()
        if self._inside is not None:
            self._inside.connection_lost(exc)
        self._inside = self._transport = None

    def pause_writing(self) -> None:
        """Nobody reads the answer for now."""
        if self._inside is not None:
            self._inside.pause_writing()

    def resume_writing(self) -> None:
        """It is read again."""
        if self._inside is not None:
            self._inside.resume_writing()

    def cut(self) -> None:
        """End the connection at once."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()

    def _let_in(self, verdict: LetIn) -> None:
        assert self._transport is not None
        self._timers[0].cancel()
        self._forget()
        body = MOST_BODY * _FRAMING if verdict.body_bytes is None else verdict.body_bytes
        # What follows a body is a request that nobody has judged: it is not passed on.
        data = bytes(self._buffer[: verdict.head_bytes + body])
        self._left = body + verdict.head_bytes - len(data)
        self._buffer.clear()
        self._inside = self._make()
        self._inside.connection_made(self._transport)
        self._inside.data_received(data)

    def _turn_away(self, verdict: Turned) -> None:
        """Say no in one packet. The connection ends when the other side does, or a moment later."""
        self._over = True
        self._buffer.clear()
        self._doorway.counts.turned_away(verdict.why)
        if self._transport is not None and not self._transport.is_closing():
            self._timers.append(asyncio.get_running_loop().call_later(_LINGER_S, self.cut))
            self._transport.write(answer_bytes(verdict.status))
            with suppress(OSError):  # the other side may have gone
                self._transport.write_eof()  # closed at once, unread bytes would turn the answer into a reset

    def _slow_head(self) -> None:
        if self._inside is None and not self._over:
            self._turn_away(_LATE)

    def _slow(self) -> None:
        if not self._over:
            self._doorway.counts.turned_away(_LATE.why)
        self.cut()

    def _forget(self) -> None:
        if self in self._doorway.unknown:
            del self._doorway.unknown[self]
            left = self._doorway.sources[self._source] - 1
            if left:
                self._doorway.sources[self._source] = left
            else:
                del self._doorway.sources[self._source]


def answer_bytes(status: int) -> bytes:
    """A whole answer that says nothing but its status, and repeats nothing of the request."""
    words = HTTPStatus(status).phrase
    allow = "allow: POST\r\n" if status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    return f"HTTP/1.1 {status} {words}\r\n{allow}content-length: 0\r\nconnection: close\r\n\r\n".encode("ascii")
