"""Kling's own API: a signed token for each request, numbers for whatever is wrong, milliseconds."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi, number_in
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

OLDEST = "kling-v1"  # the model of an order that names none


class KlingApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "kling"

    def rows(self) -> list[ApiRoute]:
        """Each way to order has tasks of its own."""
        rows: list[ApiRoute] = []
        for at in ("text", "image"):
            path = f"/videos/{at}2video"
            rows.append(("GET", f"{path}/{{id}}", "status", partial(self.task, at)))
            rows.append(("POST", path, "submit", partial(self.create, at)))
            rows.append(("GET", path, "list", partial(self.page, at)))
        return rows

    async def create(self, at: str, visit: Visit) -> VendorAnswer:
        """An order; a name that the client gives its task must be new."""
        body = json_fields(visit)
        parsed = self.parsed(body, body.get("model_name") or OLDEST, at, echoed=True)
        if body.get("external_task_id") and self.named(visit, body["external_task_id"]) is not None:
            raise wrong_field("external_task_id", "it is taken by another task")
        purchase = await self.sold(visit, parsed)
        return well_answered(
            {k: v for k, v in self.document(visit, purchase, visit.now).items() if k != "task_status_msg"}
        )

    async def task(self, at: str, visit: Visit) -> VendorAnswer:
        """One task, by its id or by the name that the client gave it."""
        known = self.state.bill.find(visit.named["id"], self.vendor, visit.account, None)
        purchase = known or self.named(visit, visit.named["id"]) or self.own(visit)
        if purchase.service != at:
            raise RefusalError(404, f"Task {purchase.id} was not found.")
        return well_answered(self.document(visit, purchase, visit.now))

    async def page(self, at: str, visit: Visit) -> VendorAnswer:
        """Tasks, the newest first."""
        most = number_in(visit, ("pageSize",), 30)
        first = (max(1, number_in(visit, ("pageNum",), 1)) - 1) * most
        bought = [each for each in self.state.bill.bought(visit.account, self.vendor) if each.service == at]
        return well_answered([self.document(visit, each, visit.now) for each in bought[::-1][first : first + most]])

    def named(self, visit: Visit, name: str) -> Purchase | None:
        """The task that the client has given this name."""
        bought = self.state.bill.bought(visit.account, self.vendor)
        return next((each for each in bought if json.loads(each.request or "{}").get("external_task_id") == name), None)

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task, as answers have it in `data`, and callbacks by itself."""
        order, failure = json.loads(purchase.request or "{}"), self.failure(purchase, now)
        name = order.get("external_task_id")
        document: dict[str, Any] = {
            "task_id": purchase.id,
            "task_status": self.word(visit, purchase, now),
            "task_status_msg": failure[1] if failure else "",
            "task_info": {"external_task_id": name} if name else {},
            "created_at": int(purchase.created * 1000),
            "updated_at": int(min(now, purchase.finished) * 1000),
        }
        if purchase.succeeds and now >= purchase.finished:
            length = f"{purchase.seconds:g}.1"
            links = self.links(visit, purchase, now)
            videos = [{"id": f"{purchase.id}-v", "url": link, "duration": length} for link in links]
            document["task_result"] = {"videos": videos}
        return document


def well_answered(data: Any) -> VendorAnswer:
    """What went well, in the vendor's envelope."""
    return VendorAnswer.of({"code": 0, "message": "SUCCEED", "request_id": str(uuid4()), "data": data})
