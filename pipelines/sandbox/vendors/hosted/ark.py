"""BytePlus ModelArk, and Volcengine's Ark: tasks that make content from a list of parts."""

from __future__ import annotations

from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi, number_in
from pipelines.sandbox.vendors.hosted.orders import FRAME_RATE
from pipelines.sandbox.vendors.refusals import wrong_field

TASKS = "/contents/generations/tasks"
TOKEN_PIXELS = 1024  # pixels of all frames in a token


class ArkApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "ark"

    def rows(self) -> list[ApiRoute]:
        """Everything is a task."""
        return [
            ("GET", f"{TASKS}/{{id}}", "status", self.retrieve),
            ("POST", TASKS, "submit", self.create),
            ("GET", TASKS, "list", self.page),
            ("DELETE", f"{TASKS}/{{id}}", "cancel", self.delete),
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order is answered by its id; each part of it has what its type says, and nothing else."""
        body = json_fields(visit)
        parsed = self.parsed(body, body.get("model"))
        for place, part in enumerate(body["content"]):
            if set(part) - {"type", "role"} != {part["type"]}:
                raise wrong_field(f"content[{place}]", f"expected {part['type']} in it, and nothing else")
        return VendorAnswer.of({"id": (await self.sold(visit, parsed)).id})

    async def page(self, visit: Visit) -> VendorAnswer:
        """Tasks, the newest first, by number of page and by status."""
        most, number = number_in(visit, ("page_size",), 20), max(1, number_in(visit, ("page_num",), 1))
        shown = [each for each in self.listed(visit, 0, 10**6)[0] if self.is_wanted(visit, each)]
        return VendorAnswer.of({"items": shown[(number - 1) * most :][:most], "total": len(shown)})

    def is_wanted(self, visit: Visit, task: dict[str, Any]) -> bool:
        """Tell whether a task has what the filters of a query ask for."""
        wanted = {name: visit.query.get(f"filter.{name}", task[name]) for name in ("status", "model")}
        ids = visit.query.get("filter.task_ids", task["id"]).split(",")
        return task["id"] in ids and all(task[name] == value for name, value in wanted.items())

    async def delete(self, visit: Visit) -> VendorAnswer:
        """A task that waits is cancelled, one that runs is not, and what is over is deleted."""
        purchase = self.own(visit)
        if visit.now < purchase.finished:
            self.stopped(visit, while_running=False)
        elif stage_of(purchase, visit.now) is not Stage.CANCELLED:
            self.state.bill.delete(purchase.id, visit.now)
        return VendorAnswer.of({})

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task."""
        links, failure = self.links(visit, purchase, now), self.failure(purchase, now)
        document: dict[str, Any] = {
            "id": purchase.id,
            "model": purchase.model,
            "status": self.word(visit, purchase, now),
            "created_at": int(purchase.created),
            "updated_at": int(min(now, purchase.finished)),
            "service_tier": "default",
        }
        if failure is not None and purchase.outcome != "cancelled":
            document["error"] = {"code": failure[0], "message": failure[1]}
        if purchase.succeeds and now >= purchase.finished:
            tokens = int(purchase.width * purchase.height * FRAME_RATE * purchase.seconds / TOKEN_PIXELS)
            document |= {
                "content": {"video_url": links[0]} if links else {},
                "usage": {"completion_tokens": tokens, "total_tokens": tokens},
                "duration": int(purchase.seconds),
                "framespersecond": FRAME_RATE,
            }
        return document
