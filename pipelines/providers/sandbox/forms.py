"""The body of an order: JSON or multipart becomes one plain mapping of fields."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pipelines.providers.sandbox.refusals import RefusalError, wrong_field
from pipelines.providers.sandbox.wire import Visit

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
        fields = json.loads(visit.body)
    except ValueError:
        raise RefusalError(400, "The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise RefusalError(400, "The body must be a JSON object.")
    return fields


def any_fields(visit: Visit) -> dict[str, Any]:
    """The fields of a JSON or multipart body; every value of a form is text or an `Upload`.

    Raises:
        RefusalError: it is neither.
    """
    kind = visit.header(b"content-type")
    if not kind.startswith("multipart/form-data"):
        return json_fields(visit)
    from email import message_from_bytes, policy  # noqa: PLC0415  # only for forms, which are rare

    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    message = message_from_bytes(head + visit.body, policy=policy.HTTP)
    if not message.is_multipart():
        raise RefusalError(400, "The body is not valid multipart/form-data.")
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data: Any = part.get_payload(decode=True) or b""
        if part.get_filename() is not None:
            fields[str(name)] = Upload(str(part.get_filename()), part.get_content_type(), data)
        else:
            _put(fields, str(name), data.decode("utf-8", "replace"))
    return fields


def fingerprint(fields: dict[str, Any]) -> str:
    """SHA-256 of what was ordered, the same for every spelling of the same fields."""

    def plain(value: Any) -> Any:
        return {"file": sha256(value.data).hexdigest()} if isinstance(value, Upload) else str(value)

    return sha256(json.dumps(fields, sort_keys=True, default=plain).encode()).hexdigest()


def check_image(reference: Any, size: tuple[int, int], field: str) -> None:
    """Looks at an image that came with the order, as a file or in a data URL. One behind a URL is not fetched.

    Raises:
        RefusalError: it is no image, or its pixels are not those of the clip.
    """
    if isinstance(reference, Upload):
        if reference.type not in IMAGE_TYPES:
            raise wrong_field(field, f"the file must be one of {', '.join(IMAGE_TYPES)}")
        data = reference.data
    elif reference.startswith("data:"):
        data = _data_url(reference, field)
    elif reference.startswith(("https://", "http://")):
        return
    else:
        raise wrong_field(field, "expected a URL")
    from PIL import Image  # noqa: PLC0415  # start-up must not wait for it

    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = image.size
    except OSError:
        raise wrong_field(field, "this is not an image") from None
    if pixels != size:
        raise wrong_field(field, f"the image is {pixels[0]}x{pixels[1]}, but must be {size[0]}x{size[1]} as the clip")


def _data_url(url: str, field: str) -> bytes:
    head, comma, data = url.partition(",")
    try:
        return base64.b64decode(data, validate=True) if comma and head.endswith(";base64") else b""
    except ValueError:
        raise wrong_field(field, "this is not a data URL") from None


def _put(fields: dict[str, Any], name: str, text: str) -> None:
    nested = _NESTED.match(name)
    if nested:
        fields.setdefault(nested[1], {})[nested[2]] = text
    elif text.startswith("{"):  # an object in a form is JSON text, unless it is not
        try:
            fields[name] = json.loads(text)
        except ValueError:
            fields[name] = text
    else:
        fields[name] = text
