"""Vidu's own API: tasks and their creations."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi, iso
from pipelines.sandbox.vendors.hosted.orders import hosted_model
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

CREDIT = 0.005  # USD
ECHOED = (
    "model",
    "prompt",
    "images",
    "duration",
    "seed",
    "aspect_ratio",
    "resolution",
    "movement_amplitude",
    "payload",
)


class ViduApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "vidu"

    def rows(self) -> list[ApiRoute]:
        """Ways to order, and the tasks of all of them."""
        orders: list[ApiRoute] = [
            ("POST", f"/{at}", "submit", partial(self.create, at))
            for at in ("text2video", "img2video", "start-end2video")
        ]
        return [
            ("GET", "/tasks/{id}/creations", "status", self.retrieve),
            *orders,
            ("POST", "/tasks/{id}/cancel", "cancel", self.cancel),
        ]

    async def create(self, at: str, visit: Visit) -> VendorAnswer:
        """An order is answered by itself, with its task's number and price."""
        body = json_fields(visit)
        if "model" not in body:
            raise wrong_field("model", "it is required")
        purchase = await self.sold(visit, self.parsed(body, body["model"], at, echoed=True))
        defaults = hosted_model(self.vendor, body["model"], at).defaults
        order = {name: value for name, value in {**defaults, **body}.items() if name in ECHOED}
        identity = {"task_id": purchase.id, "state": self.word(visit, purchase, visit.now)}
        paid = {"credits": round(purchase.price / CREDIT), "created_at": iso(purchase.created)}
        return VendorAnswer.of({**identity, **order, **paid})

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """What has begun cannot be cancelled; the body names the task again."""
        read_fields({"id": Field(required=True)}, json_fields(visit), form=False)
        try:
            self.stopped(visit, while_running=False)
        except RefusalError as refusal:
            code = "BadRequest" if refusal.status != 404 else None  # noqa: PLR2004 - HTTP
            raise RefusalError(404 if code is None else 400, refusal.message, code=code) from None
        return VendorAnswer.of({})

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task; the cover beside a creation is a picture."""
        failure, order = self.failure(purchase, now), json.loads(purchase.request or "{}")
        cover = f"{visit.base}/files/covers/{purchase.id}.jpg"  # nothing is there
        links = enumerate(self.links(visit, purchase, now), 1)
        return {
            "id": purchase.id,
            "state": self.word(visit, purchase, now),
            "err_code": str(failure[0]) if failure else "",
            "credits": round(purchase.price / CREDIT),
            "payload": order.get("payload", ""),
            "bgm": order.get("bgm", False),
            "off_peak": order.get("off_peak", False),
            "creations": [{"id": f"{purchase.id}{n}", "url": link, "cover_url": cover} for n, link in links],
        }
