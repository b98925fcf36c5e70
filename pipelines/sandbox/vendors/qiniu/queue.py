"""Qiniu's third video protocol, shaped after fal's queue: `/queue/<path of a model>`, without `/v1` [Q4 Q6 Q11]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pipelines.sandbox.callbacks.delivery import QUEUE_LADDER, check_address
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import link_expiry, qiniu_link
from pipelines.sandbox.media.pixels import SHORTER_SIDES, pixels
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import ENDS, Stage, share_done, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.requests.fields import read_fields
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.requests.rules import check_rules
from pipelines.sandbox.vendors.qiniu.queue_models import FAMILIES, family_of, model_at
from pipelines.sandbox.vendors.refusals import RefusalError, detail, no_channel

SERVICE = "queue"  # on the bill
ACCEPTED = 202
UNPROCESSABLE = 422
LONGEST_QUEUE = 3
AUTOMATIC_SECONDS = 5
#: The share of its time after which a job is no longer waiting.
STARTS = next(end for end, stage in ENDS if stage is Stage.QUEUED)
WORDS = {  # otherwise IN_PROGRESS; a failure is completed too [apidocs 470450793e0]
    **dict.fromkeys((Stage.INITIALIZING, Stage.QUEUED), "IN_QUEUE"),
    **dict.fromkeys((Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED), "COMPLETED"),
}
MESSAGES = {"moderation_blocked": "The content was refused by moderation."}


@dataclass(frozen=True, slots=True)
class QiniuQueue:
    """The handlers of the protocol."""

    state: SandboxState

    def rows(self) -> list[ApiRoute]:
        """What it serves, below `/queue`: the addresses of requests, then those of models."""
        rows: list[ApiRoute] = []
        for family in FAMILIES:
            rows.append(("GET", f"/{family}/requests/{{id}}/status", "status", partial(self.status, family)))
            rows.append(("GET", f"/{family}/requests/{{id}}", "status", partial(self.response, family)))
        return [*rows, ("POST", "/{model:path}", "submit", self.submit)]

    async def submit(self, visit: Visit) -> VendorAnswer:
        """`POST /<path of a model>`: sells a clip, and says where to ask about it."""
        path = visit.named["model"]
        try:
            fields = json_fields(visit)
            webhook = visit.query.get("fal_webhook") or fields.get("callback_url")
            purchase = self.state.sell(visit, parse_queue_order(path, fields, webhook))
        except RefusalError as refusal:
            refusal.form = "detail"
            raise
        identity = {"request_id": purchase.id, "gateway_request_id": purchase.id}
        started = {**identity, "status": "IN_PROGRESS", "payload": None}
        await self.state.call_back(visit, purchase, QUEUE_LADDER, lambda: started, share=STARTS)
        await self.state.call_back(visit, purchase, QUEUE_LADDER, partial(self._ended, visit, purchase))
        return VendorAnswer.of({"status": "IN_QUEUE", **addresses(visit.base, purchase), "cancel_url": ""})

    async def status(self, family: str, visit: Visit) -> VendorAnswer:
        """`GET .../requests/{id}/status`: 202 until it is over, well or badly."""
        purchase = self._own(family, visit)
        document: dict[str, Any] = {
            "status": WORDS.get(stage_of(purchase, visit.now), "IN_PROGRESS"),
            **addresses(visit.base, purchase),
            "logs": logs(purchase, visit.now),
        }
        if visit.now < purchase.finished:
            if document["status"] == "IN_QUEUE":
                document["queue_position"] = int(LONGEST_QUEUE * (1 - share_done(purchase, visit.now) / STARTS))
            document |= {"metrics": {}, "status": visit.effect.word or document["status"]}
            return VendorAnswer.of(document, ACCEPTED)
        document["metrics"] = {"inference_time": purchase.latency_s}
        if visit.effect.quiet:
            return VendorAnswer.of(document)
        document["detail"] = None
        if purchase.succeeds:
            return VendorAnswer.of({**document, "result": await self._result(visit, purchase)})
        return VendorAnswer.of({**document, "detail": failure(purchase)})

    async def response(self, family: str, visit: Visit) -> VendorAnswer:
        """`GET .../requests/{id}`: the result. Before there is one it is 400, for a failure 422 as at fal."""
        purchase = self._own(family, visit)
        if visit.now < purchase.finished:
            return VendorAnswer.of({"detail": "Request is still in progress"}, 400)
        if not purchase.succeeds:
            return VendorAnswer.of({"detail": failure(purchase)}, visit.effect.failure_status or UNPROCESSABLE)
        return VendorAnswer.of(await self._result(visit, purchase))

    def _own(self, family: str, visit: Visit) -> Purchase:
        identifier = visit.named["id"]
        purchase = self.state.bill.find(identifier, "qiniu", visit.account, SERVICE)
        if purchase is None or family_of(purchase.model) != family:
            raise RefusalError(404, f"Request {identifier} was not found.", code="not_found", form="detail")
        return purchase

    async def _result(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        if not purchase.has_file:
            return {"video": None}
        size = len(await self.state.render_cache.file(purchase))
        video = {**self._video(visit, purchase), "file_name": f"{purchase.id}.mp4", "file_size": size}
        model = model_at(purchase.model)
        return {"video": video, "seed": purchase.seq} if model is not None and model.tells_seed else {"video": video}

    def _video(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        expires = link_expiry(purchase, max(visit.now, purchase.finished), self.state.lifetime("qiniu"))
        return {"url": qiniu_link(visit.base, purchase, expires), "content_type": "video/mp4"}

    def _ended(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        """The last webhook."""
        identity = {"request_id": purchase.id, "gateway_request_id": purchase.id}
        if not purchase.succeeds:
            wrong = failure(purchase)
            return {**identity, "status": "ERROR", "payload": {"detail": wrong}, "error": wrong["msg"]}
        video = self._video(visit, purchase) if purchase.has_file else None
        return {**identity, "status": "OK", "payload": {"video": video}}


def parse_queue_order(path: str, fields: dict[str, Any], webhook: Any) -> ParsedOrder:
    """Read an order to the model at a path."""
    model = model_at(path)
    if model is None:
        raise no_channel(path)
    given = {name: value for name, value in fields.items() if value is not None}  # null is as good as nothing [Q6]
    read_fields(model.fields, given, form=False)
    check_rules(model.rules, given, model.defaults)
    if webhook is not None:
        check_address("fal_webhook", webhook)
    values = {"aspect_ratio": "16:9", **model.defaults, **given}
    parts = [part for part in path.split("/") if part in SHORTER_SIDES]  # Kling's mode is a part of the path
    fineness = parts[0] if parts else "pro" if "/o1/" in path else "720p"  # o1 leaves out the finer one
    width, height = pixels(values["aspect_ratio"], values.get("resolution") or fineness)
    length = str(values["duration"]).removesuffix("s")
    return ParsedOrder(
        contract="qiniu",
        service=SERVICE,
        model=path,
        prompt=values.get("prompt", ""),
        seconds=int(length) if length.isdecimal() else AUTOMATIC_SECONDS,
        size=f"{width}x{height}",
        pixels=(width, height),
        fields=fields,
        callback_url=webhook,
    )


def addresses(base: str, purchase: Purchase) -> dict[str, str]:
    """Where to ask about a request."""
    request = f"{base}/qiniu/queue/{family_of(purchase.model)}/requests/{purchase.id}"
    return {"request_id": purchase.id, "response_url": request, "status_url": f"{request}/status"}


def logs(purchase: Purchase, now: float) -> list[dict[str, str]]:
    """A line once it is being made."""
    started = purchase.created + purchase.latency_s * STARTS
    if now < started:
        return []
    at = datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds")
    return [{"message": "Generating the video.", "level": "STDERR", "source": "gateway", "timestamp": at}]


def failure(purchase: Purchase) -> dict[str, Any]:
    """What went wrong."""
    kind = "content_policy_violation" if purchase.outcome == "moderation_blocked" else "unknown_error"
    return detail(MESSAGES.get(purchase.outcome, "未知错误"), kind)
