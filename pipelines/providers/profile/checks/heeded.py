"""Refuse what a profile says and nobody reads: a key that only another contract honours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.checks.findings import Disagreement
from pipelines.providers.profile.model import ContractName, Mode, Profile

_BODY: tuple[ContractName, ...] = ("openai", "acedata", "fal", "described")  # those that name the fields of an order
#: Which contracts read a key of a profile; what is not here is read by all.
OF_PROFILE: Mapping[str, tuple[ContractName, ...]] = {
    "answers": ("described",),
    "attempt_field": _BODY,
    "callback_query": ("described",),
    "encoding": ("openai", "described"),
    "id_path": ("openai", "acedata", "described"),
    "paths": ("openai", "acedata", "described"),
    "service": ("acedata",),
    "status_path": ("openai", "acedata", "described"),
}
OF_MODE: Mapping[str, tuple[ContractName, ...]] = {
    "character": _BODY,
    "model_field": _BODY,
    "paths": ("described",),
    "prompt_field": _BODY,
    "prompt_style": _BODY,
    "remix": _BODY,
}
OF_PATHS: Mapping[str, tuple[ContractName, ...]] = {
    "cancel": ("described",),
    "content": ("openai", "described"),
    "delete": ("openai", "described"),
    "list": ("openai", "described"),
    "result": ("described",),
}
OF_AUTH: Mapping[str, tuple[ContractName, ...]] = {"file_hosts": ("described",)}
OF_IMAGES = ("field", "style", "fields", "item_field", "item_fixed", "type_field", "file_field", "roles", "role_field")


def unheeded(profile: Profile) -> Iterator[Disagreement]:
    """Find the keys that none of the contracts of a profile reads."""
    spoken = {profile.contract_of(mode.name) for mode in profile.modes}
    yield from _unread((), profile, OF_PROFILE, spoken)
    if profile.encoding == "urlencoded" and "openai" in spoken:
        yield ("encoding",), "urlencoded has no effect with the contract openai: only described honours it."
    yield from _unread(("auth",), profile.auth, OF_AUTH, spoken)
    for name in profile.paths:
        yield from _said(("paths", name), OF_PATHS.get(name, ()), spoken)
    if profile.list_parameters and "list" not in profile.supports:
        yield ("list_parameters",), "has no effect without `supports: [list]`."
    if profile.cancel_method is not None and not any("cancel" in profile.paths | mode.paths for mode in profile.modes):
        yield ("cancel_method",), "has no effect without `paths.cancel`."
    if profile.bills_cancelled is not None and spoken == {"described"} and "cancelled" not in profile.words.values():
        yield ("bills_cancelled",), "has no effect without a word for `cancelled` in `words`."
    for what in ("list", "delete"):
        own = [("modes", index, "paths", what) for index, mode in enumerate(profile.modes) if what in mode.paths]
        places: list[Place] = [*own, *([("paths", what)] if what in profile.paths else [])]
        for place in places if what not in profile.supports else ():
            yield place, f"has no effect without `supports: [{what}]`."
    for index, mode in enumerate(profile.modes):
        yield from unheeded_in_mode(("modes", index), mode, profile.contract_of(mode.name))


def unheeded_in_mode(place: Place, mode: Mode, contract: ContractName) -> Iterator[Disagreement]:
    """Find the keys of a mode that its contract does not read, or that have no effect beside others."""
    yield from _unread(place, mode, OF_MODE, {contract})
    rule = mode.images
    if contract == "veo":
        for name in OF_IMAGES:
            if not _is_usual(rule, name):
                yield from _said((*place, "images", name), _BODY, {contract})
    elif not rule.most:
        for name in type(rule).model_fields:
            if name != "most" and not _is_usual(rule, name):
                yield (*place, "images", name), "has no effect: `most` is 0, so that no image is taken."
    yield from number_findings(place, mode)


def number_findings(place: Place, mode: Mode) -> Iterator[Disagreement]:
    """How length and size are counted, where one key takes the effect of another."""
    size = mode.size
    if size is not None and size.is_divided:
        if not _is_usual(size, "field"):
            yield (*place, "size", "field"), "has no effect beside the fields of width, height, ratio or resolution."
        words = [each for each in size.allowed if not all(side.isdecimal() for side in each.split("x", 1))]
        if not _is_usual(size, "between"):
            yield (*place, "size", "between"), "has no effect where width and height go out in fields of their own."
        if words:
            yield (*place, "size", "allowed"), f"{words[0]} is no WIDTHxHEIGHT, and cannot be divided."
        if (size.width_field is None) is not (size.height_field is None):
            yield (*place, "size"), "needs `width_field` and `height_field` together."
    seconds = mode.seconds
    if seconds is not None and (seconds.unit == "frame") is not (seconds.fps is not None):
        yield (*place, "seconds", "fps"), "and `unit: frame` go together."
    if seconds is not None and seconds.more_frames and seconds.unit != "frame":
        yield (*place, "seconds", "more_frames"), "has no effect without `unit: frame`."


def _unread(
    place: Place, model: BaseModel, table: Mapping[str, tuple[ContractName, ...]], spoken: set[ContractName]
) -> Iterator[Disagreement]:
    for name, honoured in table.items():
        if not _is_usual(model, name):
            yield from _said((*place, name), honoured, spoken)


def _said(place: Place, honoured: tuple[ContractName, ...], spoken: set[ContractName]) -> Iterator[Disagreement]:
    if honoured and not spoken.intersection(honoured):
        verb = "honours" if len(honoured) == 1 else "honour"
        yield (
            place,
            f"has no effect with the contract {' and '.join(sorted(spoken))}: only {', '.join(honoured)} {verb} it.",
        )


def _is_usual(model: BaseModel, name: str) -> bool:
    return bool(getattr(model, name) == type(model).model_fields[name].get_default(call_default_factory=True))
