"""fal's queue: it takes whatever comes for a model that it has; what is wrong with it shows when it has run."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pipelines.sandbox.callbacks.delivery import check_address
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.hosted.api import HostedApi
from pipelines.sandbox.vendors.hosted.envelopes import UNPROCESSABLE, hosted_refusal
from pipelines.sandbox.vendors.hosted.orders import MINUTE, hosted_model, parse_hosted_order
from pipelines.sandbox.vendors.refusals import RefusalError

INVALID = "invalid_input"  # an outcome of ours: the model would not take what it was given
STILL_RUNNING = 202
STATUSES = {"content_policy_violation": 422, "internal_server_error": 500, "cancelled": 499}


class FalApi(HostedApi):
    """Its handlers. The addresses of a request have the first two parts of the model's path only."""

    vendor: ClassVar[str] = "fal"

    def rows(self) -> list[ApiRoute]:
        """Requests, then models."""
        request = "/{owner}/{app}/requests/{id}"
        return [
            ("GET", f"{request}/status", "status", self.status),
            ("GET", request, "status", self.result),
            ("PUT", f"{request}/cancel", "cancel", self.cancel),
            ("POST", "/{model:path}", "submit", self.submit),
        ]

    async def submit(self, visit: Visit) -> VendorAnswer:
        """An order to a model: only one that does not exist, or no JSON, is refused here."""
        path, webhook = visit.named["model"], visit.query.get("fal_webhook")
        model, body = hosted_model(self.vendor, path), json_fields(visit)
        if webhook is not None:
            check_address("fal_webhook", webhook)
        try:
            parsed = parse_hosted_order(model, path, body, callback=webhook, echoed=True)
        except RefusalError:
            visit.effect = visit.effect.model_copy(update={"outcome": INVALID})
            parsed = ParsedOrder(
                *("fal", path, str(body.get("prompt", "")), 5, "1280x720", (1280, 720), body),
                callback_url=webhook,
                echoed=True,
                price=0.0,
                usual_s=self.told.minutes * MINUTE,
            )
        purchase = await self.sold(visit, parsed)
        return VendorAnswer.of({"status": "IN_QUEUE", "queue_position": 0, **self.addresses(visit, purchase)})

    async def status(self, visit: Visit) -> VendorAnswer:
        """202 until it is over."""
        purchase = self.own(visit)
        document = self.document(visit, purchase, visit.now)
        return VendorAnswer.of(document, 200 if visit.now >= purchase.finished else STILL_RUNNING)

    async def result(self, visit: Visit) -> VendorAnswer:
        """What the model answered, with its status."""
        purchase = self.own(visit)
        if visit.now < purchase.finished:
            return VendorAnswer.of({"detail": "Request is still in progress"}, 400)
        flaws = self.flaws(purchase)
        if flaws:
            status = visit.effect.failure_status or STATUSES.get(flaws[0]["type"], UNPROCESSABLE)
            return VendorAnswer.of({"detail": flaws}, status)
        return VendorAnswer.of(self.output(visit, purchase))

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """What runs or waits is stopped."""
        if visit.now >= self.own(visit).finished:
            return VendorAnswer.of({"status": "ALREADY_COMPLETED"}, 400)
        self.stopped(visit)
        return VendorAnswer.of({"status": "CANCELLATION_REQUESTED"}, STILL_RUNNING)

    def own(self, visit: Visit, identifier: str | None = None) -> Purchase:
        """A request of this application; below another one it is not found."""
        purchase = super().own(visit, identifier)
        if purchase.model.split("/")[:2] != [visit.named["owner"], visit.named["app"]]:
            raise RefusalError(404, f"Request {purchase.id} was not found.")
        return purchase

    def addresses(self, visit: Visit, purchase: Purchase) -> dict[str, str]:
        """Where to ask, and how to stop it."""
        address = f"{visit.base}/fal/v1/{'/'.join(purchase.model.split('/')[:2])}/requests/{purchase.id}"
        urls = {"response_url": address, "status_url": f"{address}/status", "cancel_url": f"{address}/cancel"}
        return {"request_id": purchase.id, **urls}

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """The status: a failure is completed too, with its error."""
        document: dict[str, Any] = {
            "status": self.word(visit, purchase, now),
            **self.addresses(visit, purchase),
            "logs": [] if visit.query.get("logs") == "1" else None,
        }
        if now < purchase.finished:
            return document | ({"queue_position": 0} if document["status"] == "IN_QUEUE" else {})
        flaws = [] if visit.effect.quiet else self.flaws(purchase)
        error = {"error": flaws[0]["msg"], "error_type": flaws[0]["type"]} if flaws else {}
        return {**document, "metrics": {"inference_time": purchase.latency_s}, **error}

    def output(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        """The video, unless the filters have taken it."""
        links = self.links(visit, purchase, purchase.finished)
        file = {"content_type": "video/mp4", "file_name": "output.mp4", "file_size": 0}
        return {"video": {"url": links[0], **file} if links else None}

    def flaws(self, purchase: Purchase) -> list[dict[str, Any]]:
        """What was wrong with the input, or went wrong; nothing of a request that went well."""
        if purchase.outcome == INVALID:
            try:
                parse_hosted_order(
                    hosted_model(self.vendor, purchase.model), purchase.model, json.loads(purchase.request or "{}")
                )
            except RefusalError as flaw:
                return list(hosted_refusal(self.vendor, 400, None, flaw.message, flaw.field)[1]["detail"])
        failure = self.failure(purchase, purchase.finished)
        if failure is None:
            return []
        return [{"loc": ["body", "prompt"], "msg": failure[1], "type": failure[0], "ctx": {}, "input": None}]

    def called_back(self, visit: Visit, purchase: Purchase) -> Any:
        """The webhook: OK or ERROR, with what the result address would say."""
        identity = {"request_id": purchase.id, "gateway_request_id": purchase.id}
        flaws = self.flaws(purchase)
        if flaws:
            said = {"error": f"Unexpected status code: {UNPROCESSABLE}", "payload": {"detail": flaws}}
            return {**identity, "status": "ERROR", **said}
        return {**identity, "status": "OK", "error": None, "payload": self.output(visit, purchase)}
