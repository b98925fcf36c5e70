"""The OpenAI Videos contract in all its dialects: create, retrieve, content, remix, list, delete."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.wire import ApiRoute, Handler, Header, VendorAnswer, Visit
from pipelines.sandbox.media.files import download, file_answer
from pipelines.sandbox.media.links import link_expiry, qiniu_link
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.requests.fields import read_fields
from pipelines.sandbox.requests.forms import any_fields, is_multipart
from pipelines.sandbox.vendors.openai.dialects import ContentRules, ServerDialect
from pipelines.sandbox.vendors.openai.orders import check_encoding, parse_openai_order, prompt_field
from pipelines.sandbox.vendors.openai.pages import bare_page, full_page
from pipelines.sandbox.vendors.openai.shapes import Sight, VideoShape
from pipelines.sandbox.vendors.refusals import RefusalError, request_id, wrong_field

POLLS = 40  # that a job is worth, by the header that says when to ask again
VARIANTS = {"thumbnail": "webp", "spritesheet": "jpeg"}  # [O7]
LONGEST_POLL_MS = 10_000  # [O7]: the guide asks every 10 to 20 s


@dataclass(frozen=True, slots=True)
class OpenAIEndpoints:
    """The handlers of one dialect."""

    state: SandboxState
    dialect: ServerDialect

    def rows(self) -> list[ApiRoute]:
        """What this dialect serves, the most asked first."""
        dialect = self.dialect
        rows: list[tuple[bool, ApiRoute]] = [
            (True, ("GET", "/videos/{id}", "status", self.retrieve)),
            (True, ("POST", "/videos", "submit", self.create)),
            (dialect.content is not None, ("GET", "/videos/{id}/content", "download", self.content)),
            (dialect.remix, ("POST", "/videos/{id}/remix", "submit", self.remix)),
            (dialect.listing is not None, ("GET", "/videos", "list", self.page)),
            (dialect.deletion is not None, ("DELETE", "/videos/{id}", "delete", self.delete)),
        ]
        return [
            (method, path, route, self._identified(handler))
            for served, (method, path, route, handler) in rows
            if served
        ]

    async def create(self, visit: Visit) -> VendorAnswer:
        """`POST /videos`: sells a clip."""
        return self._sold(visit, parse_openai_order(self.dialect, await any_fields(visit), form=is_multipart(visit)))

    async def remix(self, visit: Visit) -> VendorAnswer:
        """`POST /videos/{id}/remix`: a clip like another one, with a new prompt."""
        source = self._own(visit)
        fields = await any_fields(visit)
        check_encoding(self.dialect.encoding, fields, form=is_multipart(visit))
        table = {"prompt": prompt_field(self.dialect.prompt_most)}  # its only field [O1 Q1]
        prompt = read_fields(table, fields, form=is_multipart(visit))["prompt"]
        if stage_of(source, visit.now) is not Stage.COMPLETED:
            raise RefusalError(400, f"Video {source.id} is not completed.", field="video_id")
        return self._sold(visit, ParsedOrder.remix(source, prompt))

    async def retrieve(self, visit: Visit) -> VendorAnswer:
        """`GET /videos/{id}`."""
        return self._shown(visit, self._own(visit), self.dialect.status or self.dialect.shape)

    async def content(self, visit: Visit) -> VendorAnswer:
        """`GET /videos/{id}/content`: the file itself, with the key."""
        assert self.dialect.content is not None
        purchase = self._own(visit)
        word = self.dialect.words[stage_of(purchase, visit.now)]
        return await content_of(self.state, visit, purchase, self.dialect.content, word)

    async def page(self, visit: Visit) -> VendorAnswer:
        """`GET /videos`: what the account bought, newest first."""
        query, needed = visit.query, self.dialect.list_needs
        if needed is not None and not (query.get(needed) or visit.header(needed.replace("_", "-").encode())):
            raise wrong_field(needed, "it is required, as a parameter or as a header")
        page = bare_page if self.dialect.listing == "bare" else full_page
        bought = self.state.bill.bought(visit.account, self.dialect.contract)
        return VendorAnswer.of(page(bought, query, partial(self._document, visit, shape=self.dialect.shape)))

    async def delete(self, visit: Visit) -> VendorAnswer:
        """`DELETE /videos/{id}`: the bill keeps its line."""
        purchase = self._own(visit)
        if self.dialect.deletion == "finished" and visit.now < purchase.finished:
            raise RefusalError(400, f"Video {purchase.id} is still being generated.")
        document = {"id": purchase.id, "object": "video.deleted", "deleted": True}
        if self.dialect.deletion == "shown":
            document = {**self._document(visit, purchase, self.dialect.shape), "status": "deleted"}
        self.state.bill.delete(purchase.id, visit.now)
        return VendorAnswer.of(document)

    def _own(self, visit: Visit) -> Purchase:
        identifier, bill, alias = visit.named["id"], self.state.bill, self.dialect.alias
        purchase = bill.find(identifier, self.dialect.contract, None)
        if purchase is None and alias is not None:
            bought = bill.bought(visit.account, self.dialect.contract)
            purchase = next((purchase for purchase in bought if alias(purchase.id) == identifier), None)
        if purchase is None or (purchase.account != visit.account and self.dialect.foreign == 404):  # noqa: PLR2004 - HTTP
            raise RefusalError(404, f"Video with id '{identifier}' not found.", field="video_id")
        if purchase.account != visit.account:
            raise RefusalError(self.dialect.foreign, "This video belongs to another user.", field="video_id")
        return purchase

    def _sold(self, visit: Visit, parsed: ParsedOrder) -> VendorAnswer:
        purchase = self.state.sell(visit, parsed)
        if self.dialect.webhooks:
            self.state.promise(purchase, self.state.webhooks.about(purchase, visit.now))
        return self._shown(visit, purchase, self.dialect.receipt or self.dialect.shape)

    def _shown(self, visit: Visit, purchase: Purchase, shape: VideoShape) -> VendorAnswer:
        headers: list[Header] = []
        if self.dialect.poll_hint and visit.now < purchase.finished:
            wait = self.state.options.poll_after_ms or poll_after_ms(purchase)
            headers.append((b"openai-poll-after-ms", str(wait).encode()))
        return VendorAnswer.of(self._document(visit, purchase, shape), 200, *headers)

    def _identified(self, handler: Handler) -> Handler:
        async def answered(visit: Visit) -> VendorAnswer:
            answer = await handler(visit)
            return replace(answer, headers=(*answer.headers, *request_id(self.dialect.contract)))

        return answered

    def _document(self, visit: Visit, purchase: Purchase, shape: VideoShape) -> dict[str, Any]:
        word = self.dialect.words[stage_of(purchase, visit.now)]
        sight = Sight(purchase, visit.now, word, self.state.lifetime(purchase.contract))
        document = shape(sight)
        if self.dialect.task_result:
            document["updated_at"] = int(min(visit.now, purchase.finished))
            if sight.is_done:
                link = qiniu_link(visit.base, purchase, link_expiry(purchase, visit.now, self.state.lifetime("qiniu")))
                video = {"id": f"{purchase.id}-1", "url": link, "duration": f"{purchase.seconds:g}"}
                videos = (
                    [video] if purchase.has_file else []
                )  # moderation may take it away: completed, with nothing in it
                document["task_result"] = {"videos": videos}
        return document if sight.is_finished else misreported(document, visit.effect)


async def content_of(
    state: SandboxState, visit: Visit, purchase: Purchase, rules: ContentRules, word: str
) -> VendorAnswer:
    """The file of a purchase, by the rules of a dialect and with the state of the job in its words."""
    if visit.now < purchase.finished or not purchase.has_file:
        status, message = rules.early
        raise RefusalError(status, message.format(id=purchase.id, word=word))
    is_gone = visit.now >= purchase.finished + state.lifetime(purchase.contract)
    if is_gone or visit.effect.file == "expired":
        status, message = rules.late
        raise RefusalError(status, message.format(id=purchase.id))
    variant = visit.query.get("variant", "video") if rules.variants else "video"
    if variant != "video":
        if variant not in VARIANTS:
            raise wrong_field("variant", f"{variant!r} is not one of video, {', '.join(VARIANTS)}")
        data = await state.render_cache.file(purchase, VARIANTS[variant])
        return file_answer(visit, data, f"image/{VARIANTS[variant]}".encode())
    answer = await download(state, visit, purchase, ranges=rules.ranges)
    if not rules.attachment:
        return answer
    disposition = f"attachment; filename=video_{purchase.id}.mp4".encode()  # [L1]
    return replace(answer, headers=(*answer.headers, (b"content-disposition", disposition)))


def poll_after_ms(purchase: Purchase) -> int:
    """When to ask again: a share of the job's own time, so that a rehearsal faster than life is also asked more often."""
    return min(math.ceil(purchase.latency_s * 1000 / POLLS), LONGEST_POLL_MS)


def misreported(document: dict[str, Any], effect: Effect) -> dict[str, Any]:
    """The object of an unfinished job as the faults would have it."""
    figures = {"stuck": {"progress": 0}, "ahead": {"progress": 100}}
    told = document | figures.get(effect.progress or "", {}) | ({} if effect.word is None else {"status": effect.word})
    return {name: value for name, value in told.items() if name != "progress" or effect.progress != "absent"}
