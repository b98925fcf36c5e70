"""Downloads: whole or in part, and the ways in which they go wrong."""

from __future__ import annotations

import re
from hashlib import sha256

from pipelines.providers.sandbox.bill import Purchase
from pipelines.providers.sandbox.desk import Desk
from pipelines.providers.sandbox.links import still_valid
from pipelines.providers.sandbox.refusals import RefusalError
from pipelines.providers.sandbox.wire import Answer, Header, Visit

HTML = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>"
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def file_answer(visit: Visit, data: bytes, kind: bytes) -> Answer:
    """The file, or the range of it that was asked for (RFC 9110, 14.2)."""
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    headers: tuple[Header, ...] = (
        (b"content-type", kind),
        (b"accept-ranges", b"bytes"),
        (b"etag", etag.encode()),
    )
    asked = _RANGE.match(visit.header(b"range"))
    condition = visit.header(b"if-range")
    if asked is None or asked[0] == "bytes=-" or condition not in ("", etag) or visit.effect.file == "whole":
        return Answer(200, headers, data)
    start, stop = _bounds(asked[1], asked[2], len(data))
    if start >= min(stop, len(data)):
        return Answer(416, (*headers, (b"content-range", f"bytes */{len(data)}".encode())), b"")
    where = f"bytes {start}-{stop - 1}/{len(data)}".encode()
    return Answer(206, (*headers, (b"content-range", where)), data[start:stop])


async def download(desk: Desk, visit: Visit, purchase: Purchase) -> Answer:
    """The clip of a purchase, unless the faults put something else in its place."""
    if visit.effect.file == "html":  # as a proxy or a captive portal answers
        return Answer(200, ((b"content-type", b"text/html; charset=utf-8"),), HTML)
    if visit.effect.file == "gone":
        raise RefusalError(404, "The file does not exist.", code="not_found")
    return file_answer(visit, await desk.kiln.clip(purchase), b"video/mp4")


async def linked_file(desk: Desk, visit: Visit) -> Answer:
    """`GET` of a signed link: no key is needed, and none but the one that was handed out works.

    Raises:
        RefusalError: 403 for a wrong or expired signature, 404 for no file.
    """
    purchase = desk.bill.purchases.get(visit.named["id"])
    valid = still_valid(visit.path, visit.query, visit.now)
    if valid is None:
        raise RefusalError(403, "The signature does not match.", code="bad_token")
    if not valid or visit.effect.file == "expired":
        raise RefusalError(403, "The link has expired.", code="expired_token")
    if purchase is None or purchase.id in desk.bill.deleted or not purchase.has_file or visit.now < purchase.finished:
        raise RefusalError(404, "The file does not exist.", code="not_found")
    return await download(desk, visit, purchase)


def _bounds(first: str, last: str, length: int) -> tuple[int, int]:
    if not first:
        return max(0, length - int(last)), length
    return int(first), min(int(last) + 1, length) if last else length
