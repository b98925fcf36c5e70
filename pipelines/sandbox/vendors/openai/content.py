"""`GET /videos/{id}/content`: the file itself, or why there is none, by dialect."""

from __future__ import annotations

from dataclasses import replace

from pipelines.sandbox.http.wire import VendorAnswer, Visit
from pipelines.sandbox.media.files import download, file_answer
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.openai.dialects import ContentRules
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

KINDS = {"thumbnail": "webp", "spritesheet": "jpeg"}  # [O7]


async def content(
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
        if variant not in KINDS:
            raise wrong_field("variant", f"{variant!r} is not one of video, {', '.join(KINDS)}")
        data = await state.render_cache.file(purchase, KINDS[variant])
        return file_answer(visit, data, f"image/{KINDS[variant]}".encode())
    answer = await download(state, visit, purchase, ranges=rules.ranges)
    if not rules.attachment:
        return answer
    disposition = f"attachment; filename=video_{purchase.id}.mp4".encode()  # [L1]
    return replace(answer, headers=(*answer.headers, (b"content-disposition", disposition)))
