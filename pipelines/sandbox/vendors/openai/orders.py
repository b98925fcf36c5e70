"""Orders on `/v1/videos`: a body becomes a parsed order, or is refused by the name of its first wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.sandbox.orders.bill import ParsedOrder
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.forms import UploadedFile
from pipelines.sandbox.requests.references import check_pixels
from pipelines.sandbox.vendors.openai.dialects import Encoding, ServerDialect
from pipelines.sandbox.vendors.openai.models import MODELS, VideoModel
from pipelines.sandbox.vendors.refusals import RefusalError, no_channel, wrong_field

LEAST_SIDE = 64  # pixels: smaller pictures cannot be drawn
MOST_SECONDS = 3_600  # longer ones cannot be made here in good time
DEFAULT_FPS = 24  # [V2]


def parse_openai_order(dialect: ServerDialect, given: Mapping[str, Any], *, form: bool) -> ParsedOrder:
    """Read an order by the rules of a dialect; what came as a form is text."""
    check_encoding(dialect.encoding, given, form=form)
    name = given.get("model", dialect.default_model)
    model = MODELS[dialect.name].get(name) if isinstance(name, str) else None
    if name is None:
        raise wrong_field("model", "it is required")
    if not isinstance(name, str):
        raise wrong_field("model", f"expected a string, got {type(name).__name__}")
    if model is None and dialect.contract == "qiniu":
        raise no_channel(name)
    if model is None:
        raise wrong_field("model", f"{name!r} is not one of {', '.join(MODELS[dialect.name])}")
    table = {"prompt": prompt_field(dialect.prompt_most), "model": Field(), **model.fields}
    fields = read_fields(table, given, form=form)
    size, pixels = _picture(model, fields)
    if model.first_frame and "input_reference" in fields:
        check_pixels(fields["input_reference"], pixels, "input_reference")
    return ParsedOrder(dialect.contract, name, fields["prompt"], _seconds(model, fields), size, pixels, dict(given))


def prompt_field(most: int) -> Field:
    """A prompt of at most so many characters."""
    return Field(least=1, most=most, required=True)


def check_encoding(encoding: Encoding, given: Mapping[str, Any], *, form: bool) -> None:
    """Refuse a body in an encoding that the server does not read."""
    if encoding == "json" and form:
        raise RefusalError(400, "The content type must be application/json.", field="content-type")
    if encoding == "multipart" and not form:
        raise RefusalError(400, "The content type must be multipart/form-data.", field="content-type")
    if encoding == "upload" and form and not any(isinstance(value, UploadedFile) for value in given.values()):
        raise RefusalError(400, "input_reference file is required", field="input_reference")  # [G1]


def parsed_size(size: str) -> tuple[int, int]:
    """Width and height of a WIDTHxHEIGHT, even as video wants them."""
    width, _, height = size.partition("x")
    return int(width) // 2 * 2, int(height) // 2 * 2


def _picture(model: VideoModel, fields: Mapping[str, Any]) -> tuple[str, tuple[int, int]]:
    size = fields.get("size")
    if size is None:  # it wins over the two [V2]
        width, _, height = model.size.partition("x")
        size = f"{fields.get('width', width)}x{fields.get('height', height)}"
    pixels = parsed_size(size)
    longest, shortest = max(pixels), min(pixels)
    if longest > model.within[0] or not LEAST_SIDE <= shortest <= model.within[1]:
        raise wrong_field("size", f"{size} is not between {LEAST_SIDE} and {model.within[0]}x{model.within[1]} pixels")
    return size, pixels


def _seconds(model: VideoModel, fields: Mapping[str, Any]) -> float:
    """Frames decide where they are given [V2 G1]."""
    if "num_frames" not in fields:
        seconds = int(fields.get("seconds", model.seconds))
        if seconds > MOST_SECONDS:
            raise wrong_field("seconds", f"at most {MOST_SECONDS} seconds")
        return seconds
    frames, rate = fields["num_frames"], fields.get("fps", DEFAULT_FPS)
    if frames > MOST_SECONDS * rate:  # before they are divided: JSON has integers that no float can hold
        raise wrong_field("num_frames", f"at most {MOST_SECONDS} seconds")
    return max(float(frames / rate), 1 / DEFAULT_FPS)  # no clip is shorter than one of its own frames
