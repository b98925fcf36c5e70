"""What all endpoints share, and the sale of an order: limits, a draw of the waiting time, and a line on the bill."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from random import Random
from uuid import UUID

from pipelines.sandbox.callbacks.delivery import PATIENCE, UNSIGNED, Body, Callback, Delivery, RetryLadder, Sign
from pipelines.sandbox.callbacks.webhooks import Webhooks
from pipelines.sandbox.faults.scripts import CONTRACTS, Faults, rules_named
from pipelines.sandbox.http.wire import RequestCounts, Visit
from pipelines.sandbox.media.links import LIFETIMES
from pipelines.sandbox.media.render_cache import RenderCache
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.bill import Bill, ParsedOrder, Purchase
from pipelines.sandbox.orders.latency import Latency, usual_latency
from pipelines.sandbox.orders.limits import AccountLimits
from pipelines.sandbox.orders.prices import price_of_order
from pipelines.sandbox.requests.forms import fingerprint
from pipelines.sandbox.vendors.from_profile.profiles import profiles_in
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES, hosted_id, hosted_vendors
from pipelines.sandbox.vendors.openai.identifiers import ID_PREFIXES, digits, litellm_id

HOUR = 3_600.0


class SandboxState:
    """All that the endpoints share."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.profiles = profiles_in(options.profile)
        self.contracts = (*CONTRACTS, *(profile.name for profile in self.profiles))
        self.bill = Bill(options.bill)
        self.faults = Faults(rules_named(options.faults), options.seed, self.contracts)
        self.limits = AccountLimits(
            options.in_flight_cap, options.submit_rate, options.status_rate, options.submit_window
        )
        self.counts = RequestCounts()
        self.render_cache = RenderCache(light=options.renders == "light")
        self.delivery = Delivery(self.counts, options.speed)
        self.webhooks = Webhooks(options.webhook_url, options.webhook_secret)
        hours = {profile.name: profile.timing.link_lifetime_hours for profile in self.profiles}
        self._lifetimes = LIFETIMES | {name: known * HOUR for name, known in hours.items() if known is not None}
        self._latency = Latency.parse(options.latency) if options.latency is not None else None
        for purchase in self.bill.purchases.values():
            self.limits.started(purchase.account, purchase.finished, purchase.contract)

    def sell(self, visit: Visit, parsed: ParsedOrder) -> Purchase:
        """Sell what was ordered. Once this returns, the provider owes the clip and the client owes the price."""
        self.limits.admit(visit.account, visit.now, parsed.contract)
        seq = len(self.bill.purchases) + 1
        chance = Random(f"{self.options.seed} {seq}")
        latency = self._latency or usual_latency(parsed.contract, parsed.seconds, self.options.speed, parsed.usual_s)
        width, height = parsed.pixels
        purchase = Purchase(
            seq=seq,
            id=_identifier(parsed, visit, self.options.seed, seq),
            contract=parsed.contract,
            account=visit.account,
            model=parsed.model,
            prompt=parsed.prompt,
            seconds=parsed.seconds,
            size=parsed.size,
            orientation=parsed.orientation,
            width=width,
            height=height,
            sha256=fingerprint(parsed.fields),
            created=visit.now,
            latency_s=0.0 if visit.effect.instant else latency.draw(chance),
            outcome=visit.effect.outcome or "completed",
            price=price_of_order(parsed) if parsed.price is None else parsed.price,
            request=json.dumps(parsed.fields) if parsed.echoed else None,
            callback_url=parsed.callback_url,
            remixed_from=parsed.remixed_from,
            service=parsed.service,
            clips=parsed.clips,
        )
        self.bill.add(purchase)
        self.limits.started(purchase.account, purchase.finished, purchase.contract)
        return purchase

    def promise(self, purchase: Purchase, callback: Callback | None) -> asyncio.Task[None] | None:
        """Promise a callback, as well as the faults let it. With the fault `early` the answer waits for what it returns."""
        effect = self.faults.effect("callback", purchase.contract, purchase.id)
        promised = self.delivery.promise(callback, effect) if callback is not None else None
        return promised if effect.callback == "early" else None

    async def call_back(
        self,
        visit: Visit,
        purchase: Purchase,
        ladder: RetryLadder,
        body: Body,
        *,
        share: float = 1.0,
        sign: Sign = UNSIGNED,
    ) -> None:
        """Promise a callback to whom the order names, at its end or at a share of its time."""
        if purchase.callback_url is None:
            return
        wait = (purchase.finished - visit.now) * share
        promised = self.promise(purchase, Callback(purchase.callback_url, wait, body, ladder, sign))
        if promised is not None:
            await asyncio.wait({promised}, timeout=wait + PATIENCE)

    def lifetime(self, contract: str) -> float:
        """Seconds that a finished file can be had."""
        if contract in HOSTED_NAMES and contract not in self._lifetimes:
            self._lifetimes[contract] = hosted_vendors()[contract].hours * HOUR
        return self.options.link_lifetime or self._lifetimes.get(contract, LIFETIMES["openai"])

    async def close(self) -> None:
        """Let go of files, threads and timers."""
        await self.delivery.close()
        self.render_cache.close()
        self.bill.close()


def derived_uuid(*parts: object) -> str:
    """A UUID that follows from its parts: repeatable, and the same after a restart."""
    return str(UUID(bytes=sha256(repr(parts).encode()).digest()[:16], version=4))


def _identifier(parsed: ParsedOrder, visit: Visit, seed: int, seq: int) -> str:
    """In the vendor's form [A1 Q1 O1], unique by its line and its time: a new bill does not bring back old ids."""
    nanoseconds = int(visit.now * 1e6) * 1000 + seq % 1000
    if parsed.contract in HOSTED_NAMES:
        return hosted_id(hosted_vendors()[parsed.contract], visit.now, seed, seq)
    if (parsed.contract, parsed.service) == ("qiniu", "generations"):
        return f"chatvideo-{nanoseconds}-{visit.account}"  # [Q9]
    if (parsed.contract, parsed.service) == ("qiniu", "queue"):
        return f"qvideo-root-{nanoseconds}"  # [Q6]
    if parsed.contract == "qiniu":
        return f"qvideo-{visit.account}-{nanoseconds}"
    if parsed.contract in ("acedata", "sglang"):
        return derived_uuid(seed, seq, visit.now)
    if parsed.contract == "litellm":
        return litellm_id(seed, seq, visit.now, parsed.model)
    return f"{ID_PREFIXES.get(parsed.contract, 'video_')}{digits(seed, seq, visit.now)}"
