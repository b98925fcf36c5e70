"""Downloads: whole or in part, and the ways in which they go wrong."""

from __future__ import annotations

import re
from hashlib import sha256

from pipelines.sandbox.http.wire import Header, VendorAnswer, Visit
from pipelines.sandbox.media.links import foreign_link, still_valid
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.refusals import RefusalError

HTML = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>"
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")  # a number that no file reaches is no range


def file_answer(visit: Visit, data: bytes, kind: bytes) -> VendorAnswer:
    """The file, or the range of it that was asked for (RFC 9110, 14.2)."""
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    headers: tuple[Header, ...] = ((b"content-type", kind), (b"accept-ranges", b"bytes"), (b"etag", etag.encode()))
    asked = _RANGE.match(visit.header(b"range"))
    condition = visit.header(b"if-range")
    if asked is None or asked[0] == "bytes=-" or condition not in ("", etag) or visit.effect.file == "whole":
        return VendorAnswer(200, headers, data)
    first, last = asked[1], asked[2]
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= min(stop, len(data)):
        return VendorAnswer(416, (*headers, (b"content-range", f"bytes */{len(data)}".encode())), b"")
    where = f"bytes {start}-{stop - 1}/{len(data)}".encode()
    return VendorAnswer(206, (*headers, (b"content-range", where)), data[start:stop])


async def download(state: SandboxState, visit: Visit, purchase: Purchase, *, ranges: bool = True) -> VendorAnswer:
    """The clip of a purchase, unless the faults put something else in its place."""
    if visit.effect.file == "html":  # as a proxy or a captive portal answers
        return VendorAnswer(200, ((b"content-type", b"text/html; charset=utf-8"),), HTML)
    if visit.effect.file == "gone":
        raise RefusalError(404, "The file does not exist.", code="not_found")
    if visit.effect.file == "redirect":
        return VendorAnswer(302, ((b"location", foreign_link(visit.base, purchase, visit.now).encode()),), b"")
    data = await state.render_cache.file(purchase)
    return (
        file_answer(visit, data, b"video/mp4")
        if ranges
        else VendorAnswer(200, ((b"content-type", b"video/mp4"),), data)
    )


async def linked_file(state: SandboxState, visit: Visit, kind: str = "mp4") -> VendorAnswer:
    """`GET` of a signed link: no key is needed, and none but the one that was handed out works.

    `kind` is `mp4`, or what lies beside a clip: `jpeg` or `srt`.
    """
    purchase = state.bill.purchases.get(visit.named["id"])
    if visit.header(b"authorization"):
        state.counts.leaks[visit.path] += 1
    valid = still_valid(visit.path, visit.query, visit.now)
    if valid is None:
        raise RefusalError(403, "The signature does not match.", code="bad_token")
    if not valid or visit.effect.file == "expired":
        raise RefusalError(403, "The link has expired.", code="expired_token")
    number = visit.named.get("number", "1")
    if purchase is None or purchase.id in state.bill.deleted or visit.now < purchase.finished or not purchase.has_file:
        raise RefusalError(404, "The file does not exist.", code="not_found")
    if number not in map(str, range(1, purchase.clips + 1)):
        raise RefusalError(404, "The file does not exist.", code="not_found")
    if kind == "srt":
        minutes, seconds = divmod(int(purchase.seconds), 60)  # the prompt, from the first second to the last
        text = f"1\n00:00:00,000 --> 00:{minutes:02}:{seconds:02},000\n{purchase.prompt}\n"
        return file_answer(visit, text.encode("utf-8", "replace"), b"application/x-subrip")
    if kind != "mp4":
        return file_answer(visit, await state.render_cache.file(purchase, kind), f"image/{kind}".encode())
    return await download(state, visit, purchase.nth(int(number)))


async def foreign_file(state: SandboxState, visit: Visit) -> VendorAnswer:
    """`GET` of a link that a redirect led to. A key has no business here: it is refused, as storage does, and noted."""
    answer = await linked_file(state, visit)
    if visit.header(b"authorization"):
        raise RefusalError(400, "Only one way to sign a request is allowed.", code="leaked_key")
    return answer
