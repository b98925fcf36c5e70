"""Check that each part of an order has a field of the request for itself: of two in one, one would be lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.checks.findings import Disagreement
from pipelines.providers.profile.model import Mode, Profile

_Claim = tuple[Place, str]  # what is sent, by its place in the mode, and the field that takes it

_CHARACTER = ("character_url", "character_start", "character_end")
_VEO: Mapping[str, Place] = {"model": ("models",), "instances": ("prompt_field",), "parameters": ("parameters",)}


def clashes(mode: Mode, profile: Profile) -> Iterator[Disagreement]:
    """Find what a mode would send in the place of something else, and where the mode says so."""
    taken: dict[str, Place] = {}
    for place, field in _claims(mode, profile):
        if not field.strip():
            yield place, "is empty: a field of the request needs a name."
        elif field in taken:
            yield place, f'"{field}" {_lost(taken[field])}'
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


def _overruled(around: Place, values: Mapping[str, Any], taken: Mapping[str, Place]) -> Iterator[Disagreement]:
    return (((*around, field), _lost(taken[field])) for field in values if field in taken)


def _lost(place: Place) -> str:
    of = f"`parameters.{place[1]}`" if place[0] == "parameters" and len(place) > 1 else f"`{place[0]}`"
    return f"is the field of {of} too, so one of them would be lost."


def _claims(mode: Mode, profile: Profile) -> Iterator[_Claim]:
    """Every field that an order of this mode may fill; with the contract veo, of the parameters in its request."""
    if (mode.contract or profile.contract) != "veo":
        yield from _around(mode, profile)
    for name, rule in (("seconds", mode.seconds), ("size", mode.size), ("orientation", mode.orientation)):
        if rule is not None:
            yield (name, "field"), rule.field
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
    callback = profile.callback_field_of(mode.name)
    if callback is not None:
        yield ("callback_field",), callback
    if mode.remix is not None and mode.remix.field is not None:
        yield ("remix", "field"), mode.remix.field
