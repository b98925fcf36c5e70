"""Delivers callbacks: one try at the moment of completion, to addresses on this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pipelines.providers.sandbox.tally import Tally

PATIENCE = 10.0  # seconds for the receiver to answer [A7old]


class Postman:
    """Timers for promised callbacks; the state of a job does not depend on them."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._timers: set[asyncio.TimerHandle] = set()
        self._errands: set[asyncio.Task[None]] = set()

    def promise(self, url: str, wait: float, body: Callable[[], Any], secret: str | None = None) -> None:
        """Posts what `body` says after `wait` seconds."""
        if not is_on_this_machine(url):
            self._tally.callbacks["refused: not on this machine"] += 1
            return

        def go() -> None:
            self._timers.discard(timer)
            errand = asyncio.create_task(self._deliver(url, body(), secret))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

        timer = asyncio.get_running_loop().call_later(max(0.0, wait), go)
        self._timers.add(timer)

    async def _deliver(self, url: str, document: Any, secret: str | None) -> None:
        body = json.dumps(document).encode()
        headers = {"content-type": "application/json"}
        if secret is not None:  # one revision of the documents signs, the next does not [A8 A7]
            headers["x-callback-signature"] = hmac.new(secret.encode(), body, sha256).hexdigest()
        try:
            async with asyncio.timeout(PATIENCE):
                status = await post(url, headers, body)
        except (OSError, ValueError, TimeoutError):
            self._tally.callbacks["failed"] += 1
        else:
            self._tally.callbacks[f"answered {status}"] += 1

    def close(self) -> None:
        """Forgets what was promised; a restart on the same bill does not promise it again."""
        for timer in self._timers:
            timer.cancel()
        for errand in self._errands:
            errand.cancel()


def is_on_this_machine(url: str) -> bool:
    """Whether the host is a loopback address: a simulator must not knock at other people's doors."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    with contextlib.suppress(ValueError):
        return ip_address(parts.hostname).is_loopback
    return parts.hostname == "localhost"


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """One POST over a connection of its own; the answer's status."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = {"host": parts.netloc, "content-length": str(len(body)), "connection": "close", **headers}
    head = "".join([f"POST {target} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items()), "\r\n"])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(head.encode("latin-1") + body)
        answer = await reader.readline()
        return int(answer.split()[1])
    except IndexError:
        raise ValueError("no status line") from None
    finally:
        writer.close()
