"""Google's Veo in the Gemini API: long-running operations, and files that need the key."""

from __future__ import annotations

from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.files import download
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi
from pipelines.sandbox.vendors.refusals import RefusalError

FILTERED = "We encountered an issue with the prompt you submitted: the video was blocked by the safety filters."
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"


class GoogleVeo(HostedApi):
    """Its handlers. A job's name has its model in it, and a file is asked for with the key."""

    vendor: ClassVar[str] = "google-veo"

    def rows(self) -> list[ApiRoute]:
        """Operations, models, files."""
        return [
            ("GET", "/models/{model}/operations/{id}", "status", self.retrieve),
            ("POST", "/models/{model}:predictLongRunning", "submit", self.create),
            ("GET", "/files/{id}:download", "download", self.content),
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order is answered by the name of its operation."""
        purchase = await self.sold(visit, self.parsed(json_fields(visit), visit.named["model"]))
        return VendorAnswer.of({"name": operation(purchase)})

    async def content(self, visit: Visit) -> VendorAnswer:
        """The file, for two days."""
        purchase = self.own(visit)
        ended = visit.now >= purchase.finished + self.state.lifetime(self.vendor)
        if ended or visit.effect.file == "expired" or visit.now < purchase.finished or not purchase.has_file:
            raise RefusalError(403, "You do not have permission to access the file or it may not exist.")
        if visit.query.get("alt") != "media":
            return VendorAnswer.of({"name": f"files/{purchase.id}", "mimeType": "video/mp4", "state": "ACTIVE"})
        return await download(self.state, visit, purchase)

    def own(self, visit: Visit, identifier: str | None = None) -> Purchase:
        """The operation of this model."""
        purchase = super().own(visit, identifier)
        if visit.named.get("model", purchase.model) != purchase.model:
            raise RefusalError(404, f"{visit.path} was not found.")
        return purchase

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """An operation: `done` is there once it is; what the filters took is counted, and no error."""
        document: dict[str, Any] = {"name": operation(purchase)}
        if now < purchase.finished:
            return document
        document["done"] = True
        if purchase.outcome in ("no_videos", "moderation_blocked"):
            made: dict[str, Any] = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [FILTERED]}
        elif (failure := self.failure(purchase, now)) is not None:
            return {**document, "error": {"code": failure[0], "message": failure[1]}}
        else:
            uri = f"{visit.base}/google-veo/v1/files/{purchase.id}:download?alt=media"
            made = {"generatedSamples": [{"video": {"uri": uri}}]}
        return {**document, "response": {"@type": TYPE, "generateVideoResponse": made}}


def operation(purchase: Purchase) -> str:
    """The name of a job, which is the path to ask at."""
    return f"models/{purchase.model}/operations/{purchase.id}"
