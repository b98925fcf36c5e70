"""A provider's own words for the things that our columns say: one knows the length as durationSeconds. Pure.

Such a name is no column of the user's own in a row of that provider: kept as one, it would buy another clip in silence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.batch.columns.names import canonical_name, parameter_key, plain_meaning
from pipelines.providers.profile.model import Mode, Profile

_VEO_FRAMES = ("image", "lastFrame")
_INDEXES = re.compile(r"(\[\d\])+$")
#: Ends of places that say nothing by themselves: columns of these names are the user's own far more often.
_BARE = frozenset({"url", "uri", "data", "value", "name", "type", "content", "text", "title", "key", "id", "file"})
_SHORTEST = 3  # letters of an end that is read
_MS_PER_S = 1000
_SIZE_HINT = "size, such as 1920x1080"

#: The column of ours that says the same. A clip to remix and an address to call are given in other words, or elsewhere.
ColumnMeaning = Literal["model", "seconds", "size", "orientation", "image_url", "remix_of", "callback"]


@dataclass(frozen=True, slots=True)
class Word:
    """One field of a provider's requests."""

    field: str  # as the request spells it
    meaning: ColumnMeaning
    place: int | None = None  # of an image that has a field for itself: how many stand before it
    per_second: int = 1  # of a length: how many of its unit are a second
    more: int = 0  # of a length: how many of its unit come beside those

    def in_our_words(self, text: str) -> str | None:
        """A value of this field as our column says it; None: a length that is no whole number of seconds."""
        if self.meaning != "seconds" or self.per_second == 1:
            return text
        count = int(text) - self.more if text.isascii() and text.isdecimal() else 0
        return str(count // self.per_second) if count > 0 and count % self.per_second == 0 else None


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
    """Fixed keys and parameters of a profile's modes, which own columns may mean, by their plainest spelling.

    A parameter at a nested place is known by the last name of the place too, where no other part of an order is.
    """
    names = {parameter_key(name): name for mode in profile.modes for name in (*mode.fixed, *mode.parameters)}
    rules = [item for mode in profile.modes for item in mode.parameters.items()]
    ends = {key: found for key, found in _ends(profile).items() if isinstance(found, str)}
    return ends | {parameter_key(rule.field): name for name, rule in rules if rule.field} | names


def vendor_words(profile: Profile) -> Mapping[str, Word | None]:
    """The fields that say what our columns say, by their plainest spelling; None: one that its modes use differently.

    Left out are the names that are ours as well, and those that a row gives as parameters or to choose a mode. A field
    at a nested place is known by the last name of the place too, where no other part of an order is.
    """
    found: dict[str, Word | None] = {}
    others = {*selecting_names(profile), *(parameter_key(mode.prompt_field) for mode in profile.modes)}
    for mode in profile.modes:
        for word in mode_words(mode, profile):
            key = parameter_key(word.field)
            if key not in others and canonical_name(word.field) != word.meaning:
                known = found.setdefault(key, word)
                alike = known is not None and replace(known, field="") == replace(word, field="")
                found[key] = known if alike else None
    ends = {key: word for key, word in _ends(profile).items() if isinstance(word, Word)}
    return {key: word for key, word in ends.items() if key not in others} | found


def hinted_names(profiles: Iterable[Profile]) -> Mapping[str, str]:
    """What to suggest for columns named as the end of a place that cannot be read as ours, by their plainest spelling."""
    hints: dict[str, str] = {}
    for profile in profiles:
        known = {*vendor_words(profile), *selecting_names(profile)}
        for mode in profile.modes:
            words = [(word.field, str(word.meaning)) for word in mode_words(mode, profile)]
            parts = (mode.size.width_field, mode.size.height_field) if mode.size is not None else ()
            words += [(field, _SIZE_HINT) for field in parts if field]
            for field, meaning in words:
                key = parameter_key(_end_of(field))
                if key not in known and canonical_name(_end_of(field)) is None:
                    hints.setdefault(key, meaning)
    return hints


def _ends(profile: Profile) -> Mapping[str, Word | str]:
    """What the last names of nested places mean, each where it means one thing: a field of ours, or a parameter."""
    meant = defaultdict[str, set[Word | str | None]](set)
    for mode in profile.modes:
        meant[parameter_key(_end_of(mode.prompt_field))].add(None)
        for word in mode_words(mode, profile):
            known = "." in word.field and word.meaning in ("model", "seconds", "size", "orientation", "image_url")
            end = _end_of(word.field)
            clear = canonical_name(end) is None and plain_meaning(parameter_key(end)) in (None, word.meaning)
            meant[parameter_key(end)].add(word if known and clear else None)
        for name, rule in mode.parameters.items():
            meant[parameter_key(_end_of(rule.field or name))].add(name if "." in (rule.field or "") else None)
    return {
        key: found
        for key, (found, *others) in meant.items()
        if found is not None and not others and len(key) >= _SHORTEST and key not in _BARE
        if isinstance(found, Word) or plain_meaning(key) is None
    }


def _end_of(field: str) -> str:
    """The last name of a place: `length_ms` of `spec.output.length_ms`."""
    return _INDEXES.sub("", field).rpartition(".")[2]


def mode_words(mode: Mode, profile: Profile) -> Iterator[Word]:
    """The fields of the requests of one mode that say what our columns say."""
    if mode.model_field is not None:
        yield Word(mode.model_field, "model")
    if mode.seconds is not None:
        rule = mode.seconds
        per_second = {"second": 1, "millisecond": _MS_PER_S, "frame": rule.fps or 1}[rule.unit]
        yield Word(rule.field, "seconds", None, per_second, rule.more_frames if rule.unit == "frame" else 0)
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
