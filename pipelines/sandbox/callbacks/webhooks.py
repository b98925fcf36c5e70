"""Webhooks of the OpenAI contract, signed as Standard Webhooks are: the state of a job does not depend on them."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from standardwebhooks import Webhook

from pipelines.sandbox.callbacks.delivery import Callback, RetryLadder, is_on_this_machine
from pipelines.sandbox.faults.scripts import NOTHING, Effect
from pipelines.sandbox.orders.bill import Purchase

LADDER = RetryLadder((0.25, 0.5, 1.0, 2.0), heeds_speed=False)  # the vendor goes on for 72 hours [O9]
STALE = 600.0  # seconds; receivers refuse more than 300 [O1]
PREFIX = "whsec_"
ANOTHER_SECRET = PREFIX + base64.b64encode(b"the key of somebody else").decode()


class Webhooks:
    """The one address that the operator named, told what became of each job."""

    def __init__(self, url: str | None, secret: str | None) -> None:
        """Take both or neither; an address elsewhere, or a secret that cannot sign, is a ValueError."""
        if (url is None) != (secret is None):
            raise ValueError("webhook-url and webhook-secret go together")
        if url is not None and not is_on_this_machine(url):
            raise ValueError(f"webhook-url {url!r} is no http or https address on this machine")
        if secret is not None:
            signer_of(secret)
        self._url = url
        self._secret = secret or ""

    def about(self, purchase: Purchase, now: float) -> Callback | None:
        """The delivery of a job's end, if anybody wants it."""
        if self._url is None:
            return None
        return Callback(
            self._url,
            purchase.finished - now,
            lambda: event_of(purchase.id, purchase.finished, succeeds=purchase.succeeds),
            LADDER,
            lambda body, effect: signed(body, self._secret, time.time(), effect),
            lambda _: event_of(f"video_{_digest('forged', purchase.id)}", purchase.finished, succeeds=True),
        )


def event_of(identifier: str, finished: float, *, succeeds: bool) -> dict[str, Any]:
    """The body: what happened, and to which job; the job itself must be asked for [O7]."""
    return {
        "id": f"evt_{_digest('event', identifier)}",
        "object": "event",
        "created_at": int(finished),
        "type": "video.completed" if succeeds else "video.failed",
        "data": {"id": identifier},
    }


def signed(body: bytes, secret: str, now: float, effect: Effect = NOTHING) -> dict[str, str]:
    """The three headers of a delivery [O1]; the same event always has the same `webhook-id`, whenever it is sent."""
    text = body.decode()
    identity = f"wh_{_digest('webhook', text)}"
    moment = datetime.fromtimestamp(int(now - STALE if effect.signature == "stale" else now), UTC)
    right, wrong = (signer_of(key).sign(identity, moment, text) for key in (secret, ANOTHER_SECRET))
    signatures = {"wrong_key": wrong, "rotated": f"{wrong} {right}"}
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signatures.get(effect.signature or "", right),
    }


def signer_of(secret: str) -> Webhook:
    """What signs with a secret: Base64 behind `whsec_`, otherwise the bytes as they stand [O1]."""
    key = secret.encode()
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except ValueError:
            raise ValueError("webhook-secret is not Base64 behind its whsec_") from None
    if not key:
        raise ValueError("webhook-secret is empty")
    return Webhook(key)


def _digest(*parts: str) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:32]
