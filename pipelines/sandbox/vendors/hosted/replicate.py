"""Replicate: predictions by official models, and by versions of anybody's."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, ClassVar
from urllib.parse import urlencode

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import MOST_LISTED, HostedApi, iso
from pipelines.sandbox.vendors.hosted.orders import hosted_models
from pipelines.sandbox.vendors.refusals import RefusalError, unknown_field, wrong_field

CREATED = 201
LONGEST_WAIT = 60.0


class ReplicateApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "replicate"

    def rows(self) -> list[ApiRoute]:
        """Models, versions, and what became of them."""
        return [
            ("GET", "/predictions/{id}", "status", self.retrieve),
            ("POST", "/models/{owner}/{name}/predictions", "submit", self.predict),
            ("POST", "/predictions", "submit", self.predict),
            ("POST", "/predictions/{id}/cancel", "cancel", self.cancel),
            ("GET", "/predictions", "list", self.page),
        ]

    async def predict(self, visit: Visit) -> VendorAnswer:
        """An order: the address names a model of the vendor's own, or the body a version."""
        body = json_fields(visit)
        if visit.named:
            name, at = f"{visit.named['owner']}/{visit.named['name']}", ""
            if "version" in body:
                raise unknown_field("version")
        else:
            name, at = version_in(body)
        purchase = await self.sold(visit, self.parsed(body, name, at, calls="webhook", echoed=True))
        held = min(preferred_wait(visit), max(0.0, purchase.finished - visit.now))
        await asyncio.sleep(held)
        return VendorAnswer.of(self.document(visit, purchase, visit.now + held), CREATED)

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """A prediction that is over stays as it is."""
        purchase = self.own(visit)
        stopped = self.stopped(visit) if visit.now < purchase.finished else purchase
        return VendorAnswer.of(self.document(visit, stopped, visit.now))

    async def page(self, visit: Visit) -> VendorAnswer:
        """A hundred, the newest first, and the address of the next hundred, whose cursor says nothing to anybody else."""
        said = visit.query.get("cursor", "")
        try:
            first = int(base64.urlsafe_b64decode(said)) if said else 0
        except ValueError:
            raise RefusalError(400, "Invalid cursor.", field="cursor") from None
        shown, total = self.listed(visit, first, MOST_LISTED)
        after = base64.urlsafe_b64encode(str(first + MOST_LISTED).encode()).decode()
        more = f"{visit.base}/replicate/v1/predictions?{urlencode({'cursor': after})}"
        next_page = more if first + MOST_LISTED < total else None
        return VendorAnswer.of({"previous": None, "next": next_page, "results": shown})

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A prediction; an hour after its end its data is removed."""
        ended, started = now >= purchase.finished, purchase.created + purchase.latency_s * 0.15
        removed = now >= purchase.finished + self.state.lifetime(self.vendor)
        links = [] if removed else self.links(visit, purchase, now)
        failure = self.failure(purchase, now)
        model = hosted_models()[self.vendor, purchase.service][purchase.model]
        address = f"{visit.base}/replicate/v1/predictions/{purchase.id}"
        return {
            "id": purchase.id,
            "model": model.names[0] if purchase.service else purchase.model,
            "version": purchase.model if purchase.service else "hidden",
            "input": {} if removed else json.loads(purchase.request or "{}")["input"],
            "logs": "",
            "output": (links if model.several else links[0]) if links else None,
            "data_removed": removed,
            "error": None if failure is None or purchase.outcome == "cancelled" else failure[1],
            "status": self.word(visit, purchase, now),
            "created_at": iso(purchase.created),
            "started_at": iso(started) if now >= started else None,
            "completed_at": iso(purchase.finished) if ended else None,
            "metrics": {"predict_time": purchase.latency_s} if ended else {},
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }


def preferred_wait(visit: Visit) -> float:
    """Seconds that the client would hold on for the result: `Prefer: wait`, or `wait=5`, at most a minute."""
    preferred, _, seconds = visit.header(b"prefer").partition("=")
    if preferred.strip() != "wait":
        return 0.0
    return min(LONGEST_WAIT, float(seconds)) if seconds.isascii() and seconds.isdecimal() else LONGEST_WAIT


def version_in(body: dict[str, Any]) -> tuple[str, str]:
    """The model that `version` means, and where it is: `owner/name`, `owner/name:hash`, or a hash alone."""
    said = body.get("version")
    if not isinstance(said, str):
        raise wrong_field("version", "it is required")
    name, colon, digest = said.partition(":")
    if not colon and name in hosted_models()["replicate", ""]:
        return name, ""
    known = hosted_models()["replicate", "version"].get(digest or name)
    if known is None or (colon and name not in known.names):
        raise RefusalError(400, "The specified version does not exist.", code="version")
    return digest or name, "version"
