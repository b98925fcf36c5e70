"""Delivers callbacks as the vendors do: at completion, again if nobody takes them, to addresses on this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.wire import RequestCounts
from pipelines.sandbox.vendors.refusals import wrong_field

if TYPE_CHECKING:
    import httpx

PATIENCE = 10.0  # seconds for the receiver to answer [A7old]
IDENTITIES = ("task_id", "id", "request_id", "gateway_request_id")  # how the vendors name the job in a callback
CLIENT_ERRORS = range(400, 500)
TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class RetryLadder:
    """How a vendor goes on when a callback is not taken with a 2xx."""

    pauses: tuple[float, ...]  # seconds before each further try
    heeds_4xx: bool = False  # a 4xx from the receiver ends it
    heeds_speed: bool = True


ACE_LADDER = RetryLadder((60.0, 300.0, 1_800.0, 7_200.0, 21_600.0))  # [A7old A8]
VEO_LADDER = RetryLadder((2.0, 4.0), heeds_4xx=True)  # [Q9]
QUEUE_LADDER = RetryLadder((2.0, 4.0, 8.0))  # [Q6]; the same page also says ten tries within two hours

FORGERY = Effect(signature="wrong_key")  # in force while a forged callback is sent

#: The headers that sign a body, well or as the faults will have it.
Sign = Callable[[bytes, Effect], dict[str, str]]

#: A document that is asked for when it is sent.
Body = Callable[[], Any]


def forged(document: Any) -> Any:
    """The same callback about a job that does not exist, as somebody else would make it up."""
    stranger = str(uuid4())
    return {name: stranger if name in IDENTITIES else value for name, value in document.items()}


def signed_with(secret: str | None, body: bytes, effect: Effect) -> dict[str, str]:
    """Ace's signature, if there is a secret: one revision of the documents signs, the next does not [A8 A7]."""
    if secret is None:
        return {}
    key = "not the secret" if effect is FORGERY else secret
    return {"x-callback-signature": hmac.new(key.encode(), body, sha256).hexdigest()}


UNSIGNED: Sign = partial(signed_with, None)


@dataclass(frozen=True, slots=True)
class Callback:
    """What is to be posted, where and when."""

    url: str
    wait: float  # seconds from now
    body: Body
    ladder: RetryLadder
    sign: Sign = UNSIGNED
    forge: Callable[[Any], Any] = forged


class Delivery:
    """Promised callbacks; the state of a job does not depend on them."""

    def __init__(self, counts: RequestCounts, speed: float) -> None:
        self._counts = counts
        self._speed = speed
        self._promised: set[asyncio.Task[None]] = set()
        self._http: dict[str, httpx.AsyncClient] = {}  # by scheme

    def promise(self, callback: Callback, effect: Effect) -> asyncio.Task[None] | None:
        """Deliver a callback later, as well as the faults let it. None if it never will be."""
        if not is_on_this_machine(callback.url):
            self._counts.callbacks["refused: not on this machine"] += 1
            return None
        if effect.callback == "never":
            self._counts.callbacks["never sent"] += 1
            return None
        promised = asyncio.create_task(self._deliver(callback, effect))
        self._promised.add(promised)
        promised.add_done_callback(self._promised.discard)
        return promised

    async def _deliver(self, callback: Callback, effect: Effect) -> None:
        await asyncio.sleep(max(0.0, callback.wait) + effect.delay)
        document = callback.body()
        if effect.callback == "forged":
            await self._try(callback, callback.forge(document), FORGERY)
        for _ in range(2 if effect.callback == "twice" else 1):
            await self._deliver_once(callback, document, effect)

    async def _deliver_once(self, callback: Callback, document: Any, effect: Effect) -> None:
        ladder = callback.ladder
        for pause in (0.0, *ladder.pauses):
            await asyncio.sleep(pause / self._speed if ladder.heeds_speed else pause)
            status = await self._try(callback, document, effect)
            if status in TAKEN or (ladder.heeds_4xx and status in CLIENT_ERRORS):
                return
        self._counts.callbacks["given up"] += 1

    async def _try(self, callback: Callback, document: Any, effect: Effect) -> int | None:
        """Post it once; the answer's status, if there was one."""
        import httpx  # noqa: PLC0415 - start-up must not wait for it

        scheme = urlsplit(callback.url).scheme
        if scheme not in self._http:  # plain http asks nobody whom to trust, which takes 40 ms to read
            trust = httpx.create_ssl_context() if scheme == "https" else False
            limits = httpx.Limits(max_keepalive_connections=0)  # each goes over a connection of its own
            self._http[scheme] = httpx.AsyncClient(limits=limits, trust_env=False, verify=trust)
        body = json.dumps(document).encode()
        headers = {"content-type": "application/json", **callback.sign(body, effect)}
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._http[scheme].post(callback.url, content=body, headers=headers, timeout=PATIENCE)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            self._counts.callbacks["failed"] += 1
            return None
        self._counts.callbacks[f"answered {answer.status_code}"] += 1
        return answer.status_code

    async def close(self) -> None:
        """Forget what was promised; a restart on the same bill does not promise it again."""
        for promised in self._promised:
            promised.cancel()
        await asyncio.gather(*self._promised, return_exceptions=True)
        for client in self._http.values():
            await client.aclose()


def check_address(field: str, url: str) -> None:
    """Refuse a field that holds no http or https address; nobody is asked there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong_field(field, "expected an http or https URL")


def is_on_this_machine(url: str) -> bool:
    """Tell whether the host is a loopback address: a simulator must not call other people."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    with contextlib.suppress(ValueError):
        return ip_address(parts.hostname).is_loopback
    return parts.hostname == "localhost"
