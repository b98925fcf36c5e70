"""One row of a batch, after defaults: every cell read strictly, nothing guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipelines.batch.files.document import Value
from pipelines.batch.findings import RowFinding
from pipelines.batch.rows.ids import id_problem
from pipelines.batch.rows.reference import address_problem, is_address, is_internal, split_references
from pipelines.core.shape import shape_named
from pipelines.core.text.excerpt import quoted

MOST_TAKES = 100

_WHOLE = re.compile(r"\+?([0-9]{1,6})(?:\.0{1,6})?")
_SECONDS = re.compile(_WHOLE.pattern + r"\s*(?:s|secs?|seconds?)?")
_SIZE = re.compile("([0-9]{1,5})\\s*[x\u00d7*]\\s*([0-9]{1,5})")
_CHARACTER = ("character_url", "character_start", "character_end")
_MOST_CHARACTER_SECONDS = 3

_YES = frozenset({"true", "yes", "y", "1", "on", "x", "enabled", "active", "ready", "for production"})
_NO = frozenset(
    {"false", "no", "n", "0", "off", "disabled", "skip", "skipped", "done", "not produced", "draft", "hold"}
)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row as it was understood. The prompt and the file name may still be templates."""

    prompt: str = ""
    id: str | None = None
    filename: str | None = None
    provider: str | None = None
    model: str | None = None
    seconds: int | None = None
    size: str | None = None
    orientation: str | None = None
    image_url: tuple[str, ...] = ()
    character_url: str | None = None
    character_start: int | None = None
    character_end: int | None = None
    remix_of: str | None = None
    fallback: tuple[str, ...] | None = None  # None: what holds for the whole batch
    takes: int = 1
    tags: tuple[str, ...] = ()
    enabled: bool = True
    skip: bool = False
    campaign: str | None = None


