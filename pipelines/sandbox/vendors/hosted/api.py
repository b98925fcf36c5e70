"""What the handlers of all hosted vendors share: the sale, whose job it is, its word, its links, its failure, its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pipelines.sandbox.callbacks.delivery import RetryLadder
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import custom_link, link_expiry
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.hosted.orders import hosted_model, parse_hosted_order
from pipelines.sandbox.vendors.hosted.vendors import HostedVendor, hosted_vendors
from pipelines.sandbox.vendors.refusals import RefusalError

HOSTED_LADDER = RetryLadder((2.0, 4.0, 8.0))  # Luma tries three times more; most pages do not say
CONFLICT = 409
NO_CONTENT = 204
MOST_LISTED = 100
PLACES = {  # of a stage among the six words of a vendor
    Stage.INITIALIZING: 0,
    Stage.QUEUED: 1,
    Stage.COMPLETED: 3,
    Stage.FAILED: 4,
    Stage.CANCELLED: 5,
}


@dataclass(frozen=True, slots=True)
class HostedApi(ABC):
    """The handlers of one vendor; what is its own is in a module for each."""

    state: SandboxState
    vendor: ClassVar[str]

    @abstractmethod
    def rows(self) -> list[ApiRoute]:
        """What the vendor serves, below `/<vendor>/v1`."""

    @abstractmethod
    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A job as the vendor shows it at a moment."""

    @property
    def told(self) -> HostedVendor:
        """What the vendor's pages say of it."""
        return hosted_vendors()[self.vendor]

    def parsed(
        self, body: dict[str, Any], name: Any, at: str = "", *, calls: str = "callback_url", echoed: bool = False
    ) -> ParsedOrder:
        """Read an order to the model of that name, with the address to call where the vendor's orders have it.

        Args:
            body: of the order.
            name: of the model, as the order has it.
            at: the way to order, where the vendor has several.
            calls: the field with the address to call.
            echoed: the vendor shows later what was ordered.
        """
        model = hosted_model(self.vendor, name, at)
        return parse_hosted_order(model, str(name), body, callback=body.get(calls), echoed=echoed)

    async def sold(self, visit: Visit, parsed: ParsedOrder) -> Purchase:
        """Sell, and promise the callback that the order asks for: the job as it stands at its end."""
        purchase = self.state.sell(visit, parsed)
        known = self.state.bill.purchases  # it may be cancelled by then

        await self.state.call_back(visit, purchase, HOSTED_LADDER, lambda: self.called_back(visit, known[purchase.id]))
        return purchase

    def called_back(self, visit: Visit, purchase: Purchase) -> Any:
        """What a callback says; most vendors send what they answer."""
        return self.document(visit, purchase, purchase.finished)

    async def retrieve(self, visit: Visit) -> VendorAnswer:
        """`GET` of one job."""
        return VendorAnswer.of(self.document(visit, self.own(visit), visit.now))

    def own(self, visit: Visit, identifier: str | None = None) -> Purchase:
        """The job that an address names; other people's are not found."""
        wanted = visit.named["id"] if identifier is None else identifier
        purchase = self.state.bill.find(wanted, self.vendor, visit.account, None)
        if purchase is None:
            raise RefusalError(404, f"{wanted[:100]} was not found.")
        return purchase

    def word(self, visit: Visit, purchase: Purchase, now: float) -> str:
        """The vendor's word for where a job stands; the faults may say another of one that is not over."""
        told = self.told.words[PLACES.get(stage_of(purchase, now), 2)]
        return visit.effect.word or told if now < purchase.finished else told

    def links(self, visit: Visit, purchase: Purchase, now: float) -> list[str]:
        """Links to the files of a job, once there are any; a query after a link has ended makes a new one."""
        if now < purchase.finished or not purchase.has_file:
            return []
        expires = link_expiry(purchase, max(visit.now, purchase.finished), self.state.lifetime(self.vendor))
        return [custom_link(visit.base, purchase, expires, number) for number in range(1, purchase.clips + 1)]

    def failure(self, purchase: Purchase, now: float) -> tuple[Any, str] | None:
        """Code and words of a job that has failed."""
        if now < purchase.finished or purchase.succeeds:
            return None
        return self.told.failures.get(purchase.outcome, self.told.failures["generation_failed"])

    def stopped(self, visit: Visit, *, while_running: bool = True) -> Purchase:
        """Cancel a job that is not over; unless the vendor cancels running ones too, it must be waiting."""
        purchase = self.own(visit)
        waits = PLACES.get(stage_of(purchase, visit.now), 2) <= 1
        if visit.now >= purchase.finished or not (waits or while_running):
            raise RefusalError(CONFLICT, f"{purchase.id} can no longer be cancelled.")
        return self.state.bill.cancel(purchase.id, visit.now)

    def listed(self, visit: Visit, first: int, most: int) -> tuple[list[dict[str, Any]], int]:
        """A page of the account's jobs, the newest first, and how many there are."""
        bought = self.state.bill.bought(visit.account, self.vendor)[::-1]
        return [self.document(visit, each, visit.now) for each in bought[first : first + most]], len(bought)


def number_in(visit: Visit, names: Sequence[str], usual: int) -> int:
    """A small whole number in the query of an address, by the first of its names that is there."""
    said = next((visit.query[name] for name in names if name in visit.query), str(usual))
    if not (said.isascii() and said.isdecimal()) or int(said[:9]) > 10**6:
        raise RefusalError(400, f"{names[0]} must be a whole number.", field=names[0])
    return int(said)


def iso(moment: float) -> str:
    """A moment as most vendors write it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z"
