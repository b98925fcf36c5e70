"""Luma's Dream Machine: generations, with a reason where they fail."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import MOST_LISTED, NO_CONTENT, HostedApi, iso, number_in
from pipelines.sandbox.vendors.refusals import wrong_field

CREATED = 201
OLDEST = "ray-1-6"  # the model of an order that names none


class LumaApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "luma"

    def rows(self) -> list[ApiRoute]:
        """Generations, under the older and the newer address for videos."""
        return [
            ("GET", "/generations/{id}", "status", self.retrieve),
            ("POST", "/generations", "submit", self.create),
            ("POST", "/generations/video", "submit", self.create),
            ("GET", "/generations", "list", self.page),
            ("DELETE", "/generations/{id}", "delete", self.delete),
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order, from words, from frames, or from both."""
        body = json_fields(visit)
        parsed = self.parsed(body, body.get("model", OLDEST), echoed=True)
        if not body.get("prompt") and not body.get("keyframes"):
            raise wrong_field("prompt", "it is required")
        for place, frame in body.get("keyframes", {}).items():
            if {"image": "url", "generation": "id"}[frame["type"]] not in frame:
                raise wrong_field(f"keyframes.{place}", "an image has a url, a generation an id")
            if frame["type"] == "generation":
                self.own(visit, frame["id"])
        return VendorAnswer.of(self.document(visit, await self.sold(visit, parsed), visit.now), CREATED)

    async def page(self, visit: Visit) -> VendorAnswer:
        """Generations, the newest first."""
        most, first = number_in(visit, ("limit",), MOST_LISTED), number_in(visit, ("offset",), 0)
        shown, count = self.listed(visit, first, most)
        paging = {"has_more": first + most < count, "count": count, "limit": most, "offset": first}
        return VendorAnswer.of({**paging, "generations": shown})

    async def delete(self, visit: Visit) -> VendorAnswer:
        """Forget a generation."""
        self.state.bill.delete(self.own(visit).id, visit.now)
        return VendorAnswer(NO_CONTENT, (), b"")

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A generation; its progress video is not the clip."""
        links, failure = self.links(visit, purchase, now), self.failure(purchase, now)
        picture = f"{visit.base}/files/covers/{purchase.id}.jpg"  # nothing is there
        assets = {"video": links[0], "image": picture, "progress_video": None} if links else None
        return {
            "id": purchase.id,
            "generation_type": "video",
            "state": self.word(visit, purchase, now),
            "failure_reason": failure[1] if failure else None,
            "created_at": iso(purchase.created),
            "assets": assets,
            "model": purchase.model,
            "request": json.loads(purchase.request or "{}"),
        }
