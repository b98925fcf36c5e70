"""The OpenAI Videos contract and Qiniu's dialect of it: create, retrieve, content, remix, list, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pipelines.providers.sandbox.bill import Purchase
from pipelines.providers.sandbox.desk import Desk, Wish
from pipelines.providers.sandbox.files import download, file_answer
from pipelines.providers.sandbox.forms import any_fields, json_fields
from pipelines.providers.sandbox.life import Stage, openai_word, share_done, stage_of
from pipelines.providers.sandbox.links import expiry, qiniu_link
from pipelines.providers.sandbox.openai_orders import Dialect, order, remix_prompt
from pipelines.providers.sandbox.refusals import RefusalError, wrong_field
from pipelines.providers.sandbox.wire import Answer, Visit

MOST_LISTED = 100
#: (method, path below the prefix, kind of route for the faults, handler)
Row = tuple[str, str, str, Callable[[Visit], Awaitable[Answer]]]


@dataclass(frozen=True, slots=True)
class OpenAIVideos:
    """The handlers of one dialect."""

    desk: Desk
    dialect: Dialect

    def rows(self) -> list[Row]:
        """What this dialect serves, the most asked first."""
        rows: list[Row] = [
            ("GET", "/videos/{id}", "status", self.retrieve),
            ("POST", "/videos", "submit", self.create),
            ("POST", "/videos/{id}/remix", "submit", self.remix),
        ]
        if self.dialect.content:
            rows.append(("GET", "/videos/{id}/content", "download", self.content))
        if self.dialect.manages:
            rows.append(("GET", "/videos", "list", self.page))
            rows.append(("DELETE", "/videos/{id}", "delete", self.delete))
        return rows

    async def create(self, visit: Visit) -> Answer:
        """`POST /videos`: sells a clip."""
        return self._shown(visit, self.desk.sell(visit, order(self.dialect, self._fields(visit))))

    async def remix(self, visit: Visit) -> Answer:
        """`POST /videos/{id}/remix`: a clip like another one, with a new prompt."""
        source = self._own(visit)
        prompt = remix_prompt(self.dialect, self._fields(visit))
        if stage_of(source, visit.now) is not Stage.COMPLETED:
            raise RefusalError(400, f"Video {source.id} is not completed.", field="video_id")
        wish = Wish(
            contract=source.contract,
            model=source.model,
            prompt=prompt,
            seconds=source.seconds,
            size=source.size,
            pixels=(source.width, source.height),
            fields={"prompt": prompt, "remix_of": source.id},
            remixed_from=source.id,
        )
        return self._shown(visit, self.desk.sell(visit, wish))

    async def retrieve(self, visit: Visit) -> Answer:
        """`GET /videos/{id}`."""
        return self._shown(visit, self._own(visit))

    async def content(self, visit: Visit) -> Answer:
        """`GET /videos/{id}/content`: the file itself, with the key; 404 until it is there and when it is gone."""
        purchase = self._own(visit)
        if visit.now < purchase.finished or not purchase.has_file:
            raise RefusalError(404, f"Video {purchase.id} is not ready: it has no content.")
        if visit.now >= purchase.finished + self.desk.lifetime("openai") or visit.effect.file == "expired":
            raise RefusalError(404, "This video is no longer available: downloads expire after 1 hour.")  # [I3]
        variant = visit.query.get("variant", "video")
        if variant == "video":
            return await download(self.desk, visit, purchase)
        kinds = {"thumbnail": "webp", "spritesheet": "jpeg"}
        if variant not in kinds:
            raise wrong_field("variant", f"{variant!r} is not one of video, thumbnail, spritesheet")
        data = await self.desk.kiln.still(purchase, kinds[variant])
        return file_answer(visit, data, f"image/{kinds[variant]}".encode())

    async def page(self, visit: Visit) -> Answer:
        """`GET /videos`: one page of what the account bought."""
        query = visit.query
        limit, direction = query.get("limit", "20"), query.get("order", "desc")
        if not limit.isdigit() or int(limit) > MOST_LISTED:
            raise wrong_field("limit", f"expected 0 to {MOST_LISTED}")
        if direction not in ("asc", "desc"):
            raise wrong_field("order", "expected asc or desc")
        bill = self.desk.bill
        own = [
            p
            for p in bill.by_account[visit.account]
            if p.contract == self.dialect.contract and p.id not in bill.deleted
        ]
        if direction == "desc":
            own.reverse()
        if "after" in query:
            places = [place for place, purchase in enumerate(own) if purchase.id == query["after"]]
            if not places:
                raise wrong_field("after", "there is no such video")
            own = own[places[0] + 1 :]
        shown = own[: int(limit)]
        envelope = {
            "object": "list",
            "data": [self._document(visit, purchase) for purchase in shown],
            "first_id": shown[0].id if shown else None,
            "last_id": shown[-1].id if shown else None,
            "has_more": len(own) > len(shown),
        }
        return Answer.of(envelope)

    async def delete(self, visit: Visit) -> Answer:
        """`DELETE /videos/{id}`: only what is finished; the bill keeps its line."""
        purchase = self._own(visit)
        if visit.now < purchase.finished:
            raise RefusalError(400, f"Video {purchase.id} is still being generated.")
        self.desk.bill.delete(purchase.id, visit.now)
        return Answer.of({"id": purchase.id, "object": "video.deleted", "deleted": True})

    def _fields(self, visit: Visit) -> dict[str, Any]:
        return any_fields(visit) if self.dialect.forms else json_fields(visit)

    def _own(self, visit: Visit) -> Purchase:
        identifier = visit.named["id"]
        purchase = self.desk.bill.find(identifier, self.dialect.contract, visit.account)
        if purchase is None:
            raise RefusalError(404, f"Video with id '{identifier}' not found.", field="video_id")
        return purchase

    def _shown(self, visit: Visit, purchase: Purchase) -> Answer:
        header = (b"x-request-id", b"req_" + uuid4().hex.encode())
        return Answer.of(self._document(visit, purchase), 200, header)

    def _document(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        if self.dialect.name == "qiniu":
            document = qiniu_video(purchase, visit.now)
        else:
            document = openai_video(purchase, visit.now, self.desk.lifetime("openai"))
        finished = visit.now >= purchase.finished
        if self.dialect.task_result:
            document["updated_at"] = int(min(visit.now, purchase.finished))
            if finished and purchase.succeeds:
                document["task_result"] = self._task_result(visit, purchase)
        if visit.effect.word is not None and not finished:
            document["status"] = visit.effect.word
        return document

    def _task_result(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        if not purchase.has_file:  # moderation took it away: completed, with nothing in it
            return {"videos": []}
        link = qiniu_link(visit.base, purchase, expiry(purchase, visit.now, self.desk.lifetime("qiniu")))
        return {"videos": [{"id": f"{purchase.id}-1", "url": link, "duration": str(purchase.seconds)}]}


def openai_video(purchase: Purchase, now: float, lifetime: float) -> dict[str, Any]:
    """The video object with every key, null where there is nothing yet [O1 O2]."""
    completed = int(purchase.finished) if now >= purchase.finished and purchase.succeeds else None
    return {
        "id": purchase.id,
        "object": "video",
        "model": purchase.model,
        "status": openai_word(stage_of(purchase, now)),
        "progress": int(share_done(purchase, now) * 100) if purchase.succeeds or now < purchase.finished else 0,
        "created_at": int(purchase.created),
        "completed_at": completed,
        "expires_at": None if completed is None else int(completed + lifetime),
        "prompt": purchase.prompt,
        "size": purchase.size,
        "seconds": str(purchase.seconds),
        "remixed_from_video_id": purchase.remixed_from,
        "error": _error(purchase, now),
    }


def qiniu_video(purchase: Purchase, now: float) -> dict[str, Any]:
    """The samples of [Q1]: keys come and go with the state; length and size are missing midway."""
    stage = stage_of(purchase, now)
    document: dict[str, Any] = {
        "id": purchase.id,
        "object": "video",
        "model": purchase.model,
        "status": stage.value,
        "created_at": int(purchase.created),
    }
    if stage is not Stage.IN_PROGRESS:
        document |= {"seconds": str(purchase.seconds), "size": purchase.size}
    if now >= purchase.finished:
        document["completed_at"] = int(purchase.finished)
    if purchase.remixed_from is not None:
        document["remixed_from_video_id"] = purchase.remixed_from
    error = _error(purchase, now)
    if error is not None:
        document["error"] = error
    return document


def _error(purchase: Purchase, now: float) -> dict[str, str] | None:
    if purchase.succeeds or now < purchase.finished:
        return None
    messages = {"moderation_blocked": "Your request was blocked by our moderation system."}  # [Q1]
    return {"code": purchase.outcome, "message": messages.get(purchase.outcome, "The generation failed.")}
