"""Check that each part of an order has a field of the request for itself: of two in one, one would be lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.checks.findings import Disagreement
from pipelines.providers.profile.field_path import steps
from pipelines.providers.profile.model import Mode, Profile

_Claim = tuple[Place, str]  # what is sent, by its place in the mode, and the field that takes it

_CHARACTER = ("character_url", "character_start", "character_end")
_VEO: Mapping[str, Place] = {"model": ("models",), "instances": ("prompt_field",), "parameters": ("parameters",)}


def clashes(mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    """Find what a mode would send in the place of something else, and where the mode says so."""
    taken: dict[str, Place] = {}
    for place, field in _claims(mode, profile):
        if steps(field) is None:
            yield place, f'"{field}" names no field of the request. Write for example prompt, or input.prompt.'
        elif (other := _in_the_way(field, taken)) is not None:
            yield place, f'"{field}" {_lost(taken[other])}'
        else:
            taken[field] = place
    yield from _overruled(("fixed",), mode.fixed, taken)
    if mode.remix is not None:
        yield from _overruled(("remix", "fixed"), mode.remix.fixed, taken)


def clashes_of_all(profile: Profile) -> Iterator[Disagreement]:
    """Find what the `fixed` of the whole profile would send in the place of something that an order says."""
    found: dict[Place, str] = {}
    for mode in profile.modes:
        is_veo = (mode.contract or profile.contract) == "veo"
        claims = dict(_VEO) if is_veo else {field: place for place, field in _claims(mode, profile)}
        parts = {field: place for field, place in claims.items() if len(place) == 1 or place[0] != "parameters"}
        found |= dict(_overruled(("fixed",), profile.fixed, parts))
    yield from found.items()


def _in_the_way(field: str, taken: Iterable[str]) -> str | None:
    """The field that is the same place as another one, or lies around it, or inside it."""
    here = steps(field) or ()
    ways = ((other, steps(other) or ()) for other in taken)
    return next((other for other, way in ways if way[: len(here)] == here or here[: len(way)] == way), None)


def _overruled(around: Place, values: Mapping[str, Any], taken: Mapping[str, Place]) -> Iterator[Disagreement]:
    """Constants in the way of something that is ordered; an object stands around it, and is joined with it."""
    for field, value in values.items():
        if steps(field) is None:
            yield (*around, field), "names no field of the request."
        for inner in _leaves(field, value):
            if (other := _in_the_way(inner, taken)) is not None:
                yield (*around, field), _lost(taken[other])
                break


def _leaves(field: str, value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping) or not value:
        yield field
        return
    for name, inner in value.items():
        yield from _leaves(f"{field}.{name}", inner)


def _lost(place: Place) -> str:
    of = f"`parameters.{place[1]}`" if place[0] == "parameters" and len(place) > 1 else f"`{place[0]}`"
    return f"is the field of {of} too, so one of them would be lost."


def _claims(mode: Mode, profile: Profile) -> Iterator[_Claim]:
    """Every field that an order of this mode may fill; with the contract veo, of the parameters in its request."""
    if (mode.contract or profile.contract) != "veo":
        yield from _around(mode, profile)
    if mode.seconds is not None:
        yield ("seconds", "field"), mode.seconds.field
    if mode.size is not None and not mode.size.is_divided:
        yield ("size", "field"), mode.size.field
    elif mode.size is not None:
        for key in ("width_field", "height_field", "ratio_field", "resolution_field"):
            if (field := getattr(mode.size, key)) is not None:
                yield ("size", key), field
    if mode.orientation is not None:
        yield ("orientation", "field"), mode.orientation.field
    for name, parameter in mode.parameters.items():
        yield ("parameters", name), name if parameter.field is None else parameter.field


def _around(mode: Mode, profile: Profile) -> Iterator[_Claim]:
    """The fields of what every contract but veo has beside length, shape and parameters."""
    if mode.model_field is not None:
        yield ("model_field",), mode.model_field
    yield ("prompt_field",), mode.prompt_field
    rule = mode.images
    if rule.most and mode.prompt_style == "text":
        fields = rule.fields if rule.style == "each" else (rule.field,)
        for index, field in enumerate(fields):
            yield ("images", "fields", index) if rule.style == "each" else ("images", "field"), field
        uploaded = (rule.file_field or rule.field) if "file" in rule.forms else None
        if uploaded is not None and uploaded not in fields:
            yield ("images", "file_field"), uploaded
    if mode.character:
        yield from ((("character",), field) for field in _CHARACTER)
    if profile.attempt_field is not None:
        yield ("attempt_field",), profile.attempt_field
    callback = profile.callback_field_of(mode.name)
    if callback is not None:
        yield ("callback_field",), callback
    if mode.remix is not None and mode.remix.field is not None:
        yield ("remix", "field"), mode.remix.field
