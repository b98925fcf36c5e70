"""A provider's own words for the things that our columns say: one knows the length as durationSeconds. Pure.

Such a name is no column of the user's own in a row of that provider: kept as one, it would buy another clip in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.batch.columns.names import canonical_name, parameter_key, plain_meaning
from pipelines.providers.profile.model import Mode, Profile

_VEO_FRAMES = ("image", "lastFrame")

#: The column of ours that says the same. A clip to remix and an address to call are given in other words, or elsewhere.
ColumnMeaning = Literal["model", "seconds", "size", "orientation", "image_url", "remix_of", "callback"]


@dataclass(frozen=True, slots=True)
class Word:
    """One field of a provider's requests."""

    field: str  # as the request spells it
    meaning: ColumnMeaning
    place: int | None = None  # of an image that has a field for itself: how many stand before it


def image_field_names(mode: Mode, profile: Profile) -> tuple[str, ...]:
    """The fields of a mode that take reference images, in the order of these where each takes one."""
    rule = mode.images
    if not rule.most or mode.prompt_style == "content":
        return ()
    if (mode.contract or profile.contract) == "veo":
        return _VEO_FRAMES[: rule.most]
    if rule.style == "each":
        return rule.fields[: rule.most]
    return (rule.field, rule.file_field) if rule.file_field else (rule.field,)


def selecting_names(profile: Profile) -> Mapping[str, str]:
    """Fixed keys and parameters of a profile's modes, which own columns may mean, by their plainest spelling."""
    names = {parameter_key(name): name for mode in profile.modes for name in (*mode.fixed, *mode.parameters)}
    rules = (item for mode in profile.modes for item in mode.parameters.items())
    return {parameter_key(rule.field): name for name, rule in rules if rule.field} | names


def vendor_words(profile: Profile) -> Mapping[str, Word | None]:
    """The fields that say what our columns say, by their plainest spelling; None: one that its modes use differently.

    Left out are the names that are ours as well, and those that a row gives as parameters or to choose a mode.
    """
    found: dict[str, Word | None] = {}
    others = {*selecting_names(profile), *(parameter_key(mode.prompt_field) for mode in profile.modes)}
    for mode in profile.modes:
        for word in mode_words(mode, profile):
            key = parameter_key(word.field)
            if key not in others and canonical_name(word.field) != word.meaning:
                known = found.setdefault(key, word)
                alike = known is not None and (known.meaning, known.place) == (word.meaning, word.place)
                found[key] = known if alike else None
    return found


def mode_words(mode: Mode, profile: Profile) -> Iterator[Word]:
    """The fields of the requests of one mode that say what our columns say."""
    if mode.model_field is not None:
        yield Word(mode.model_field, "model")
    if mode.seconds is not None:
        yield Word(mode.seconds.field, "seconds")
    if mode.size is not None:
        yield Word(mode.size.field, "size")
    if mode.orientation is not None:
        yield Word(mode.orientation.field, "orientation")
    in_places = mode.images.style == "each" or (mode.contract or profile.contract) == "veo"
    for place, field in enumerate(image_field_names(mode, profile)):
        yield Word(field, "image_url", place if in_places else None)
    if mode.remix is not None and mode.remix.field is not None:
        yield Word(mode.remix.field, "remix_of")
    callback = profile.callback_field_of(mode.name)
    if callback is not None:
        yield Word(callback, "callback")


def vendor_keys(profiles: Iterable[Profile]) -> frozenset[str]:
    """Every name that these providers know, by its plainest spelling: none of them is a misspelling."""
    keys = ((*vendor_words(profile), *map(parameter_key, profile.not_offered)) for profile in profiles)
    return frozenset(key for each in keys for key in each)


def contrary_keys(profiles: Iterable[Profile]) -> frozenset[str]:
    """Those of them that elsewhere are another name of another column of ours, which gives way."""
    words = (item for profile in profiles for item in vendor_words(profile).items())
    return frozenset(key for key, word in words if word and plain_meaning(key) not in (None, word.meaning))


def list_keys(profiles: Iterable[Profile]) -> frozenset[str]:
    """Those of them that may be lists."""
    words = (item for profile in profiles for item in vendor_words(profile).items())
    return frozenset(key for key, word in words if word and word.meaning == "image_url" and word.place is None)
