"""Where orders are sold: one sale is limits, a draw of the waiting time, a line on the bill, and a reminder to call."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

from pipelines.sandbox.callbacks.delivery import PATIENCE, Callback, Postman
from pipelines.sandbox.callbacks.webhooks import Webhooks
from pipelines.sandbox.faults.scripts import CONTRACTS, Faults, rules_named
from pipelines.sandbox.http.counts import Tally
from pipelines.sandbox.http.wire import Visit
from pipelines.sandbox.media.links import LIFETIMES
from pipelines.sandbox.media.render_cache import Kiln
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.bill import Bill, Purchase
from pipelines.sandbox.orders.latency import Latency, usual_latency
from pipelines.sandbox.orders.limits import Limits
from pipelines.sandbox.orders.prices import price
from pipelines.sandbox.requests.forms import fingerprint
from pipelines.sandbox.vendors.from_profile.profiles import lifetimes_of, profiles_in
from pipelines.sandbox.vendors.openai.identifiers import ID_PREFIXES, digits, litellm_id


@dataclass(frozen=True, slots=True)
class Wish:
    """A valid order, before it is sold."""

    contract: str
    model: str
    prompt: str
    seconds: float
    size: str
    pixels: tuple[int, int]
    fields: dict[str, Any]  # as they were sent
    orientation: str | None = None
    callback_url: str | None = None
    remixed_from: str | None = None
    echoed: bool = False  # the contract shows the order again
    service: str = ""  # as on the bill
    clips: int = 1
    price: float | None = None  # where the price list here does not know it
    usual_s: float | None = None  # seconds that it usually takes, where that is not known here


class Desk:
    """All that the doors share."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.profiles = profiles_in(options.profile)
        self.contracts = (*CONTRACTS, *(profile.name for profile in self.profiles))
        self.bill = Bill(options.bill)
        self.faults = Faults(rules_named(options.faults), options.seed, self.contracts)
        self.limits = Limits(options.in_flight_cap, options.submit_rate, options.status_rate)
        self.tally = Tally()
        self.kiln = Kiln(light=options.renders == "light")
        self.postman = Postman(self.tally, options.speed)
        self.webhooks = Webhooks(options.webhook_url, options.webhook_secret, self.tally)
        self._lifetimes = {**LIFETIMES, **lifetimes_of(self.profiles)}
        self._latency = Latency.parse(options.latency) if options.latency is not None else None
        for purchase in self.bill.purchases.values():
            self.limits.started(purchase.account, purchase.finished, purchase.contract)

    def sell(self, visit: Visit, wish: Wish) -> Purchase:
        """Sells what was wished for. Once this returns, the provider owes the clip and the client owes the price.

        Raises:
            RefusalError: the account asks for too much.
        """
        self.limits.admit(visit.account, visit.now, wish.contract)
        seq = self.bill.next_seq
        chance = Random(f"{self.options.seed} {seq}")
        latency = self._latency or usual_latency(wish.contract, wish.seconds, self.options.speed, wish.usual_s)
        width, height = wish.pixels
        purchase = Purchase(
            seq=seq,
            id=_identifier(wish, visit, self.options.seed, seq),
            contract=wish.contract,
            account=visit.account,
            model=wish.model,
            prompt=wish.prompt,
            seconds=wish.seconds,
            size=wish.size,
            orientation=wish.orientation,
            width=width,
            height=height,
            sha256=fingerprint(wish.fields),
            created=visit.now,
            latency_s=0.0 if visit.effect.instant else latency.draw(chance),
            outcome=visit.effect.outcome or "completed",
            price=price(wish) if wish.price is None else wish.price,
            request=json.dumps(wish.fields) if wish.echoed else None,
            callback_url=wish.callback_url,
            remixed_from=wish.remixed_from,
            service=wish.service,
            clips=wish.clips,
        )
        self.bill.add(purchase)
        self.limits.started(purchase.account, purchase.finished, purchase.contract)
        return purchase

    async def call_back(self, purchase: Purchase, callback: Callback) -> None:
        """Promises a callback. With the fault `early` it has arrived when this returns: before the order is answered."""
        effect = self.faults.effect("callback", purchase.contract, purchase.id)
        errand = self.postman.promise(callback, effect)
        if errand is not None and effect.callback == "early":
            await asyncio.wait({errand}, timeout=callback.wait + PATIENCE)

    def lifetime(self, contract: str) -> float:
        """Seconds that a finished file can be had."""
        return self.options.link_lifetime or self._lifetimes.get(contract, LIFETIMES["openai"])

    def close(self) -> None:
        """Lets go of files, threads and timers."""
        self.postman.close()
        self.webhooks.close()
        self.kiln.close()
        self.bill.close()


def derived_uuid(*parts: object) -> str:
    """A UUID that follows from its parts: repeatable, and the same after a restart."""
    return str(UUID(bytes=sha256(repr(parts).encode()).digest()[:16], version=4))


def _identifier(wish: Wish, visit: Visit, seed: int, seq: int) -> str:
    """In the vendor's form [A1 Q1 O1], unique by its line and its time: a new bill does not bring back old ids."""
    nanoseconds = int(visit.now * 1e6) * 1000 + seq % 1000
    if (wish.contract, wish.service) == ("qiniu", "generations"):
        return f"chatvideo-{nanoseconds}-{visit.account}"  # [Q9]
    if (wish.contract, wish.service) == ("qiniu", "queue"):
        return f"qvideo-root-{nanoseconds}"  # [Q6]
    if wish.contract == "qiniu":
        return f"qvideo-{visit.account}-{nanoseconds}"
    if wish.contract in ("acedata", "sglang"):
        return derived_uuid(seed, seq, visit.now)
    if wish.contract == "litellm":
        return litellm_id(seed, seq, visit.now, wish.model)
    return f"{ID_PREFIXES.get(wish.contract, 'video_')}{digits(seed, seq, visit.now)}"
