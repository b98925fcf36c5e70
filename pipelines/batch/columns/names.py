"""The names of columns: our own, what people call them elsewhere, and the user's own.

A header that is nearly one of ours is refused: a misspelt column must not buy a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pipelines.batch.findings import Report
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import edit_distance

#: The columns that reelbatch understands, in the order in which it shows them.
CANONICAL = (
    "prompt",
    "id",
    "filename",
    "provider",
    "model",
    "seconds",
    "size",
    "orientation",
    "image_url",
    "character_url",
    "character_start",
    "character_end",
    "remix_of",
    "fallback",
    "takes",
    "tags",
    "enabled",
    "skip",
    "campaign",
)

#: Other names for them. Where the canonical name is there too, these mean the same thing twice.
_ALIASES = {
    "duration": "seconds",
    "engine": "model",
    "aspect": "orientation",
    "aspect_ratio": "orientation",
    "ratio": "orientation",
    "image": "image_url",
    "image_urls": "image_url",
    "input_reference": "image_url",
    "first_frame": "image_url",
    "fallbacks": "fallback",
    "variants": "takes",
    "video_count": "takes",
    "tag": "tags",
}

#: Other names that are just as often a column of the user's own: they give way where the canonical name is there.
_WEAK_ALIASES = {
    "text": "prompt",
    "scene": "prompt",
    "description": "prompt",
    "video_prompt": "prompt",
    "key": "id",
    "row_id": "id",
    "sku": "id",
    "out": "filename",
    "output": "filename",
    "output_name": "filename",
    "count": "takes",
    "n": "takes",
    "group": "campaign",
}

#: Words that surely mean one of ours and would otherwise be kept without effect.
_MEANT = {
    "sec": "seconds",
    "secs": "seconds",
    "length": "seconds",
    "duration_s": "seconds",
    "duration_seconds": "seconds",
    "length_seconds": "seconds",
    "resolution": "size",
    "dimensions": "size",
    "image_link": "image_url",
    "vendor": "provider",
}

#: Parameters of many generators. Nobody should believe that they have an effect where the provider takes none.
WELL_KNOWN = frozenset({"negativeprompt", "seed", "fps", "cfgscale", "guidancescale"})

#: Other names of parameters, both in their plainest spelling.
_PARAMETER_ALIASES = {"negative": "negativeprompt"}

#: Words of their own, although a slip of the pen away from one of ours.
_NO_SLIPS = frozenset({"mode", "callback", "rollback"})

_ALL = {name: name for name in CANONICAL} | _ALIASES | _WEAK_ALIASES


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a batch."""

    written: str  # as the user wrote it
    name: str  # the canonical name, or the normalised own name
    own: bool  # the user's own: kept as text, not understood
    variable: str  # its name in a template


@lru_cache(maxsize=4096)
def normalised(name: str) -> str:
    """A header without the differences that nobody means: case, blanks, dashes."""
    return re.sub(r"[\s_\-]+", "_", name.strip().casefold()).strip("_")


@lru_cache(maxsize=4096)
def variable_name(name: str) -> str:
    """The name of a column in a template: "Product Name" is `product_name`."""
    return re.sub(r"\W", "_", normalised(name))


@lru_cache(maxsize=4096)
def parameter_key(name: str) -> str:
    """A parameter in its plainest spelling, in which "Negative Prompt" and `negativePrompt` are the same."""
    plain = normalised(name).replace("_", "")
    return _PARAMETER_ALIASES.get(plain, plain)


def canonical_name(name: str) -> str | None:
    """The canonical name behind a header or an alias of it, or None."""
    return _ALL.get(normalised(name))


@lru_cache(maxsize=4096)
def plain_meaning(key: str) -> str | None:
    """The canonical name behind a header in its plainest spelling, or None."""
    return next((meaning for name, meaning in _ALL.items() if parameter_key(name) == key), None)


