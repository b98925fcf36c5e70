"""Webhooks of the OpenAI contract, signed as Standard Webhooks are: the state of a job does not depend on them."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from hashlib import sha256

from pipelines.sandbox.callbacks.delivery import PATIENCE, is_on_this_machine, post
from pipelines.sandbox.faults.scripts import NOTHING, Effect
from pipelines.sandbox.http.counts import Tally
from pipelines.sandbox.orders.bill import Purchase

LADDER = (0.25, 0.5, 1.0, 2.0)  # seconds before each further try; the vendor goes on for 72 hours [O9]
STALE = 600.0  # seconds; receivers refuse more than 300 [O1]
ANOTHER_SECRET = "whsec_" + base64.b64encode(b"the key of somebody else").decode()


class Webhooks:
    """Promises to post what became of each job to the one address that the operator named."""

    def __init__(self, url: str | None, secret: str | None, tally: Tally) -> None:
        """Takes the address and the secret.

        Raises:
            ValueError: the address is not on this machine, or there is none to sign for, or none to sign with.
        """
        if (url is None) != (secret is None):
            raise ValueError("webhook-url and webhook-secret go together")
        if url is not None and not is_on_this_machine(url):
            raise ValueError(f"webhook-url {url!r} is not an http address on this machine")
        key_of(secret or "")
        self._url = url
        self._secret = secret or ""
        self._tally = tally
        self._errands: set[asyncio.Task[None]] = set()

    def promise(self, purchase: Purchase, now: float, effect: Effect) -> None:
        """Posts the end of a job when it has come, as well as the faults let it."""
        if self._url is None:
            return
        if effect.callback == "never":
            self._tally.callbacks["never sent"] += 1
            return
        errand = asyncio.create_task(self._run(self._url, purchase, purchase.finished - now, effect))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _run(self, url: str, purchase: Purchase, wait: float, effect: Effect) -> None:
        await asyncio.sleep(max(0.0, wait) + effect.delay)
        body = event(purchase.id, purchase.finished, succeeds=purchase.succeeds)
        if effect.callback == "forged":
            lie = event(f"video_{_digest('forged', purchase.id)}", purchase.finished, succeeds=True)
            await self._is_taken(url, lie, Effect(signature="wrong_key"))
        for _ in range(2 if effect.callback == "twice" else 1):
            await self._deliver(url, body, effect)

    async def _deliver(self, url: str, body: bytes, effect: Effect) -> None:
        for pause in (0.0, *LADDER):
            await asyncio.sleep(pause)
            if await self._is_taken(url, body, effect):
                return
        self._tally.callbacks["given up"] += 1

    async def _is_taken(self, url: str, body: bytes, effect: Effect) -> bool:
        headers = {"content-type": "application/json", **signed(body, self._secret, time.time(), effect)}
        try:
            async with asyncio.timeout(PATIENCE):
                status = await post(url, headers, body)
        except (OSError, ValueError, TimeoutError):
            self._tally.callbacks["failed"] += 1
            return False
        self._tally.callbacks[f"answered {status}"] += 1
        return 200 <= status < 300  # noqa: PLR2004  # a redirect is no success either [O9]

    def close(self) -> None:
        """Forgets what was promised; a restart on the same bill does not promise it again."""
        for errand in self._errands:
            errand.cancel()


def event(identifier: str, finished: float, *, succeeds: bool) -> bytes:
    """The body: what happened, and to which job; the job itself must be asked for [O7]."""
    document = {
        "id": f"evt_{_digest('event', identifier)}",
        "object": "event",
        "created_at": int(finished),
        "type": "video.completed" if succeeds else "video.failed",
        "data": {"id": identifier},
    }
    return json.dumps(document).encode()


def signed(body: bytes, secret: str, now: float, effect: Effect = NOTHING) -> dict[str, str]:
    """The three headers of a delivery [O1]; the same event always has the same `webhook-id`, whenever it is sent."""
    identity = f"wh_{_digest('webhook', body.decode())}"
    timestamp = str(int(now - STALE if effect.signature == "stale" else now))
    right, wrong = (signature(key, identity, timestamp, body) for key in (secret, ANOTHER_SECRET))
    signatures = {"wrong_key": wrong, "rotated": f"{wrong} {right}"}
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures.get(effect.signature or "", right),
    }


def signature(secret: str, identity: str, timestamp: str, body: bytes) -> str:
    """One signature: HMAC-SHA256 over id, time and body, in Base64 [O1]."""
    text = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), text, sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret: Base64 behind `whsec_`, otherwise as they stand [O1].

    Raises:
        ValueError: what stands behind the prefix is not Base64.
    """
    prefix, found, encoded = secret.partition("whsec_")
    if found and not prefix:
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError:
            raise ValueError("webhook-secret is not Base64 behind its whsec_") from None
    return secret.encode()


def _digest(*parts: str) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:32]
