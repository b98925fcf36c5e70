"""Qiniu's second video protocol, shaped after Vertex AI: `/videos/generations` [Q9 Q10]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

from pipelines.sandbox.callbacks.delivery import VEO_LADDER, check_address
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import link_expiry, qiniu_link
from pipelines.sandbox.media.pixels import pixels
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.requests.fields import read_fields
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.qiniu.queue_models import QueueModel
from pipelines.sandbox.vendors.refusals import RefusalError, no_channel
from pipelines.sandbox.vendors.tables import read_table

SERVICE = "generations"  # on the bill
(ORDER,) = read_table("qiniu/veo.yaml", QueueModel)
WORDS = {  # otherwise Running; the two of an unfinished job are not documented
    Stage.INITIALIZING: "Pending",
    Stage.QUEUED: "Pending",
    Stage.COMPLETED: "Completed",
    Stage.FAILED: "Failed",
    Stage.CANCELLED: "Failed",
}
MESSAGES = {
    "Completed": "完成",
    "moderation_blocked": "The request was blocked by the safety filters.",
    "generation_failed": "The generation failed.",
}
CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class QiniuVeo:
    """The handlers of the protocol."""

    state: SandboxState

    def rows(self) -> list[ApiRoute]:
        """What it serves, below `/v1`."""
        return [
            ("GET", "/videos/generations/{id}", "status", self.retrieve),
            ("POST", "/videos/generations", "submit", self.create),
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """`POST /videos/generations`: sells one to four clips."""
        purchase = self.state.sell(visit, parse_veo_order(json_fields(visit)))
        document = partial(self._document, visit, purchase, purchase.finished)
        await self.state.call_back(visit, purchase, VEO_LADDER, document)
        return VendorAnswer.of({"id": purchase.id})

    async def retrieve(self, visit: Visit) -> VendorAnswer:
        """`GET /videos/generations/{id}`."""
        purchase = self.state.bill.find(visit.named["id"], "qiniu", visit.account, SERVICE)
        if purchase is None:
            raise RefusalError(404, f"Video generation '{visit.named['id']}' not found.", field="id")
        return VendorAnswer.of(self._document(visit, purchase, visit.now))

    def _document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        word = WORDS.get(stage_of(purchase, now), "Running")
        is_finished = now >= purchase.finished
        document: dict[str, Any] = {
            "id": purchase.id,
            "model": purchase.model,
            "status": word if is_finished else visit.effect.word or word,
            "message": MESSAGES.get(word, MESSAGES.get(purchase.outcome, "")) if is_finished else "",
            "created_at": china_time(int(purchase.created)),
            "updated_at": china_time(min(now, purchase.finished), nanoseconds=True),
        }
        if word == "Completed":
            expires = link_expiry(purchase, max(visit.now, purchase.finished), self.state.lifetime("qiniu-veo"))
            numbers = (
                range(1, purchase.clips + 1) if purchase.has_file else ()
            )  # the filters may take every one of them
            links = [qiniu_link(visit.base, purchase, expires, number) for number in numbers]
            videos = [{"url": link, "mimeType": "video/mp4"} for link in links]
            document["data"] = {"videos": videos, "raiMediaFilteredCount": purchase.clips - len(videos)}
        return document


def parse_veo_order(fields: dict[str, Any]) -> ParsedOrder:
    """Read an order."""
    read_fields(ORDER.fields, fields, form=False)
    model = fields["model"]
    if not model.startswith("veo-"):
        raise no_channel(model)
    if "callback_url" in fields:
        check_address("callback_url", fields["callback_url"])
    parameters = fields.get("parameters", {})
    width, height = pixels(parameters.get("aspectRatio", "16:9"), parameters.get("resolution", "720p"))
    return ParsedOrder(
        contract="qiniu",
        service=SERVICE,
        model=model,
        prompt=fields["instances"][0]["prompt"],
        seconds=parameters.get("durationSeconds", 8),
        size=f"{width}x{height}",
        pixels=(width, height),
        fields=fields,
        callback_url=fields.get("callback_url"),
        clips=parameters.get("sampleCount", 1),
    )


def china_time(moment: float, *, nanoseconds: bool = False) -> str:
    """RFC 3339 at +08:00, with nine digits of a second if wanted."""
    at = datetime.fromtimestamp(moment, UTC).astimezone(CHINA)
    fraction = f".{at.microsecond:06}000" if nanoseconds else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction}+08:00"