def refused_meanings() -> Mapping[str, str]:
    """The words that surely mean one of ours, and are refused as columns; with the canonical name of each."""
    return _MEANT


def meanings_of(names: Iterable[str], parameters: frozenset[str] = frozenset()) -> dict[str, str | None]:
    """The canonical name behind each header; None: a column of the user's own.

    An alias gives way to a parameter of that name, and a weak one to any surer column of the same meaning.

    Args:
        names: the columns as they are written.
        parameters: what the providers take besides, as `parameter_key` spells it.
    """
    keys = {name: normalised(name) for name in names}
    surely = {_ALL[key] for key in keys.values() if key in _ALL and key not in _WEAK_ALIASES}
    meanings: dict[str, str | None] = {}
    for name, key in keys.items():
        meaning = _ALL.get(key)
        gives_way = key in _WEAK_ALIASES and meaning in surely
        is_parameter = meaning != key and parameter_key(name) in parameters
        meanings[name] = None if gives_way or is_parameter else meaning
    return meanings


def recognise(
    names: Iterable[str],
    where: str,
    report: Report,
    parameters: frozenset[str] = frozenset(),
    tolerated: frozenset[str] = frozenset(),
    *,
    pictures_alone: bool = False,
) -> dict[str, Column]:
    """Say what each column is.

    Args:
        names: the columns as they are written, each once.
        where: the place that messages name.
        report: takes near misses, doubles, a missing prompt, and which aliases were understood.
        parameters: what the providers of this batch take besides, as `parameter_key` spells it. An alias of ours gives
            way to such a name.
        tolerated: other names that are no misspelling, spelt in the same way.
        pictures_alone: a provider of this batch makes a clip of a picture without any words.

    Returns:
        The columns by their written names, in order. A column without a name is left out.
    """
    meanings = meanings_of([name for name in names if name], parameters)
    columns: dict[str, Column] = {}
    taken: dict[str, str] = {}
    for name, meaning in meanings.items():
        key = normalised(name)
        columns[name] = Column(name, meaning or key, meaning is None, variable_name(name))
        if meaning is None:
            meant = near_miss(key) if parameter_key(name) not in parameters | tolerated else None
            if meant:
                fix = f'Write "{meant}", or give your own column another name.'
                what = f'the column {quoted(name, 40)} looks like "{meant}" and would have no effect.'
                report.problem(where, what, fix)
            continue
        twin = taken.setdefault(meaning, name)
        if twin != name:
            what = f"the columns {quoted(twin, 40)} and {quoted(name, 40)} mean the same."
            report.problem(where, what, f'Keep one of them as "{meaning}".')
        elif meaning != key:
            report.warn(where, f"the column {quoted(name, 40)} is read as {meaning}.")
    if "prompt" not in taken and not (pictures_alone and "image_url" in taken):
        found = first_of([quoted(name, 40) for name in meanings], 20) or "none"
        report.problem(where, f"there is no prompt. Columns found: {found}.", 'Name the column with the text "prompt".')
    return columns


@lru_cache(maxsize=4096)
def near_miss(key: str) -> str | None:
    """The canonical name that a normalised header was probably meant to be, or None.

    One slip in a name of four letters or more, two from seven on. A changed letter in a name of four or five is no
    slip: `site` is not `size`, and `mode` is a word of its own.
    """
    if key in _MEANT or key in _NO_SLIPS:
        return _MEANT.get(key)
    for name in (*CANONICAL, *_ALIASES):
        if len(name) < 4:  # noqa: PLR2004 - see the docstring
            continue
        slips = 2 if len(name) > 6 else 1  # noqa: PLR2004 - a long name has room for two
        same_length = len(key) == len(name)
        if same_length and len(name) < 6 and sorted(key) != sorted(name):  # noqa: PLR2004 - nor is a short one
            continue
        if abs(len(key) - len(name)) <= slips and edit_distance(key, name) <= slips:
            return _ALL[name]
    return None
