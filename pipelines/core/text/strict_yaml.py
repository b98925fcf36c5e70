"""YAML text becomes plain data, in one pass over the parser's events. Strict, so that a file means what it seems to say.

Nothing is built that the text does not spell out: anchors, aliases, merge keys, tags and doubled keys are refused, before
they can multiply. What an unquoted text stands for is the reader's to say: only what looks like a number is one to
`parse_yaml`, and only `true` and `false` are truth values (YAML 1.2), so that `on` stays a word and `16:9` does not
become 969.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.core.text.excerpt import quoted

#: Where a value stands in a document: keys and, in lists, indexes.
Place = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the C parser is some ten times as fast
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_MOST_DEPTH = 32
_MOST_EVENTS = 4_000_000  # about 300,000 jobs of a batch; the size of a file is capped as well
_CONTROLS = frozenset({"Cc", "Cf", "Cs"})  # control, format (it can turn a line around), half of a pair
_HARMLESS = frozenset("\n\t\u200c\u200d")  # the last two join letters and pictures
_TAB = "has a tab in the place of spaces: indent with spaces only"
#: What the parser says, and what is mostly the cause.
_CAUSES = {
    "mapping values are not allowed": "put a text that has a colon and a space in it into quotes, or mend the indentation",
    "did not find expected '-' indicator": "indent it as what stands beside it",
    "did not find expected key": "indent it as what stands beside it",
    "cannot start any token": "put a text that begins so into quotes",
}


class YamlRefused(ValueError):
    """The text is not YAML, or uses what is not read here. Lines and columns begin with 1."""

    def __init__(self, what: str, mark: Any = None) -> None:
        super().__init__(what)
        self.line = mark.line + 1 if mark else None
        self.column = mark.column + 1 if mark else None


class YamlMapping(dict[str, Any]):
    """A mapping that remembers the line where it begins."""

    __slots__ = ("line",)

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


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
    """The one document in a YAML text, with the line of every value and no control character in any text.

    Raises:
        YamlRefused: it is not YAML, or uses what is not read here.
    """
    lines: dict[Place, int] = {}
    return Located(_document(text, _Builder(_typed, "", lines)), lines)


def parse_long_yaml(text: str, plain: Callable[[str], Any] = str, instead: str = "") -> Any:
    """The one document in a YAML text of many entries: YamlMapping, list, text or None.

    Args:
        text: the YAML.
        plain: what an unquoted text stands for, where it is not empty or null.
        instead: a hint for whoever would use an anchor or a merge key.

    Raises:
        YamlRefused: it is not YAML, or uses what is not read here.
    """
    return _document(text, _Builder(plain, instead, None))


def _typed(text: str) -> str | int | float | bool:
    if text in _TRUTH:
        return _TRUTH[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _document(text: str, builder: _Builder) -> Any:
    try:
        for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if count > _MOST_EVENTS:
                raise YamlRefused("has too many entries", event.start_mark)  # noqa: TRY301 - passes through
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise YamlRefused(_plainly(error, text), error.problem_mark or error.context_mark) from None
    except YamlRefused:
        raise
    except (yaml.YAMLError, RecursionError, MemoryError, ValueError, OverflowError) as error:
        raise YamlRefused(f"is not YAML: {quoted(' '.join(str(error).split()), 120)}") from None
    return builder.document


def _plainly(error: yaml.MarkedYAMLError, text: str) -> str:
    """What the parser says, where that began if on another line, and what is mostly the cause."""
    problem, mark, began = error.problem or "is not YAML", error.problem_mark, error.context_mark
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines) and lines[mark.line][: mark.column + 1].lstrip(" ").startswith("\t"):
        return _TAB
    where = (
        f", begun on line {began.line + 1}"
        if began is not None and mark is not None and began.line != mark.line
        else ""
    )
    said = f"{error.context}{where}: {problem}" if error.context else problem
    cause = next((cause for words, cause in _CAUSES.items() if words in problem), None)
    return said if cause is None else f"{said}; {cause}"


class _Builder:
    """Builds plain data from events, with a stack of its own instead of recursion."""

    def __init__(self, plain: Callable[[str], Any], instead: str, lines: dict[Place, int] | None) -> None:
        self.document: Any = None
        self._plain, self._instead, self._lines = plain, instead, lines
        self._documents = 0
        self._open: list[YamlMapping | list[Any]] = []
        self._keys: list[str | None] = []  # for each open mapping, the key that waits for its value
        self._places: list[Place] = []  # of the same, where lines are wanted

    def take(self, event: yaml.Event) -> None:
        """Build on with one event."""
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            if event.anchor is not None:
                raise YamlRefused(f"uses an anchor (&name), which is not read{self._instead}", event.start_mark)
            if event.tag is not None:
                raise YamlRefused(f"uses a tag ({quoted(event.tag, 40)}), which is not read", event.start_mark)
            self._add(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
            if self._lines is not None:
                self._places.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlRefused("has a second document (---); put it into a file of its own", event.start_mark)
        elif isinstance(event, yaml.AliasEvent):
            raise YamlRefused(f"uses an alias (*name), which is not read{self._instead}", event.start_mark)

    def _add(self, event: Any) -> None:
        """Put a node where it belongs: into the open list, or as the next key or value of the open mapping."""
        parent, key = (self._open[-1], self._keys[-1]) if self._open else (None, None)
        if isinstance(parent, dict) and key is None:
            self._keys[-1] = self._key(event, parent)
            return
        node = self._node(event)
        place: Place = ()
        if self._lines is not None and parent is not None:
            place = (*self._places[-1], len(parent) if key is None else key)
            self._lines.setdefault(place, _line(event))  # a value in a mapping has the line of its key
        if parent is None:
            self.document = node
        elif isinstance(parent, list):
            parent.append(node)
        else:
            assert key is not None
            parent[key] = node
            self._keys[-1] = None
        if isinstance(node, YamlMapping | list):
            self._open.append(node)
            self._keys.append(None)
            if self._lines is not None:
                self._places.append(place)
            if len(self._open) > _MOST_DEPTH:
                raise YamlRefused(f"is nested more than {_MOST_DEPTH} deep", event.start_mark)

    def _node(self, event: Any) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return YamlMapping(_line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return []
        if self._lines is not None:
            _refuse_controls(event)
        if not event.implicit[0]:  # it is quoted
            return event.value
        return None if event.value in _EMPTY else self._plain(event.value)

    def _key(self, event: Any, parent: YamlMapping) -> str:
        key = event.value if isinstance(event, yaml.ScalarEvent) else None
        if key == "<<":
            raise YamlRefused(f"uses a merge key (<<), which is not read{self._instead}", event.start_mark)
        if not isinstance(key, str) or (event.implicit[0] and key in _EMPTY):
            raise YamlRefused("has a key that is not a name", event.start_mark)
        if self._lines is not None:
            _refuse_controls(event)
            self._lines[*self._places[-1], key] = _line(event)
        if key in parent:
            raise YamlRefused(f"has the key {quoted(key, 40)} twice in one mapping", event.start_mark)
        return key


def _refuse_controls(event: Any) -> None:
    """Refuse control characters: texts are shown on terminals and sent to servers, and must not give orders to either."""
    for character in event.value:
        if unicodedata.category(character) in _CONTROLS and character not in _HARMLESS:
            raise YamlRefused(f"has the control character U+{ord(character):04X} in a text", event.start_mark)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
