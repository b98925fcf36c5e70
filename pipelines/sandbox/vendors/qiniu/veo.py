"""Qiniu's second video protocol, shaped after Vertex AI: `/videos/generations` [Q9 Q10]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

from pipelines.sandbox.callbacks.delivery import VEO_LADDER, Callback, check_address
from pipelines.sandbox.http.wire import Answer, Row, Visit
from pipelines.sandbox.media.links import expiry, qiniu_link
from pipelines.sandbox.media.pixels import pixels
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import Desk, Wish
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.forms import IMAGE_TYPES, json_fields
from pipelines.sandbox.vendors.refusals import RefusalError

SERVICE = "generations"  # on the bill
IMAGE = {
    "bytesBase64Encoded": Field("image", kinds=("base64",), required=True),
    "mimeType": Field(allowed=IMAGE_TYPES, required=True),
}
INSTANCE = {
    "prompt": Field(required=True, least=1),
    "image": Field("object", inside=IMAGE),
    "lastFrame": Field("object", inside=IMAGE, needs=("image",)),
}
PARAMETERS = {
    "aspectRatio": Field(allowed=("16:9", "9:16")),
    "durationSeconds": Field("integer", allowed=(4, 6, 8)),
    "sampleCount": Field("integer", least=1, most=4),
    "seed": Field("integer", least=0, most=4_294_967_295),
    "negativePrompt": Field(),
    "personGeneration": Field(allowed=("dont_allow", "allow_adult", "allow_all")),
    "generateAudio": Field("boolean"),
    "resolution": Field(allowed=("720p", "1080p")),
}
FIELDS = {
    "model": Field(required=True),
    "instances": Field("list", least=1, most=1, inside=INSTANCE, required=True),
    "parameters": Field("object", inside=PARAMETERS),
    "callback_url": Field(),
}
WORDS = {  # the two of an unfinished job are not documented
    Stage.INITIALIZING: "Pending",
    Stage.QUEUED: "Pending",
    Stage.COMPLETED: "Completed",
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

    desk: Desk

    def rows(self) -> list[Row]:
        """What it serves, below `/v1`."""
        return [
            ("GET", "/videos/generations/{id}", "status", self.retrieve),
            ("POST", "/videos/generations", "submit", self.create),
        ]

    async def create(self, visit: Visit) -> Answer:
        """`POST /videos/generations`: sells one to four clips."""
        purchase = self.desk.sell(visit, order(json_fields(visit)))
        if purchase.callback_url is not None:
            document = partial(self._document, visit, purchase, purchase.finished)
            wait = purchase.finished - visit.now
            await self.desk.call_back(purchase, Callback(purchase.callback_url, wait, document, VEO_LADDER))
        return Answer.of({"id": purchase.id})

    async def retrieve(self, visit: Visit) -> Answer:
        """`GET /videos/generations/{id}`."""
        identifier = visit.named["id"]
        purchase = self.desk.bill.find(identifier, "qiniu", visit.account, SERVICE)
        if purchase is None:
            raise RefusalError(404, f"Video generation '{identifier}' not found.", field="id")
        return Answer.of(self._document(visit, purchase, visit.now))

    def _document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        word = word_of(stage_of(purchase, now))
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
            document["data"] = self._data(visit, purchase)
        return document

    def _data(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        if not purchase.has_file:  # the filters took every one of them
            return {"videos": [], "raiMediaFilteredCount": purchase.clips}
        expires = expiry(purchase, max(visit.now, purchase.finished), self.desk.lifetime("qiniu-veo"))
        links = (qiniu_link(visit.base, purchase, expires, number) for number in range(1, purchase.clips + 1))
        return {"videos": [{"url": link, "mimeType": "video/mp4"} for link in links], "raiMediaFilteredCount": 0}


def order(fields: dict[str, Any]) -> Wish:
    """A valid order.

    Raises:
        RefusalError: it is not; the message names the field.
    """
    read_fields(FIELDS, fields, form=False)
    model = fields["model"]
    if not model.startswith("veo-"):
        raise RefusalError(
            400, f"no available channels for model {model}", field="model", code="model_not_found"
        )  # [Q8]
    if "callback_url" in fields:
        check_address("callback_url", fields["callback_url"])
    parameters = fields.get("parameters", {})
    width, height = pixels(parameters.get("aspectRatio", "16:9"), parameters.get("resolution", "720p"))
    return Wish(
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


def word_of(stage: Stage) -> str:
    """The stage in this protocol's words."""
    if stage in (Stage.FAILED, Stage.CANCELLED):
        return "Failed"
    return WORDS.get(stage, "Running")


def china_time(moment: float, *, nanoseconds: bool = False) -> str:
    """RFC 3339 at +08:00, with nine digits of a second if wanted."""
    at = datetime.fromtimestamp(moment, UTC).astimezone(CHINA)
    fraction = f".{at.microsecond:06}000" if nanoseconds else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction}+08:00"
