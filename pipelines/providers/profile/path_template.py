"""Paths with gaps, such as `/models/{model}/predictions`: what may stand in a gap, and how it is written there. Pure.

A path may have a query with gaps, such as `/files?file_id={result_id}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

_GAP = re.compile(r"\{(\+?)([^{}]*)\}")
#: Words that only an order has; who knows a job by its id alone cannot fill them in. Their slashes divide them.
OF_ORDER = frozenset({"model", "app"})


class PathRefused(ValueError):
    """A word cannot stand in a path: it would lead somewhere else."""


def gaps(template: str) -> list[str]:
    """The names of the gaps in a path, in their order."""
    return [name for _, name in _GAP.findall(template)]


def bare(template: str) -> str:
    """A path with a harmless word in every gap, to see whether the rest of it is one."""
    return _GAP.sub("x", template)


def with_query(path: str, query: str) -> str:
    """A path with a further query behind it, where there is one to add."""
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


def filled(template: str, words: Mapping[str, str]) -> str:
    """The path with each gap filled in and percent-encoded.

    A word is one part of the path, so that a slash in it is encoded; `{model}`, `{app}`, and a name after a plus as in `{+id}`,
    keep their slashes, and each part between them is encoded.

    Raises:
        PathRefused: nothing stands in a gap, or a part that leads elsewhere, such as `..`.
    """

    def written(match: re.Match[str]) -> str:
        plus, name = match.groups()
        word = words.get(name, "")
        parts = word.split("/") if plus or name in OF_ORDER else [word]
        if reason := refused_part(parts):
            raise PathRefused(f'"{word[:80]}" cannot be the {name} in a path: {reason}.')
        return "/".join(quote(part, safe="") for part in parts)

    return _GAP.sub(written, template)


def refused_part(parts: list[str]) -> str | None:
    """The reason why these cannot be parts of a path, or None."""
    if not all(parts):
        return "a part of it is empty"
    if any(part.strip() in (".", "..") for part in parts):
        return "a part of it leads elsewhere"
    if any(not part.isprintable() or part != part.strip() for part in parts):
        return "it has a space at an end, or something that cannot be seen"
    return None
