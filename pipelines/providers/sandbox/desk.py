"""Where orders are sold: one sale is limits, a draw of the waiting time, a line on the bill, and a reminder to call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

from pipelines.providers.sandbox.bill import Bill, Purchase
from pipelines.providers.sandbox.faults import Faults, rules_named
from pipelines.providers.sandbox.forms import fingerprint
from pipelines.providers.sandbox.kiln import Kiln
from pipelines.providers.sandbox.latency import Latency, usual_latency
from pipelines.providers.sandbox.limits import Limits
from pipelines.providers.sandbox.links import LIFETIMES
from pipelines.providers.sandbox.options import SandboxOptions
from pipelines.providers.sandbox.postman import Postman
from pipelines.providers.sandbox.prices import price
from pipelines.providers.sandbox.tally import Tally
from pipelines.providers.sandbox.wire import Visit


@dataclass(frozen=True, slots=True)
class Wish:
    """A valid order, before it is sold."""

    contract: str
    model: str
    prompt: str
    seconds: int
    size: str
    pixels: tuple[int, int]
    fields: dict[str, Any]  # as they were sent
    orientation: str | None = None
    callback_url: str | None = None
    remixed_from: str | None = None
    echoed: bool = False  # the contract shows the order again


class Desk:
    """All that the doors share."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.bill = Bill(options.bill)
        self.faults = Faults(rules_named(options.faults), options.seed)
        self.limits = Limits(options.in_flight_cap, options.submit_rate)
        self.tally = Tally()
        self.kiln = Kiln(light=options.renders == "light")
        self.postman = Postman(self.tally)
        self._latency = Latency.parse(options.latency) if options.latency is not None else None
        for purchase in self.bill.purchases.values():
            self.limits.started(purchase.account, purchase.finished)

    def sell(self, visit: Visit, wish: Wish) -> Purchase:
        """Sells what was wished for. Once this returns, the provider owes the clip and the client owes the price.

        Raises:
            RefusalError: the account asks for too much.
        """
        self.limits.admit(visit.account, visit.now, wish.contract)
        seq = self.bill.next_seq
        chance = Random(f"{self.options.seed} {seq}")
        latency = self._latency or usual_latency(wish.contract, wish.seconds, self.options.speed)
        width, height = wish.pixels
        purchase = Purchase(
            seq=seq,
            id=_identifier(wish.contract, visit, self.options.seed, seq),
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
            latency_s=latency.draw(chance),
            outcome=visit.effect.outcome or "completed",
            price=price(wish.contract, wish.model, wish.size, wish.seconds),
            request=json.dumps(wish.fields) if wish.echoed else None,
            callback_url=wish.callback_url,
            remixed_from=wish.remixed_from,
        )
        self.bill.add(purchase)
        self.limits.started(purchase.account, purchase.finished)
        return purchase

    def lifetime(self, contract: str) -> float:
        """Seconds that a finished file can be had."""
        return self.options.link_lifetime or LIFETIMES[contract]

    def close(self) -> None:
        """Lets go of files, threads and timers."""
        self.postman.close()
        self.kiln.close()
        self.bill.close()


def derived_uuid(*parts: object) -> str:
    """A UUID that follows from its parts: repeatable, and the same after a restart."""
    return str(UUID(bytes=sha256(repr(parts).encode()).digest()[:16], version=4))


def _identifier(contract: str, visit: Visit, seed: int, seq: int) -> str:
    """In the vendor's form [A1 Q1 O1], unique by its line and its time: a new bill does not bring back old ids."""
    if contract == "qiniu":
        return f"qvideo-{visit.account}-{int(visit.now * 1e6) * 1000 + seq % 1000}"
    if contract == "acedata":
        return derived_uuid(seed, seq, visit.now)
    return f"video_{sha256(f'{seed} {seq} {visit.now}'.encode()).hexdigest()[:32]}"
