"""Delivers callbacks as the vendors do: at completion, again if nobody takes them, to addresses on this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.counts import Tally
from pipelines.sandbox.vendors.refusals import wrong_field

PATIENCE = 10.0  # seconds for the receiver to answer [A7old]
IDENTITIES = ("task_id", "id", "request_id", "gateway_request_id")  # how the vendors name the job in a callback
CLIENT_ERRORS = range(400, 500)


@dataclass(frozen=True, slots=True)
class Ladder:
    """How a vendor goes on when a callback is not taken with a 2xx."""

    pauses: tuple[float, ...]  # seconds before each further try
    heeds_4xx: bool = False  # a 4xx from the receiver ends it


ACE_LADDER = Ladder((60.0, 300.0, 1_800.0, 7_200.0, 21_600.0))  # [A7old A8]
VEO_LADDER = Ladder((2.0, 4.0), heeds_4xx=True)  # [Q9]
QUEUE_LADDER = Ladder((2.0, 4.0, 8.0))  # [Q6]; the same page also says ten tries within two hours


@dataclass(frozen=True, slots=True)
class Callback:
    """What is to be posted, where and when."""

    url: str
    wait: float  # seconds from now
    body: Callable[[], Any]  # asked when it is sent
    ladder: Ladder
    secret: str | None = None  # signs the body


class Postman:
    """Promised callbacks; the state of a job does not depend on them."""

    def __init__(self, tally: Tally, speed: float) -> None:
        self._tally = tally
        self._speed = speed
        self._errands: set[asyncio.Task[None]] = set()

    def promise(self, callback: Callback, effect: Effect) -> asyncio.Task[None] | None:
        """Delivers a callback later, as well as the faults let it. None if it never will."""
        if not is_on_this_machine(callback.url):
            self._tally.callbacks["refused: not on this machine"] += 1
            return None
        if effect.callback == "never":
            self._tally.callbacks["never sent"] += 1
            return None
        errand = asyncio.create_task(self._run(callback, effect))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return errand

    async def _run(self, callback: Callback, effect: Effect) -> None:
        await asyncio.sleep(max(0.0, callback.wait) + effect.delay)
        document = callback.body()
        if effect.callback == "forged":
            await self._try(callback.url, forged(document), None if callback.secret is None else "not the secret")
        for _ in range(2 if effect.callback == "twice" else 1):
            await self._deliver(callback, document)

    async def _deliver(self, callback: Callback, document: Any) -> None:
        for pause in (0.0, *callback.ladder.pauses):
            await asyncio.sleep(pause / self._speed)
            status = await self._try(callback.url, document, callback.secret)
            if status is None:
                continue
            if 200 <= status < 300 or (callback.ladder.heeds_4xx and status in CLIENT_ERRORS):  # noqa: PLR2004  # any 2xx
                return
        self._tally.callbacks["given up"] += 1

    async def _try(self, url: str, document: Any, secret: str | None) -> int | None:
        body = json.dumps(document).encode()
        headers = {"content-type": "application/json"}
        if secret is not None:  # one revision of the documents signs, the next does not [A8 A7]
            headers["x-callback-signature"] = hmac.new(secret.encode(), body, sha256).hexdigest()
        try:
            async with asyncio.timeout(PATIENCE):
                status = await post(url, headers, body)
        except (OSError, ValueError, TimeoutError):
            self._tally.callbacks["failed"] += 1
            return None
        self._tally.callbacks[f"answered {status}"] += 1
        return status

    def close(self) -> None:
        """Forgets what was promised; a restart on the same bill does not promise it again."""
        for errand in self._errands:
            errand.cancel()


def forged(document: Any) -> Any:
    """The same callback about a job that does not exist, as somebody else would make it up."""
    stranger = str(uuid4())
    return {name: stranger if name in IDENTITIES else value for name, value in document.items()}


def check_address(field: str, url: str) -> None:
    """Looks whether a field holds an address on the web; nobody is asked there.

    Raises:
        RefusalError: it is no http or https address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong_field(field, "expected an http or https URL")


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
