"""YAML text becomes plain mappings, lists and text, in one pass over the parser's events.

Nothing is built that the text does not spell out: anchors, aliases, merge keys and tags are refused before they can
multiply, and every scalar stays text, so that `no` is not False and `012` is not 10.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from pipelines.batch.files.document import Scalar
from pipelines.core.text.excerpt import quoted

_MOST_DEPTH = 32
_MOST_EVENTS = 4_000_000  # about 300,000 jobs; the size of the file is capped as well

_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})

#: What JSON has a literal for. `no` and 012 are not among it.
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|True|TRUE|false|False|FALSE")


class Mapping(dict[str, Any]):
    """A YAML mapping that remembers the line where it begins."""

    __slots__ = ("line",)

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class YamlRefused(ValueError):
    """The text is not YAML, or uses what is not read here."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse_yaml(text: str) -> Any:
    """The one document in a YAML text: Mapping, list, str or None.

    Raises:
        YamlRefused: it is not YAML, or uses anchors, aliases, tags, merge keys, doubled keys, or too much nesting.
    """
    builder = _Builder()
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the C parser is some ten times as fast
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            if count > _MOST_EVENTS:
                raise YamlRefused("has too many entries", _line(event))
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ": ".join(part for part in (error.context, error.problem) if part)
        raise YamlRefused(message or "is not YAML", int(mark.line) + 1 if mark else None) from None
    except (yaml.YAMLError, UnicodeError, RecursionError, MemoryError, ValueError, OverflowError) as error:
        if isinstance(error, YamlRefused):
            raise
        raise YamlRefused(f"is not YAML: {quoted(str(error), 120)}") from None
    return builder.document


class _Builder:
    """Builds plain data from events, with a stack of its own instead of recursion."""

    def __init__(self) -> None:
        self.document: Any = None
        self._documents = 0
        self._open: list[Mapping | list[Any]] = []
        self._keys: list[str | None] = []  # for each open mapping, the key that waits for its value

    def take(self, event: yaml.Event) -> None:
        """Build on with one event."""
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_extras(event)
            self._add(_scalar(event), event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._refuse_extras(event)
            self._begin(Mapping(_line(event)), event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._refuse_extras(event)
            self._begin([], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise YamlRefused("uses an alias (*name), which is not read; use defaults or presets", _line(event))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlRefused("has a second document (---); put it into a file of its own", _line(event))

    def _refuse_extras(self, event: Any) -> None:
        if event.anchor is not None:
            raise YamlRefused("uses an anchor (&name), which is not read; use defaults or presets", _line(event))
        if event.tag is not None:
            raise YamlRefused(f"uses a tag ({quoted(event.tag, 40)}), which is not read", _line(event))

    def _begin(self, node: Mapping | list[Any], event: yaml.Event) -> None:
        self._add(node, event)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > _MOST_DEPTH:
            raise YamlRefused(f"is nested more than {_MOST_DEPTH} deep", _line(event))

    def _add(self, node: Any, event: yaml.Event) -> None:
        if not self._open:
            self.document = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if isinstance(parent, list):
            parent.append(node)
        elif key is not None:
            parent[key] = node
            self._keys[-1] = None
        else:
            self._keys[-1] = _key(node, parent, event)


def _scalar(event: yaml.ScalarEvent) -> str | None:
    text = str(event.value)
    if not event.implicit[0]:
        return text
    if text in _EMPTY:
        return None
    return Scalar(text) if text[0] in "-0123456789tTfF" and _LITERAL.fullmatch(text) else text


def _key(node: Any, parent: Mapping, event: yaml.Event) -> str:
    if not isinstance(node, str):
        raise YamlRefused("has a key that is not a name", _line(event))
    if node == "<<":
        raise YamlRefused("uses a merge key (<<), which is not read; use defaults or presets", _line(event))
    if node in parent:
        raise YamlRefused(f"has the key {quoted(node, 40)} twice in one mapping", _line(event))
    return node


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 0
