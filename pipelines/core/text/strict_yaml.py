"""YAML text becomes plain data that knows its lines. Strict, so that a profile means what it seems to say.

Only what looks like a number is one, and only `true` and `false` are truth values (YAML 1.2): `on` stays a word, and
`16:9` does not become 969. Anchors, aliases, merge keys, tags, doubled keys and control characters are refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

#: Where a value stands in a document: keys and, in lists, indexes.
Place = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is some ten times as fast
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_MOST_DEPTH = 32
_CONTROLS = frozenset({"Cc", "Cf", "Cs"})  # control, format (it can turn a line around), half of a pair
_HARMLESS = frozenset("\n\t\u200c\u200d")  # the last two join letters and pictures


class YamlRefused(ValueError):
    """The text is not YAML, or uses what is not read here. Lines and columns begin with 1."""

    def __init__(self, what: str, mark: Any = None) -> None:
        super().__init__(what)
        self.line = mark.line + 1 if mark else None
        self.column = mark.column + 1 if mark else None


@dataclass(frozen=True, slots=True)
class Located:
    """A document as plain data, and the line of each of its values."""

    value: Any
    lines: Mapping[Place, int]

    def line_of(self, place: Place) -> int | None:
        """The line of a value, or of the nearest thing around it that the text spells out."""
        for end in range(len(place), 0, -1):
            if place[:end] in self.lines:
                return self.lines[place[:end]]
        return None


def parse_yaml(text: str) -> Located:
    """The one document in a YAML text.

    Raises:
        YamlRefused: it is not YAML, or uses what is not read here.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            _refuse_extras(event)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MOST_DEPTH:  # composing is recursive
                raise YamlRefused(f"is nested more than {_MOST_DEPTH} deep", event.start_mark)
        root = yaml.compose(text, Loader=_LOADER)
        lines: dict[Place, int] = {}
        return Located(_plain(root, (), lines) if root is not None else None, lines)
    except yaml.MarkedYAMLError as error:
        message = ": ".join(part for part in (error.context, error.problem) if part)
        raise YamlRefused(message or "is not YAML", error.problem_mark or error.context_mark) from None
    except yaml.YAMLError as error:
        raise YamlRefused(f"is not YAML: {' '.join(str(error).split())[:120]}") from None


def _refuse_extras(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise YamlRefused("uses an alias (*name), which is not read", event.start_mark)
    if getattr(event, "anchor", None) is not None:
        raise YamlRefused("uses an anchor (&name), which is not read", event.start_mark)
    if getattr(event, "tag", None) is not None:
        raise YamlRefused("uses a tag (!name), which is not read", event.start_mark)


def _plain(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    """A node as plain data; notes the line of everything below it."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, place, lines)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*place, index] = item.start_mark.line + 1
        return [_plain(item, (*place, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, place: Place, lines: dict[Place, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode) or name.value == "<<":
            raise YamlRefused("has a key that is not a name", name.start_mark)
        _refuse_controls(name)
        if name.value in found:
            raise YamlRefused(f'has the key "{name.value[:40]}" twice in one mapping', name.start_mark)
        lines[*place, name.value] = name.start_mark.line + 1
        found[name.value] = _plain(value, (*place, name.value), lines)
    return found


def _refuse_controls(node: Any) -> None:
    """What is read here is shown on terminals and sent to servers: no character of it may be an order to either."""
    for character in node.value:
        if unicodedata.category(character) in _CONTROLS and character not in _HARMLESS:
            raise YamlRefused(f"has the control character U+{ord(character):04X} in a text", node.start_mark)


def _scalar(node: Any) -> str | int | float | bool | None:
    _refuse_controls(node)
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in _EMPTY:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
