"""The body of an order: JSON or multipart becomes one plain mapping of fields."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pipelines.sandbox.http.wire import Visit
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")  # [O1]
_NESTED = re.compile(r"^(\w+)\[(\w+)\]$")  # how form encoders spell a field of an object


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form."""

    name: str
    type: str
    data: bytes


def json_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a JSON body.

    Raises:
        RefusalError: it is not JSON, or not an object.
    """
    if not visit.header(b"content-type").startswith("application/json"):
        raise RefusalError(400, "The content type must be application/json.", field="content-type")
    try:
        fields = json.loads(visit.body, parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError):
        raise RefusalError(400, "The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise RefusalError(400, "The body must be a JSON object.")
    return fields


def finite(text: str) -> float:
    """A number of JSON, which has neither NaN nor Infinity, nor room for 1e400 (RFC 8259, 6).

    Raises:
        ValueError: it is one of these.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number of JSON")
    return number


def is_form(visit: Visit) -> bool:
    """Whether the body says that it is a form with parts."""
    return visit.header(b"content-type").startswith("multipart/form-data")


def any_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a JSON or multipart body; every value of a form is text, an `Upload`, or an object of these.

    Raises:
        RefusalError: it is neither.
    """
    if not is_form(visit):
        return json_fields(visit)
    from email import message_from_bytes, policy  # noqa: PLC0415 - only for forms, which are rare

    head = f"Content-Type: {visit.header(b'content-type')}\r\n\r\n".encode("latin-1")
    message = message_from_bytes(head + visit.body, policy=policy.HTTP)
    if not message.is_multipart():
        raise RefusalError(400, "The body is not valid multipart/form-data.")
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data: Any = part.get_payload(decode=True) or b""
        if part.get_filename() is not None:
            data = Upload(str(part.get_filename()), part.get_content_type(), data)
        _put(fields, str(name), data if isinstance(data, Upload) else data.decode("utf-8", "replace"))
    return fields


def fingerprint(fields: dict[str, Any]) -> str:
    """SHA-256 of what was ordered, the same for every spelling of the same fields."""

    def plain(value: Any) -> Any:
        return {"file": sha256(value.data).hexdigest()} if isinstance(value, Upload) else str(value)

    return sha256(json.dumps(fields, sort_keys=True, default=plain).encode()).hexdigest()


def _put(fields: dict[str, Any], name: str, value: Any) -> None:
    nested = _NESTED.match(name)
    if nested is None:
        fields[name] = value
        return
    inside = fields.setdefault(nested[1], {})
    if not isinstance(inside, dict):
        raise wrong_field(nested[1], "it is there twice, in two forms")
    inside[nested[2]] = value
