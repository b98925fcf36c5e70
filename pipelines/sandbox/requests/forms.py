"""The body of an order: JSON or a form of either kind becomes one plain mapping of fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pipelines.sandbox.http.wire import MOST_BODY, Visit
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")  # [O1]
_NESTED = re.compile(r"^(\w+)\[(\w+)\]$")  # how form encoders spell a field of an object


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file in a form."""

    type: str
    data: bytes


def json_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a JSON body, which must be an object."""
    if not visit.header(b"content-type").startswith("application/json"):
        raise RefusalError(400, "The content type must be application/json.", field="content-type")
    try:
        fields = json.loads(visit.body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise RefusalError(400, "The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise RefusalError(400, "The body must be a JSON object.")
    return fields


def _finite(text: str) -> float:
    """A number of JSON, which has neither NaN nor Infinity, nor room for 1e400 (RFC 8259, 6)."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def is_multipart(visit: Visit) -> bool:
    """Tell whether the body says that it is a form with parts."""
    return visit.header(b"content-type").startswith("multipart/form-data")


def urlencoded_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a body in the manner of an address's query (WHATWG URL, 5), all of them text, each there once."""
    kind = "application/x-www-form-urlencoded"
    if visit.header(b"content-type").partition(";")[0].strip().lower() != kind:
        raise RefusalError(400, f"The content type must be {kind}.", field="content-type")
    try:
        pairs = parse_qsl(visit.body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise RefusalError(400, f"The body is not valid {kind}.") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise wrong_field(name, "it is there twice")
        fields[name] = value
    return fields


async def any_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a JSON or multipart body; a value of a form is text, an `UploadedFile`, or an object of these."""
    if not is_multipart(visit):
        return json_fields(visit)
    fields: dict[str, Any] = {}
    for name, value in await _parts(visit):
        data: Any = value
        if isinstance(value, UploadFile):
            data = UploadedFile(value.content_type or "text/plain", await value.read())
            await value.close()
        nested = _NESTED.match(name)
        place = fields.setdefault(nested[1], {}) if nested else fields
        if not isinstance(place, dict):
            raise wrong_field(name.partition("[")[0], "it is there twice, in two forms")
        place[nested[2] if nested else name] = data
    return fields


async def _parts(visit: Visit) -> list[tuple[str, str | UploadFile]]:
    async def body() -> AsyncGenerator[bytes, None]:
        yield visit.body

    parser = MultiPartParser(Headers(raw=list(visit.headers.items())), body(), max_part_size=MOST_BODY)
    parser.spool_max_size = MOST_BODY  # in memory: the whole body is there already
    try:
        parts = (await parser.parse()).multi_items()
    except (MultiPartException, ValueError, LookupError):
        parts = []
    if not parts:
        raise RefusalError(400, "The body is not valid multipart/form-data.")
    return parts


def fingerprint(fields: dict[str, Any]) -> str:
    """SHA-256 of what was ordered, the same for every spelling of the same fields."""

    def plain(value: Any) -> Any:
        return {"file": sha256(value.data).hexdigest()} if isinstance(value, UploadedFile) else str(value)

    return sha256(json.dumps(fields, sort_keys=True, default=plain).encode()).hexdigest()