class _Unfit(ValueError):
    """A cell that cannot be read: what is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def read_row(values: Mapping[str, Value]) -> tuple[BatchRow, list[RowFinding], list[RowFinding]]:
    """Read the canonical columns of one row.

    Args:
        values: canonical name -> cell, trimmed, only cells that are not empty.

    Returns:
        The row, problems and warnings. A cell with a problem counts as not given.
    """
    read: dict[str, Any] = {}
    problems: list[RowFinding] = []
    warnings: list[RowFinding] = []
    for name, value in values.items():
        if value is None:
            continue
        try:
            read[name] = _READERS[name](value)
        except _Unfit as unfit:
            problems.append(RowFinding(name, unfit.what, unfit.fix))
    if any(name in values for name in _CHARACTER):
        _check_character(read, problems)
    for name in ("image_url", "character_url"):
        addresses = read.get(name) or ()
        for address in (addresses,) if isinstance(addresses, str) else addresses:
            if is_address(address) and is_internal(address):
                what, fix = (
                    "is an internal address, which a provider cannot reach.",
                    "The provider opens it, not this machine.",
                )
                warnings.append(RowFinding(name, what, fix))
    return BatchRow(**read), problems, warnings


def _check_character(read: dict[str, Any], problems: list[RowFinding]) -> None:
    missing = [name for name in _CHARACTER if name not in read]
    if missing:
        if not any(problem.column in missing for problem in problems):
            fix = "Give character_url, character_start and character_end, or none of them."
            problems.append(RowFinding(missing[0], "is missing beside the other character columns.", fix))
        return
    span = read["character_end"] - read["character_start"]
    if not 1 <= span <= _MOST_CHARACTER_SECONDS:
        what = f"is {span} s after character_start."
        fix = f"Choose a part of 1 to {_MOST_CHARACTER_SECONDS} seconds."
        problems.append(RowFinding("character_end", what, fix))


def _one(value: Value) -> str:
    if not isinstance(value, str):
        raise _Unfit("takes one value, not a list.", "Write one value.")
    return value


def _id(value: Value) -> str:
    text = _one(value)
    problem = id_problem(text)
    if problem:
        raise _Unfit(f"{quoted(text)} {problem}", "Choose another id, or leave it empty.")
    return text


def _plain(value: Value) -> str:
    text = _one(value)
    if "\n" in text or "\r" in text or "\t" in text:
        raise _Unfit("has a line end or a tab in it.", "Write it on one line.")
    return text


def _seconds(value: Value) -> int:
    text = _one(value)
    seconds = _whole_of(_SECONDS, text)
    if not seconds:
        raise _Unfit(f"{quoted(text, 40)} is not a whole number of seconds.", "Write for example 8.")
    return seconds


def _second(value: Value) -> int:
    text = _one(value)
    seconds = _whole_of(_SECONDS, text)
    if seconds is None:
        raise _Unfit(f"{quoted(text, 40)} is not a whole number of seconds.", "Write for example 0 or 2.")
    return seconds


def _takes(value: Value) -> int:
    text = _one(value)
    takes = _whole_of(_WHOLE, text)
    if takes is None or not 1 <= takes <= MOST_TAKES:
        raise _Unfit(f"{quoted(text, 40)} is not a number of takes.", f"Write a whole number from 1 to {MOST_TAKES}.")
    return takes


@lru_cache(maxsize=1024)
def _whole_of(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.fullmatch(text.casefold())
    return int(match.group(1)) if match else None


def _size(value: Value) -> str:
    text = _plain(value).casefold()
    match = _SIZE.fullmatch(text)
    if match:
        width, height = int(match.group(1)), int(match.group(2))
        if not width or not height:
            raise _Unfit(f"{quoted(text, 40)} is no picture.", "Write for example 1280x720.")
        return f"{width}x{height}"
    if shape_named(text):
        raise _Unfit(f"{quoted(text, 40)} is an orientation.", 'Put it into a column "orientation".')
    return text


def _orientation(value: Value) -> str:
    text = _one(value)
    shape = shape_named(text)
    if shape is None:
        fix = "Allowed: landscape, portrait, square, adaptive, or a ratio such as 16:9 or 4:3."
        raise _Unfit(f"{quoted(text, 40)} is not an orientation.", fix)
    return shape


def _pictures(value: Value) -> tuple[str, ...]:
    found = split_references(value) if isinstance(value, str) else tuple(item.strip() for item in value or ())
    return tuple(_address(one) if is_address(one) else one for one in found)


def _address(value: Value) -> str:
    text = _one(value)
    problem = address_problem(text)
    if problem:
        # What follows a "?" is often a signature: it does not belong into a message.
        raise _Unfit(
            f"{quoted(text.partition('?')[0].rpartition('@')[2])} {problem}", "Give a public https:// address."
        )
    return text


def _prompt(value: Value) -> str:
    text = _one(value)
    return text if any(unicodedata.category(sign)[0] not in "ZC" for sign in text) else ""


@lru_cache(maxsize=1024)
def fallback_names(value: Value) -> tuple[str, ...]:
    """The entries of a list of fallbacks, as they are written; the word `none` alone means that there is none."""
    parts = (value,) if isinstance(value, str) else value or ()
    names = tuple(name for part in parts for each in re.split(r"[,;|\n]", part) if (name := each.strip()))
    return () if [name.casefold() for name in names] == ["none"] else names


@lru_cache(maxsize=1024)
def _tags(value: Value) -> tuple[str, ...]:
    tags = re.split(r"[,;|]", value) if isinstance(value, str) else value or ()
    return tuple(dict.fromkeys(_plain(trimmed) for tag in tags if (trimmed := tag.strip())))


def _yes_or_no(value: Value) -> bool:
    text = _one(value)
    word = " ".join(text.casefold().split())
    if word not in _YES and word not in _NO:
        raise _Unfit(f"{quoted(text, 40)} is neither yes nor no.", "Write yes or no.")
    return word in _YES


_READERS: Mapping[str, Callable[[Value], Any]] = {
    "prompt": _prompt,
    "id": _id,
    "filename": _plain,
    "provider": _plain,
    "model": _plain,
    "seconds": _seconds,
    "size": _size,
    "orientation": _orientation,
    "image_url": _pictures,
    "character_url": _address,
    "character_start": _second,
    "character_end": _second,
    "remix_of": _plain,
    "fallback": fallback_names,
    "takes": _takes,
    "tags": _tags,
    "enabled": _yes_or_no,
    "skip": _yes_or_no,
    "campaign": _plain,
}
