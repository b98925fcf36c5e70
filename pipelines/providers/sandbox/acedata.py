"""Ace Data Cloud: orders that block, answer at once or call back, and the task query [A1 A2 A7]."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pipelines.providers.sandbox.ace_orders import order
from pipelines.providers.sandbox.bill import Purchase
from pipelines.providers.sandbox.desk import Desk, derived_uuid
from pipelines.providers.sandbox.forms import json_fields
from pipelines.providers.sandbox.life import share_done
from pipelines.providers.sandbox.links import ace_link, expiry
from pipelines.providers.sandbox.refusals import RefusalError, unknown_field, wrong_field
from pipelines.providers.sandbox.wire import Answer, Visit

#: The share of its time until which a task shows no response at all; later it says only that it was accepted.
SILENT = 0.6
ERRORS = {  # our outcome -> code, message and the HTTP status of a blocking answer [A1 A9]
    "generation_failed": ("api_error", "fetch failed", 500),
    "moderation_blocked": ("forbidden", "The content was refused by moderation.", 403),
}
Row = tuple[str, str, str, Callable[[Visit], Awaitable[Answer]]]


@dataclass(frozen=True, slots=True)
class AceData:
    """The handlers of one service; `sora` is the one whose orders are known here."""

    desk: Desk
    service: str = "sora"

    def rows(self) -> list[Row]:
        """What this service serves."""
        return [
            ("POST", f"/{self.service}/tasks", "status", self.tasks),
            ("POST", f"/{self.service}/videos", "submit", self.videos),
        ]

    async def videos(self, visit: Visit) -> Answer:
        """`POST /sora/videos`: answers at once if told to, and otherwise holds the line until the clip is made."""
        fields = json_fields(visit)
        purchase = self.desk.sell(visit, order(fields))
        wait = purchase.finished - visit.now
        if purchase.callback_url is not None:
            secret = fields.get("callback_secret")
            self.desk.postman.promise(
                purchase.callback_url, wait, lambda: self._response(visit, purchase, purchase.finished), secret
            )
        if fields.get("async") or purchase.callback_url is not None:
            accepted = {"task_id": purchase.id}
            return Answer.of({"success": True, **accepted} if self.desk.options.ace_accepts == "success" else accepted)
        await asyncio.sleep(wait)
        if not purchase.succeeds:
            code, message, status = ERRORS[purchase.outcome]
            raise RefusalError(status, message, code=code)
        return Answer.of(self._response(visit, purchase, purchase.finished))

    async def tasks(self, visit: Visit) -> Answer:
        """`POST /sora/tasks`: one task, or many in one request."""
        fields = json_fields(visit)
        action = fields.get("action", "retrieve")
        keys = {"retrieve": "id", "retrieve_batch": "ids"}
        if action not in keys:
            raise wrong_field("action", f"{action!r} is not one of {', '.join(keys)}")
        for name in fields:
            if name not in ("action", keys[action]):
                raise unknown_field(name)
        if action == "retrieve":
            return Answer.of(self._task(visit, self._own(visit, fields.get("id"))))
        ids = fields.get("ids")
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise wrong_field("ids", "expected a list of strings")
        found = (self.desk.bill.find(i, "acedata", visit.account) for i in ids)
        items = [self._task(visit, purchase) for purchase in found if purchase is not None]
        return Answer.of({"items": items, "count": len(items)})

    def _own(self, visit: Visit, identifier: Any) -> Purchase:
        if not isinstance(identifier, str):
            raise wrong_field("id", "expected a string")
        purchase = self.desk.bill.find(identifier, "acedata", visit.account)
        if purchase is None:
            raise RefusalError(404, f"Task {identifier} was not found.", code="task_not_found")  # [A9old]
        return purchase

    def _task(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        """The task object: answers about unfinished ones are not documented, these are what its SDK's tests expect."""
        is_finished = visit.now >= purchase.finished
        task = {
            "_id": derived_uuid(purchase.id, "_id").replace("-", "")[:24],
            "id": purchase.id,
            "type": "videos",
            "created_at": purchase.created,
            "started_at": purchase.created,
            "api_id": derived_uuid("api", self.service),
            "application_id": derived_uuid("application", purchase.account),
            "credential_id": derived_uuid("credential", purchase.account),
            "user_id": derived_uuid("user", purchase.account),
            "trace_id": _trace_id(purchase),
            "request": json.loads(purchase.request or "{}"),
            "response": self._response(visit, purchase, visit.now),
        }
        if is_finished:
            task |= {"finished_at": purchase.finished, "elapsed": purchase.latency_s}
        return task

    def _response(self, visit: Visit, purchase: Purchase, now: float) -> dict[str, Any] | None:
        """What the service answered, as the task, the callback and the blocking call show it."""
        if now < purchase.finished:
            return _unfinished(purchase, now, visit.effect.word)
        common = {"task_id": purchase.id, "trace_id": _trace_id(purchase)}
        if not purchase.succeeds:
            code, message, _ = ERRORS[purchase.outcome]
            return {"success": False, **common, "error": {"code": code, "message": message}}
        item: dict[str, Any] = {"id": _item_id(purchase), "state": "succeeded"}
        if purchase.has_file:
            expires = expiry(purchase, max(visit.now, now), self.desk.lifetime("acedata"))
            item["video_url"] = ace_link(visit.base, purchase, expires)
        return {"success": True, **common, "data": [item]}


def _unfinished(purchase: Purchase, now: float, word: str | None) -> dict[str, Any] | None:
    accepted = {"success": True, "task_id": purchase.id}
    if word is not None:
        return {**accepted, "data": [{"id": _item_id(purchase), "state": word}]}
    return None if share_done(purchase, now) < SILENT else accepted


def _item_id(purchase: Purchase) -> str:
    """Version 2 names items by a bare UUID, version 1 by a prefixed word [A1]."""
    identity = derived_uuid(purchase.id, "item")
    return identity if "x" in purchase.size else f"{purchase.model}:task_{identity.replace('-', '')[:26]}"


def _trace_id(purchase: Purchase) -> str:
    return derived_uuid(purchase.id, "trace")
