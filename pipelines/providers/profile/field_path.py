"""Places in a request, such as `input.prompt` or `instances[0].prompt`, and the body that comes of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"([^.\[\]]+)((?:\[\d\])*)")
_INDEX = re.compile(r"\[(\d)\]")


class _Branch(dict[Any, Any]):
    """What lies below a place, by name or by index, before it is an object or a list."""


def steps(path: str) -> tuple[str | int, ...] | None:
    """The names and indexes on the way to a place, or None where the text is no such way."""
    found: list[str | int] = []
    for part in path.split("."):
        match = _PART.fullmatch(part)
        if match is None or part != part.strip():
            return None
        found += [match[1], *map(int, _INDEX.findall(match[2]))]
    return tuple(found)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The body in which every value stands at its place; a list has no gaps, whatever the indexes are.

    Objects that stand at one place are joined, so that a constant `input: {watermark: false}` goes with `input.prompt`.
    """
    if not any("." in name or "[" in name for name in flat):
        return dict(flat)
    tree = _Branch()
    for path, value in flat.items():
        *around, last = steps(path) or (path,)
        place = tree
        for step in around:
            if not isinstance(place.get(step), _Branch):
                place[step] = _Branch()
            place = place[step]
        _lay(place, last, value)
    body: dict[str, Any] = _plain(tree)
    return body


def flattened(body: Mapping[str, Any], paths: frozenset[str]) -> dict[str, Any]:
    """The values of a body under these paths, and under its own path each value that none of them leads to."""
    found: dict[str, Any] = {}
    left: list[tuple[str, Any]] = list(body.items())
    while left:
        path, value = left.pop(0)
        below = any(other.startswith((f"{path}.", f"{path}[")) for other in paths)
        if path in paths or not below or not isinstance(value, dict | list):
            found[path] = value
        elif isinstance(value, dict):
            left += [(f"{path}.{name}", inner) for name, inner in value.items()]
        else:
            left += [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    return found


def _lay(place: _Branch, step: str | int, value: Any) -> None:
    if not isinstance(value, Mapping):
        place[step] = value
        return
    if not isinstance(place.get(step), _Branch):
        place[step] = _Branch()
    for name, inner in value.items():
        _lay(place[step], name, inner)


def _plain(value: Any) -> Any:
    if not isinstance(value, _Branch):
        return value
    if value and all(isinstance(step, int) for step in value):
        return [_plain(value[step]) for step in sorted(value)]
    return {name: _plain(inner) for name, inner in value.items()}
