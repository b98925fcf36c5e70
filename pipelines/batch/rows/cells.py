"""One cell of a batch, read strictly: nothing is guessed, and nothing is mended in silence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pipelines.batch.files.document import Value
from pipelines.batch.rows.ids import id_problem
from pipelines.batch.rows.reference import address_problem, is_address, split_references
from pipelines.core.shape import shape_named
from pipelines.core.text.excerpt import quoted

MOST_TAKES = 100

_WHOLE = re.compile(r"\+?([0-9]{1,6})(?:\.0{1,6})?")
_SECONDS = re.compile(_WHOLE.pattern + r"\s*(?:s|secs?|seconds?)?")
_SIZE = re.compile("([0-9]{1,5})\\s*[x\u00d7*]\\s*([0-9]{1,5})")

_YES = frozenset({"true", "yes", "y", "1", "on", "x", "enabled", "active", "ready", "for production"})
_NO = frozenset(
    {"false", "no", "n", "0", "off", "disabled", "skip", "skipped", "done", "not produced", "draft", "hold"}
)


class CellUnfit(ValueError):
    """A cell that cannot be read: what is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def one_text(value: Value) -> str:
    """A text; a list is refused.

    Raises:
        CellUnfit: it is something else.
    """
    if not isinstance(value, str):
        raise CellUnfit("takes one value, not a list.", "Write one value.")
    return value


def id_of(value: Value) -> str:
    """An id that is plain on every file system.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    problem = id_problem(text)
    if problem:
        raise CellUnfit(f"{quoted(text)} {problem}", "Choose another id, or leave it empty.")
    return text


def one_line(value: Value) -> str:
    """A text on one line.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    if "\n" in text or "\r" in text or "\t" in text:
        raise CellUnfit("has a line end or a tab in it.", "Write it on one line.")
    return text


def seconds_of(value: Value) -> int:
    """A length in whole seconds, of one or more.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    seconds = _whole_of(_SECONDS, text)
    if not seconds:
        raise CellUnfit(f"{quoted(text, 40)} is not a whole number of seconds.", "Write for example 8.")
    return seconds


def second_of(value: Value) -> int:
    """A moment in whole seconds; it may be the first.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    seconds = _whole_of(_SECONDS, text)
    if seconds is None:
        raise CellUnfit(f"{quoted(text, 40)} is not a whole number of seconds.", "Write for example 0 or 2.")
    return seconds


def takes_of(value: Value) -> int:
    """A number of takes.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    takes = _whole_of(_WHOLE, text)
    if takes is None or not 1 <= takes <= MOST_TAKES:
        raise CellUnfit(
            f"{quoted(text, 40)} is not a number of takes.", f"Write a whole number from 1 to {MOST_TAKES}."
        )
    return takes


@lru_cache(maxsize=1024)
def _whole_of(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.fullmatch(text.casefold())
    return int(match.group(1)) if match else None


def size_of(value: Value) -> str:
    """A size such as 1280x720, or a word of the provider's.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_line(value).casefold()
    match = _SIZE.fullmatch(text)
    if match:
        width, height = int(match.group(1)), int(match.group(2))
        if not width or not height:
            raise CellUnfit(f"{quoted(text, 40)} is no picture.", "Write for example 1280x720.")
        return f"{width}x{height}"
    if shape_named(text):
        raise CellUnfit(f"{quoted(text, 40)} is an orientation.", 'Put it into a column "orientation".')
    return text


def orientation_of(value: Value) -> str:
    """A shape, in the word for it.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    shape = shape_named(text)
    if shape is None:
        fix = "Allowed: landscape, portrait, square, adaptive, or a ratio such as 16:9 or 4:3."
        raise CellUnfit(f"{quoted(text, 40)} is not an orientation.", fix)
    return shape


def references_of(value: Value) -> tuple[str, ...]:
    """The images that a cell names: addresses and paths.

    Raises:
        CellUnfit: it is something else.
    """
    found = split_references(value) if isinstance(value, str) else tuple(item.strip() for item in value or ())
    return tuple(address_of(one) if is_address(one) else one for one in found)


def address_of(value: Value) -> str:
    """An address that a provider can open.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    problem = address_problem(text)
    if problem:
        # What follows a "?" is often a signature: it does not belong into a message.
        raise CellUnfit(
            f"{quoted(text.partition('?')[0].rpartition('@')[2])} {problem}", "Give a public https:// address."
        )
    return text


def prompt_of(value: Value) -> str:
    """A prompt; one without anything to read is empty."""
    text = one_text(value)
    return text if any(unicodedata.category(sign)[0] not in "ZC" for sign in text) else ""


@lru_cache(maxsize=1024)
def fallback_names(value: Value) -> tuple[str, ...]:
    """The entries of a list of fallbacks, as they are written; the word `none` alone means that there is none."""
    parts = (value,) if isinstance(value, str) else value or ()
    names = tuple(name for part in parts for each in re.split(r"[,;|\n]", part) if (name := each.strip()))
    return () if [name.casefold() for name in names] == ["none"] else names


@lru_cache(maxsize=1024)
def tags_of(value: Value) -> tuple[str, ...]:
    """The tags of a cell, each once.

    Raises:
        CellUnfit: it is something else.
    """
    tags = re.split(r"[,;|]", value) if isinstance(value, str) else value or ()
    return tuple(dict.fromkeys(one_line(trimmed) for tag in tags if (trimmed := tag.strip())))


def yes_or_no(value: Value) -> bool:
    """True for yes, whatever the word for it.

    Raises:
        CellUnfit: it is something else.
    """
    text = one_text(value)
    word = " ".join(text.casefold().split())
    if word not in _YES and word not in _NO:
        raise CellUnfit(f"{quoted(text, 40)} is neither yes nor no.", "Write yes or no.")
    return word in _YES


#: How a cell of each of our columns is read.
READERS: Mapping[str, Callable[[Value], Any]] = {
    "prompt": prompt_of,
    "id": id_of,
    "filename": one_line,
    "provider": one_line,
    "model": one_line,
    "seconds": seconds_of,
    "size": size_of,
    "orientation": orientation_of,
    "image_url": references_of,
    "character_url": address_of,
    "character_start": second_of,
    "character_end": second_of,
    "remix_of": one_line,
    "fallback": fallback_names,
    "takes": takes_of,
    "tags": tags_of,
    "enabled": yes_or_no,
    "skip": yes_or_no,
    "campaign": one_line,
}
