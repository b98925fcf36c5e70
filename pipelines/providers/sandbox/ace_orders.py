"""Orders on `/sora/videos`: two versions with rules of their own [A1 A2]."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pipelines.providers.sandbox.desk import Wish
from pipelines.providers.sandbox.refusals import RefusalError, unknown_field, wrong_field

#: Field -> its JSON type, as a name and as a check.
TYPES: dict[str, type] = {
    "prompt": str,
    "model": str,
    "version": str,
    "duration": int,
    "seconds": int,
    "size": str,
    "orientation": str,
    "image_urls": list,
    "character_url": str,
    "character_start": int,
    "character_end": int,
    "callback_url": str,
    "callback_secret": str,
    "async": bool,
}
CHARACTER = ("character_url", "character_start", "character_end")
ONLY_V1 = ("orientation", *CHARACTER)
ONLY_V2 = ("seconds",)  # only in the code samples of version 2, as another name of `duration` (trap T1)
MODELS = ("sora-2", "sora-2-pro")
V1_SECONDS = (10, 15, 25)
V2_SECONDS = (4, 8, 12)
V2_SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024")
V1_PIXELS = {
    ("small", "landscape"): (1280, 720),
    ("small", "portrait"): (720, 1280),
    ("large", "landscape"): (1792, 1024),
    ("large", "portrait"): (1024, 1792),
}
CHARACTER_SPANS = range(1, 4)  # seconds


def order(fields: dict[str, Any]) -> Wish:
    """A valid order of either version.

    Raises:
        RefusalError: it is not; the message names the field.
    """
    for name, value in fields.items():
        _check_type(name, value)
    if not fields.get("prompt"):
        raise wrong_field("prompt", "it is required")
    model = fields.get("model", "sora-2")  # required by [A2], optional in the tables of [A1]
    if model not in MODELS:
        raise RefusalError(400, f"model is invalid: {model!r}.")
    _check_callback(fields)
    version = fields.get("version", "1.0")
    if version not in ("1.0", "2.0"):
        raise wrong_field("version", "expected '1.0' or '2.0'")
    return _second(fields, model) if version == "2.0" else _first(fields, model)


def _first(fields: dict[str, Any], model: str) -> Wish:
    _refuse_foreign(fields, ONLY_V2, "1.0")
    seconds = _one_of(fields, "duration", V1_SECONDS, 15)
    if seconds == max(V1_SECONDS) and model != "sora-2-pro":
        raise wrong_field("duration", f"{seconds} is made by sora-2-pro only")
    size = _one_of(fields, "size", ("small", "large"), "small")
    orientation = _one_of(fields, "orientation", ("landscape", "portrait"), "landscape")
    _check_images(fields)
    _check_character(fields)
    return _wish(fields, model, seconds, size, V1_PIXELS[size, orientation], orientation)


def _second(fields: dict[str, Any], model: str) -> Wish:
    _refuse_foreign(fields, ONLY_V1, "2.0")
    if fields.get("duration", fields.get("seconds")) != fields.get("seconds", fields.get("duration")):
        raise wrong_field("seconds", "it is another length than 'duration'")
    name = "seconds" if "seconds" in fields else "duration"
    seconds = _one_of(fields, name, V2_SECONDS, 4)
    size = _one_of(fields, "size", V2_SIZES, "720x1280")
    _check_images(fields)
    width, _, height = size.partition("x")
    return _wish(fields, model, seconds, size, (int(width), int(height)), None)


def _wish(
    fields: dict[str, Any], model: str, seconds: int, size: str, pixels: tuple[int, int], orientation: str | None
) -> Wish:
    return Wish(
        contract="acedata",
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


def _check_type(name: str, value: Any) -> None:
    expected = TYPES.get(name)
    if expected is None:
        raise unknown_field(name)
    if type(value) is not expected:  # exactly: True is no integer here
        raise wrong_field(name, f"expected {expected.__name__}, got {type(value).__name__}")


def _refuse_foreign(fields: dict[str, Any], names: tuple[str, ...], version: str) -> None:
    for name in names:
        if name in fields:
            raise wrong_field(name, f"version {version} does not take it")


def _one_of(fields: dict[str, Any], name: str, allowed: tuple[Any, ...], default: Any) -> Any:
    value = fields.get(name, default)
    if value not in allowed:
        raise wrong_field(name, f"{value!r} is not one of {', '.join(map(str, allowed))}")
    return value


def _check_images(fields: dict[str, Any]) -> None:
    for url in fields.get("image_urls", []):
        if not isinstance(url, str) or not url.startswith(("https://", "http://", "data:image/")):
            raise wrong_field("image_urls", "expected a list of URLs")


def _check_callback(fields: dict[str, Any]) -> None:
    try:
        parts = urlsplit(fields.get("callback_url", "http://host"))
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong_field("callback_url", "expected an http or https URL")


def _check_character(fields: dict[str, Any]) -> None:
    given = [name for name in CHARACTER if name in fields]
    if not given:
        return
    missing = [name for name in CHARACTER if name not in fields]
    if missing:
        raise wrong_field(missing[0], "character_url, character_start and character_end go together")
    if fields["character_start"] < 0 or fields["character_end"] - fields["character_start"] not in CHARACTER_SPANS:
        raise wrong_field("character_end", "it must be 1 to 3 seconds after character_start")
