"""Alibaba's DashScope: Wan, for who says that the call is asynchronous."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi, number_in
from pipelines.sandbox.vendors.refusals import RefusalError

BEIJING = timezone(timedelta(hours=8))
SYNTHESIS = "/services/aigc/video-generation/video-synthesis"
BETWEEN_FRAMES = "/services/aigc/image2video/video-synthesis"


class DashScopeApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "dashscope"

    def rows(self) -> list[ApiRoute]:
        """Two ways to order, and the tasks of all services."""
        return [
            ("GET", "/tasks/{id}", "status", self.task),
            ("POST", SYNTHESIS, "submit", partial(self.create, "")),
            ("POST", BETWEEN_FRAMES, "submit", partial(self.create, "frames")),
            ("GET", "/tasks/", "list", self.page),
            ("POST", "/tasks/{id}/cancel", "cancel", self.cancel),
        ]

    async def create(self, at: str, visit: Visit) -> VendorAnswer:
        """An order, which must not wait for its clip."""
        if visit.header(b"x-dashscope-async") != "enable":
            raise RefusalError(403, "current user api does not support synchronous calls.")
        body = json_fields(visit)
        purchase = await self.sold(visit, self.parsed(body, body.get("model"), at))
        return told({"output": {"task_status": self.word(visit, purchase, visit.now), "task_id": purchase.id}})

    async def task(self, visit: Visit) -> VendorAnswer:
        """A task; nobody's, and one of more than a day ago, has a word of its own, and is no error."""
        found = self.state.bill.find(visit.named["id"], self.vendor, visit.account, None)
        if found is None or visit.now >= found.finished + self.state.lifetime(self.vendor):
            return told({"output": {"task_id": visit.named["id"], "task_status": "UNKNOWN"}})
        return told(self.document(visit, found, visit.now))

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """Only what still waits can be cancelled."""
        try:
            self.stopped(visit, while_running=False)
        except RefusalError as refusal:
            raise RefusalError(400, refusal.message, code="UnsupportedOperation") from None
        return told({})

    async def page(self, visit: Visit) -> VendorAnswer:
        """Tasks, the newest first."""
        most, number = number_in(visit, ("page_size",), 10), max(1, number_in(visit, ("page_no",), 1))
        shown, count = self.listed(visit, (number - 1) * most, most)
        paging = {"total": count, "total_page": -(-count // max(1, most)), "page_no": number, "page_size": most}
        return told({**paging, "data": [each["output"] for each in shown]})

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task, with what it used once it is done."""
        links, failure = self.links(visit, purchase, now), self.failure(purchase, now)
        output: dict[str, Any] = {
            "task_id": purchase.id,
            "task_status": self.word(visit, purchase, now),
            "submit_time": beijing(purchase.created),
        }
        if now >= purchase.finished:
            output |= {"scheduled_time": beijing(purchase.created), "end_time": beijing(purchase.finished)}
        if links:
            output |= {"orig_prompt": purchase.prompt, "video_url": links[0]}
        if failure is not None and purchase.outcome != "cancelled":
            output |= {"code": failure[0], "message": failure[1]}
        used = {"duration": purchase.seconds, "size": purchase.size.replace("x", "*"), "video_count": 1}
        return {"output": output, "usage": used} if links else {"output": output}


def told(document: dict[str, Any]) -> VendorAnswer:
    """An answer with the name of its request."""
    return VendorAnswer.of({"request_id": str(uuid4()), **document})


def beijing(moment: float) -> str:
    """A moment as the vendor writes it: the time in Beijing, without saying so."""
    return f"{datetime.fromtimestamp(moment, BEIJING):%Y-%m-%d %H:%M:%S.%f}"[:23]
