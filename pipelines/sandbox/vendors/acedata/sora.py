"""Orders on `/sora/videos`: two versions with rules of their own [A1 A2]."""

from __future__ import annotations

from typing import Any

from pipelines.sandbox.orders.state import Wish
from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.requests.references import check_pixels
from pipelines.sandbox.requests.rules import Rule
from pipelines.sandbox.vendors.acedata import shapes
from pipelines.sandbox.vendors.acedata.orders import COMMON, IMAGES, TEXT, URL, WHOLE, FindClip, Service, check_fields
from pipelines.sandbox.vendors.acedata.shapes import Shape, listed
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

CHARACTER = ("character_url", "character_start", "character_end")
MODELS = ("sora-2", "sora-2-pro")
V2_SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024")
V1_PIXELS = {
    ("small", "landscape"): (1280, 720),
    ("small", "portrait"): (720, 1280),
    ("large", "landscape"): (1792, 1024),
    ("large", "portrait"): (1024, 1792),
}
CHARACTER_SPANS = range(1, 4)  # seconds
FIRST = {"version": ("1.0",)}
SECOND = {"version": ("2.0",)}
RULES = (
    Rule(FIRST, refuses=("seconds",)),  # only in the code samples of version 2, as another name of `duration` (trap T1)
    Rule(FIRST, allows={"duration": (10, 15, 25), "size": ("small", "large")}),
    Rule({**FIRST, "duration": (25,)}, allows={"model": ("sora-2-pro",)}),
    Rule(FIRST, given=CHARACTER, needs=CHARACTER),
    Rule(SECOND, refuses=("orientation", *CHARACTER)),
    Rule(SECOND, allows={"duration": (4, 8, 12), "seconds": (4, 8, 12), "size": V2_SIZES}),
)


def order(service: Service, fields: dict[str, Any], find: FindClip) -> Wish:  # noqa: ARG001  # no clip is made from another
    """A valid order of either version.

    Raises:
        RefusalError: it is not; the message names the field.
    """
    check_fields(service, fields)
    model = fields.get("model", "sora-2")  # required by [A2], optional in the tables of [A1]
    if model not in MODELS:
        raise RefusalError(400, f"model is invalid: {model!r}.")
    return _second(fields, model) if fields.get("version") == "2.0" else _first(fields, model)


def _first(fields: dict[str, Any], model: str) -> Wish:
    size, orientation = fields.get("size", "small"), fields.get("orientation", "landscape")
    if "character_url" in fields:
        start, end = fields["character_start"], fields["character_end"]
        if start < 0 or end - start not in CHARACTER_SPANS:
            raise wrong_field("character_end", "it must be 1 to 3 seconds after character_start")
    return _wish(fields, model, fields.get("duration", 15), size, V1_PIXELS[size, orientation], orientation)


def _second(fields: dict[str, Any], model: str) -> Wish:
    if fields.get("duration", fields.get("seconds")) != fields.get("seconds", fields.get("duration")):
        raise wrong_field("seconds", "it is another length than 'duration'")
    seconds = fields.get("seconds", fields.get("duration", 4))
    size = fields.get("size", "720x1280")
    width, _, height = size.partition("x")
    pixels = (int(width), int(height))
    for image in fields.get("image_urls", ())[:1]:  # only the first is used [A1]
        check_pixels(image, pixels, "image_urls[0]")
    return _wish(fields, model, seconds, size, pixels, None)


def _wish(
    fields: dict[str, Any], model: str, seconds: int, size: str, pixels: tuple[int, int], orientation: str | None
) -> Wish:
    return Wish(
        contract="acedata",
        service="sora",
        model=model,
        prompt=fields["prompt"],
        seconds=seconds,
        size=size,
        pixels=pixels,
        fields=fields,
        orientation=orientation,
        callback_url=fields.get("callback_url"),
        echoed=True,
    )


SORA = Service(
    name="sora",
    fields={
        **COMMON,
        "prompt": Field(required=True, least=1),
        "model": TEXT,
        "version": Field(allowed=("1.0", "2.0")),
        "duration": WHOLE,
        "seconds": WHOLE,
        "size": TEXT,
        "orientation": Field(allowed=("landscape", "portrait")),
        "image_urls": IMAGES,
        "character_url": URL,
        "character_start": WHOLE,
        "character_end": WHOLE,
    },
    defaults={"version": "1.0", "model": "sora-2"},
    rules=RULES,
    ndjson=True,
    spec=Shape(listed, shapes.sora),
    order=order,
)
