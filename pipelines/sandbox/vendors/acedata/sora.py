"""Orders on `/sora/videos`, beyond their table in services.yaml: two versions with words of their own [A1 A2]."""

from __future__ import annotations

from typing import Any

from pipelines.sandbox.orders.bill import ParsedOrder
from pipelines.sandbox.requests.references import check_pixels
from pipelines.sandbox.vendors.acedata.orders import FindClip, Service, check_fields
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

MODELS = ("sora-2", "sora-2-pro")
V1_PIXELS = {
    ("small", "landscape"): (1280, 720),
    ("small", "portrait"): (720, 1280),
    ("large", "landscape"): (1792, 1024),
    ("large", "portrait"): (1024, 1792),
}
CHARACTER_SPANS = range(1, 4)  # seconds


def parse_sora_order(service: Service, fields: dict[str, Any], find: FindClip) -> ParsedOrder:  # noqa: ARG001  # no clip is made from another
    """Read an order of either version."""
    check_fields(service, fields)
    model = fields.get("model", "sora-2")  # required by [A2], optional in the tables of [A1]
    if model not in MODELS:
        raise RefusalError(400, f"model is invalid: {model!r}.")
    is_second = fields.get("version") == "2.0"
    seconds, size, pixels = _second(fields) if is_second else _first(fields)
    return ParsedOrder(
        contract="acedata",
        service="sora",
        model=model,
        prompt=fields["prompt"],
        seconds=seconds,
        size=size,
        pixels=pixels,
        fields=fields,
        orientation=None if is_second else fields.get("orientation", "landscape"),
        callback_url=fields.get("callback_url"),
        echoed=True,
    )


def _first(fields: dict[str, Any]) -> tuple[int, str, tuple[int, int]]:
    """Seconds, size and pixels of an order of version 1."""
    if "character_url" in fields:
        start, end = fields["character_start"], fields["character_end"]
        if start < 0 or end - start not in CHARACTER_SPANS:
            raise wrong_field("character_end", "it must be 1 to 3 seconds after character_start")
    size = fields.get("size", "small")
    return fields.get("duration", 15), size, V1_PIXELS[size, fields.get("orientation", "landscape")]


def _second(fields: dict[str, Any]) -> tuple[int, str, tuple[int, int]]:
    """The same of an order of version 2."""
    if fields.get("duration", fields.get("seconds")) != fields.get("seconds", fields.get("duration")):
        raise wrong_field("seconds", "it is another length than 'duration'")
    size = fields.get("size", "720x1280")
    width, _, height = size.partition("x")
    for image in fields.get("image_urls", ())[:1]:  # only the first is used [A1]
        check_pixels(image, (int(width), int(height)), "image_urls[0]")
    return fields.get("seconds", fields.get("duration", 4)), size, (int(width), int(height))
