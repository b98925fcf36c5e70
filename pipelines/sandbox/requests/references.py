"""Reference images: in which forms they come, and how large they are."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, Literal

from pipelines.sandbox.callbacks.delivery import check_address
from pipelines.sandbox.requests.forms import IMAGE_TYPES, UploadedFile
from pipelines.sandbox.vendors.refusals import wrong_field

#: file: a part of a form; object: `{"image_url"}` or `{"file_id"}`; url_object: only the first of these;
#: url: text, an http or https address; data_url: text, the image itself; base64: the same without its head
Kind = Literal["file", "object", "url_object", "url", "data_url", "base64"]

MOST_DATA_URL = 20_971_520  # characters [O1]
WANTED = {
    "file": "a file",
    "object": "an object with image_url or file_id",
    "url_object": "an object with image_url",
    "url": "an http or https URL",
    "data_url": "a data URL",
    "base64": "the image in Base64",
}


def check_kind(reference: Any, kinds: Sequence[Kind], name: str) -> None:
    """Refuse what is no image, or one in another form than these. One behind a URL is not fetched."""
    kind = _kind(reference)
    if kind not in kinds and not (kind == "url_object" and "object" in kinds):
        alternatives = " or ".join(WANTED[known] for known in kinds)
        got = type(reference).__name__ if kind is None else WANTED[kind]
        raise wrong_field(name, f"expected {alternatives}, got {got}")
    if kind == "url":
        check_address(name, reference)
    if isinstance(reference, dict):
        _check_object(reference, name)
    image_size(reference, name)


def image_size(reference: Any, name: str) -> tuple[int, int] | None:
    """Width and height of an image that came with the order, or None for one that is elsewhere."""
    if isinstance(reference, dict):
        url = reference.get("image_url")
        return None if url is None else image_size(url, f"{name}.image_url")
    if isinstance(reference, UploadedFile):
        if reference.type not in IMAGE_TYPES:
            raise wrong_field(name, f"the file must be one of {', '.join(IMAGE_TYPES)}")
        return _measured(reference.data, name)
    if reference.startswith(("http://", "https://")):
        return None
    return _measured(_decoded(reference, name), name)


def check_pixels(reference: Any, size: tuple[int, int], name: str) -> None:
    """Refuse an image that is not as large as the clip that begins with it [O7 Q1]."""
    pixels = image_size(reference, name)
    if pixels not in (None, size):
        raise wrong_field(name, f"the image is {pixels[0]}x{pixels[1]}, but must be {size[0]}x{size[1]} as the clip")


def _kind(reference: Any) -> Kind | None:
    if isinstance(reference, UploadedFile):
        return "file"
    if isinstance(reference, dict):
        return "url_object" if set(reference) == {"image_url"} else "object"
    if not isinstance(reference, str):
        return None
    if reference.startswith(("http://", "https://")):
        return "url"
    return "data_url" if reference.startswith("data:") else "base64"


def _check_object(reference: dict[str, Any], name: str) -> None:
    if len(reference) != 1 or not set(reference) <= {"image_url", "file_id"}:
        raise wrong_field(name, "expected exactly one of image_url and file_id")
    value = next(iter(reference.values()))
    if not isinstance(value, str):
        raise wrong_field(name, f"expected a string in it, got {type(value).__name__}")
    if "image_url" in reference and _kind(value) not in ("url", "data_url"):
        raise wrong_field(f"{name}.image_url", "expected a URL")
    if len(value) > MOST_DATA_URL:
        raise wrong_field(name, f"at most {MOST_DATA_URL} characters")


def _decoded(text: str, name: str) -> bytes:
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not (head.startswith("data:image/") and head.endswith(";base64")):
            raise wrong_field(name, "this is not a Base64 data URL of an image")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise wrong_field(name, "this is not Base64") from None


def _measured(data: bytes, name: str) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 - start-up must not wait for it

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, Image.DecompressionBombError):
        raise wrong_field(name, "this is not an image") from None
