"""Ace Data Cloud: orders that block, answer at once or call back, and the task query [A1 A2 A7]."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.sandbox.callbacks.delivery import ACE_LADDER, signed_with
from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import link_expiry
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import share_done
from pipelines.sandbox.orders.state import SandboxState, derived_uuid
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.acedata.orders import Service
from pipelines.sandbox.vendors.acedata.shapes import AceShape, Shown, clip_id
from pipelines.sandbox.vendors.refusals import RefusalError, ace_error, unknown_field, wrong_field

#: The share of its time until which a task shows no response at all; later it says only that it was accepted.
SILENT = 0.6
HELD_SECONDS = 300  # where a service has `timeout` [A4]
NDJSON_TYPE = (b"content-type", b"application/x-ndjson")
ERRORS = {  # our outcome -> code, message and the HTTP status of a blocking answer [A1 A9]
    "moderation_blocked": ("forbidden", "The content was refused by moderation.", 403)
}
OTHERWISE = ("api_error", "fetch failed", 500)


@dataclass(frozen=True, slots=True)
class AceEndpoints:
    """The handlers of one service."""

    state: SandboxState
    service: Service

    def rows(self) -> list[ApiRoute]:
        """What this service serves."""
        return [
            ("POST", f"/{self.service.name}/tasks", "status", self.tasks),
            ("POST", f"/{self.service.name}/videos", "submit", self.videos),
        ]

    async def videos(self, visit: Visit) -> VendorAnswer:
        """`POST /<service>/videos`: answers at once if told to, and otherwise holds the line until the clip is made."""
        fields = json_fields(visit)
        purchase = self.state.sell(visit, self._parsed(visit, fields))
        wait = purchase.finished - visit.now
        finished = partial(self._response, visit, purchase, purchase.finished)
        sign = partial(signed_with, fields.get("callback_secret"))
        await self.state.call_back(visit, purchase, ACE_LADDER, finished, sign=sign)
        patience = fields.get("timeout", HELD_SECONDS) if "timeout" in self.service.fields else math.inf
        if self.service.at_once or fields.get("async") or purchase.callback_url is not None:
            patience = None
        if visit.effect.instant:
            patience = 0.0  # the answer is the result, whether the line was to be held or not [A4]
        if patience is not None:
            await asyncio.sleep(min(wait, patience))
        if patience is None or patience < wait:
            return VendorAnswer.of(self._accepted(purchase))
        if not purchase.succeeds:
            code, message, status = ERRORS.get(purchase.outcome, OTHERWISE)
            raise RefusalError(status, message, code=code, form=visit.effect.form)
        if not self.service.ndjson or b"application/x-ndjson" not in visit.headers.get(b"accept", b""):
            return VendorAnswer.of(finished())
        lines = ({"task_id": purchase.id}, finished())  # of these only the last one is documented [A2]
        return VendorAnswer(200, (NDJSON_TYPE,), b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    async def tasks(self, visit: Visit) -> VendorAnswer:
        """`POST /<service>/tasks`: one task, or many in one request."""
        fields = json_fields(visit)
        action = fields.get("action", "retrieve")
        keys = {"retrieve": "id", "retrieve_batch": "ids"}
        if not isinstance(action, str) or action not in keys:
            raise wrong_field("action", f"{action!r} is not one of {', '.join(keys)}")
        for name in fields:
            if name not in ("action", keys[action]):
                raise unknown_field(name)
        if action == "retrieve":
            identifier = fields.get("id")
            if not isinstance(identifier, str):
                raise wrong_field("id", "expected a string")
            purchase = self._found(visit, identifier)
            if purchase is None:
                raise RefusalError(404, f"Task {identifier} was not found.", code="task_not_found")  # [A9old]
            return VendorAnswer.of(self._task(visit, purchase))
        ids = fields.get("ids")
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise wrong_field("ids", "expected a list of strings")
        found = (self._found(visit, identifier) for identifier in ids)
        items = [self._task(visit, purchase) for purchase in found if purchase is not None]
        return VendorAnswer.of({"items": items, "count": len(items)})

    def _parsed(self, visit: Visit, fields: dict[str, Any]) -> ParsedOrder:
        return self.service.parse(self.service, fields, partial(self._earlier_clip, visit))

    def _found(self, visit: Visit, identifier: str) -> Purchase | None:
        return self.state.bill.find(identifier, "acedata", visit.account, self.service.name)

    def _earlier_clip(self, visit: Visit, field: str, identifier: str) -> Purchase:
        """The finished clip that an order names: by its task, or by the id in its result."""
        for purchase in self.state.bill.by_account[visit.account]:
            names = {"task": (purchase.id,), "clip": (clip_id(purchase),), "either": (purchase.id, clip_id(purchase))}
            is_there = purchase.has_file and visit.now >= purchase.finished
            if identifier in names[self.service.source_by] and is_there and self._found(visit, purchase.id) is not None:
                return purchase
        raise wrong_field(field, f"{identifier!r} is no finished video of this account")

    def _accepted(self, purchase: Purchase) -> dict[str, Any]:
        accepted: dict[str, Any] = {"task_id": purchase.id}
        if self.service.at_once:
            return {"success": True, **accepted, "trace_id": derived_uuid(purchase.id, "trace")}
        form = self.state.options.ace_accepts
        return (
            accepted
            if form == "task_id"
            else {"success": True, **({"data": accepted} if form == "nested" else accepted)}
        )

    def _task(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        """The task object: answers about unfinished ones are not documented, these are what its SDK's tests expect."""
        is_finished = visit.now >= purchase.finished
        task = {
            "_id": derived_uuid(purchase.id, "_id").replace("-", "")[:24],
            "id": purchase.id,
            "type": "videos",
            "created_at": purchase.created,
            "started_at": purchase.created,
            "api_id": derived_uuid("api", self.service.name),
            "application_id": derived_uuid("application", purchase.account),
            "credential_id": derived_uuid("credential", purchase.account),
            "user_id": derived_uuid("user", purchase.account),
            "trace_id": derived_uuid(purchase.id, "trace"),
            "request": json.loads(purchase.request or "{}"),
            "response": self._response(visit, purchase, visit.now),
        }
        if self.service.stages:
            shape, running = self._shape(purchase), int(share_done(purchase, visit.now) * len(self.service.stages))
            ended = shape.done if purchase.succeeds else shape.failed
            task["status"] = ended if is_finished else visit.effect.word or self.service.stages[running]
        if is_finished:
            task |= {"finished_at": purchase.finished, "elapsed": purchase.latency_s}
        elif visit.effect.stamped:
            task["finished_at"] = visit.now
        return task

    def _shape(self, purchase: Purchase) -> AceShape:  # noqa: ARG002  # all orders of a vendor's service look alike
        own = self.service.fixture if self.state.options.ace_shapes == "fixture" else None
        return own or self.service.spec

    def _response(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any] | None:
        """What the service answered, as the task, the callback and the blocking call show it."""
        request = json.loads(purchase.request or "{}")
        if now < purchase.finished:
            return self._unfinished(Shown(purchase, request, visit.base, None), visit.effect, now)
        common = {"task_id": purchase.id, "trace_id": derived_uuid(purchase.id, "trace")}
        lifetime, shape = self.state.lifetime(purchase.contract), self._shape(purchase)
        expires = link_expiry(purchase, max(visit.now, now), lifetime) if purchase.has_file else None
        shown = Shown(purchase, request, visit.base, expires)
        if not purchase.succeeds:
            code, message, _ = ERRORS.get(purchase.outcome, OTHERWISE)
            shape_of_failure = shape.document(shown, shape.failed) if shape.fails_in_words else {}
            return ace_error(code, message, visit.effect.form) | common | shape_of_failure
        return {"success": True, **common} | shape.document(shown, shape.done)

    def _unfinished(self, shown: Shown, effect: Effect, now: float) -> dict[str, Any] | None:
        accepted = {"success": True, "task_id": shown.purchase.id}
        if effect.hiccup is not None:  # it passes (trap T9)
            return {**accepted, "success": False, "error": "temporary" if effect.hiccup == "string" else None}
        shape = self._shape(shown.purchase)
        if effect.word is not None and shape.key is not None:
            return accepted | shape.document(shown, effect.word)
        return None if share_done(shown.purchase, now) < SILENT or self.service.stages else accepted
