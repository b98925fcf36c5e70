"""MiniMax's Hailuo: an order, a query and a request for the file; whatever is wrong comes with HTTP 200."""

from __future__ import annotations

from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.files import download
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi
from pipelines.sandbox.vendors.refusals import RefusalError

WELL = {"status_code": 0, "status_msg": "success"}
TASK, FILE = "1", "3"  # how the numbers of tasks and files begin here


class MiniMaxApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "minimax"

    def rows(self) -> list[ApiRoute]:
        """Three requests for a clip; the last may also bring the file itself."""
        return [
            ("GET", "/query/video_generation", "status", self.retrieve),
            ("POST", "/video_generation", "submit", self.create),
            ("GET", "/files/retrieve", "status", self.file),
            ("GET", "/files/retrieve_content", "download", self.content),
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order is answered by the number of its task."""
        body = json_fields(visit)
        purchase = await self.sold(visit, self.parsed(body, body.get("model")))
        return VendorAnswer.of({"task_id": purchase.id, "base_resp": WELL})

    async def file(self, visit: Visit) -> VendorAnswer:
        """Where the file is; its number is one here, and text in the query."""
        purchase = self.own(visit)
        if not purchase.has_file or visit.now < purchase.finished:
            raise RefusalError(404, "invalid params, file not found")
        file = {
            "file_id": int(file_id(purchase)),
            "bytes": 0,
            "created_at": int(purchase.finished),
            "filename": "output.mp4",
            "purpose": "video_generation",
            "download_url": self.links(visit, purchase, visit.now)[0],
        }
        return VendorAnswer.of({"file": file, "base_resp": WELL})

    async def content(self, visit: Visit) -> VendorAnswer:
        """The file itself, with the key."""
        purchase = self.own(visit)
        if not purchase.has_file or visit.now < purchase.finished or visit.effect.file == "expired":
            raise RefusalError(404, "invalid params, file not found")
        return await download(self.state, visit, purchase)

    def own(self, visit: Visit, identifier: str | None = None) -> Purchase:
        """The task, or the file, that the query names."""
        number = visit.query.get("task_id") or TASK + visit.query.get("file_id", "").removeprefix(FILE)
        return super().own(visit, identifier or number)

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task; one that moderation ended has the code of an error beside its word."""
        has_file, failure = bool(self.links(visit, purchase, now)), self.failure(purchase, now)
        size = {"video_width": purchase.width, "video_height": purchase.height} if has_file else {}
        return {
            "task_id": purchase.id,
            "status": self.word(visit, purchase, now),
            "file_id": file_id(purchase) if has_file else "",
            **size,
            "base_resp": {"status_code": failure[0], "status_msg": failure[1]} if failure else WELL,
        }

    def called_back(self, visit: Visit, purchase: Purchase) -> Any:
        """The same with another word."""
        document = self.document(visit, purchase, purchase.finished)
        return {**document, "status": "success" if purchase.succeeds else "failed"}


def file_id(purchase: Purchase) -> str:
    """The number of a task's file."""
    return FILE + purchase.id.removeprefix(TASK)
