"""Runway: tasks from text or an image, for who names the version of the API."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import share_done
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.requests.references import check_kind
from pipelines.sandbox.vendors.hosted.api import NO_CONTENT, HostedApi, iso
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

VERSION = "2024-11-06"
POSITIONS = ("first", "last")


class RunwayApi(HostedApi):
    """Its handlers."""

    vendor: ClassVar[str] = "runway"

    def rows(self) -> list[ApiRoute]:
        """Two ways to order, and the tasks."""
        return [
            ("GET", "/tasks/{id}", "status", self.retrieve),
            ("POST", "/text_to_video", "submit", partial(self.create, "text")),
            ("POST", "/image_to_video", "submit", partial(self.create, "image")),
            ("DELETE", "/tasks/{id}", "cancel", self.cancel),
        ]

    async def create(self, at: str, visit: Visit) -> VendorAnswer:
        """An order is answered by its id."""
        check_version(visit)
        body = json_fields(visit)
        if "model" not in body:
            raise wrong_field("model", "it is required")
        parsed = self.parsed(body, body["model"], at)
        check_prompt_image(body.get("promptImage"))
        return VendorAnswer.of({"id": (await self.sold(visit, parsed)).id})

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """A task that is not over is cancelled; any other is deleted."""
        purchase = self.own(visit)
        if visit.now < purchase.finished:
            self.stopped(visit)
        else:
            self.state.bill.delete(purchase.id, visit.now)
        return VendorAnswer(NO_CONTENT, (), b"")

    def own(self, visit: Visit, identifier: str | None = None) -> Purchase:
        """A task, for who names the version."""
        check_version(visit)
        return super().own(visit, identifier)

    def document(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any]:
        """A task: its links are a list, its progress a share."""
        word = self.word(visit, purchase, now)
        document: dict[str, Any] = {"id": purchase.id, "status": word, "createdAt": iso(purchase.created)}
        if now < purchase.finished and visit.effect.progress != "absent" and word == self.told.words[2]:
            document["progress"] = {"stuck": 0, "ahead": 1}.get(visit.effect.progress or "", share_done(purchase, now))
        if purchase.succeeds and now >= purchase.finished:
            document["output"] = self.links(visit, purchase, now)
        failure = self.failure(purchase, now)
        if failure is not None and purchase.outcome != "cancelled":
            document |= {"failureCode": failure[0], "failure": failure[1]}
        return document


def check_version(visit: Visit) -> None:
    """Refuse a request that names no version of the API, or another."""
    if visit.header(b"x-runway-version") != VERSION:
        raise RefusalError(400, f"The X-Runway-Version header must be {VERSION}.")


def check_prompt_image(image: Any) -> None:
    """Refuse what is neither one image nor a list of images with their positions; addresses must be https."""
    if image is None:
        return
    frames = image if isinstance(image, list) else [{"uri": image, "position": "first"}]
    for frame in frames or [None]:
        if not isinstance(frame, dict) or set(frame) != {"uri", "position"} or frame["position"] not in POSITIONS:
            raise wrong_field("promptImage", "expected a URL, or a list of uri and position")
        check_kind(frame["uri"], ("url", "data_url"), "promptImage")
        if frame["uri"].startswith("http://"):
            raise wrong_field("promptImage", "Only HTTPS URLs are allowed")
