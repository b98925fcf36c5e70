"""The values of one job: defaults, over them its preset, then the row itself, then the matrix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.batch.columns.names import Column, parameter_key
from pipelines.batch.files.document import Document, Value, json_text
from pipelines.batch.findings import RowFinding
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean

#: What no cell may contain: control characters but tab and line ends, and halves of a character.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

#: The key of a YAML job that names its preset.
PRESET = "preset"


@dataclass(frozen=True, slots=True)
class Values:
    """The cells of one job, trimmed."""

    canonical: dict[str, Value]  # canonical name -> cell; only cells that are not empty
    own: dict[str, str]  # the user's own columns, as they are written
    by_default: frozenset[str] = frozenset()  # of a remix: the names whose value nothing nearer than `defaults` gives


class ValueLayers:
    """Puts the layers of a document on top of each other, row by row."""

    def __init__(
        self, document: Document, columns: Mapping[str, Column], structured: frozenset[str] = frozenset()
    ) -> None:
        """Split every layer.

        Args:
            document: what was written.
            columns: what each of its columns means.
            structured: parameters that may be lists, as `parameter_key` spells them; their lists become JSON.
        """
        self._document, self._columns = document, columns
        self._structured = {name for name in columns if parameter_key(name) in structured}
        # A column of the user's own may be spelt otherwise in `defaults` than in the rows: it is the same one.
        self._spelling: dict[str, str] = {}
        for name, column in columns.items():
            self._spelling.setdefault(column.name, name)
        self._presets_known = document.kind == "yaml"
        header = [(place, columns[name]) for place, name in enumerate(document.header) if self._is_column(name)]
        self._canonical = [(place, column.name) for place, column in header if not column.own]
        self._own = [
            (place, self._spelling[column.name], column.written in self._structured)
            for place, column in header
            if column.own
        ]
        self._preset_place = (
            document.header.index(PRESET) if PRESET in document.header and self._presets_known else None
        )
        self._defaults = self._split(document.defaults)
        # Stands below the command line, unlike what a row or its preset says.
        self.default_provider = self._defaults.canonical.pop("provider", None)
        self.default_fallback = self._defaults.canonical.pop("fallback", None)
        self._presets = {name: self._split(values) for name, values in document.presets.items()}
        self._combinations = [self._split(one) for one in document.combinations]

    def own_columns(self) -> tuple[str, ...]:
        """The user's own columns, in the order of the file, then of defaults, presets and matrix."""
        own = (column.name for name, column in self._columns.items() if column.own and self._is_column(name))
        return tuple(self._spelling[name] for name in dict.fromkeys(own))

    def of(self, index: int, combination: int | None) -> tuple[Values, list[RowFinding]]:
        """The values of one row, in one combination of the matrix, and what is wrong with how they come together."""
        cells = self._document.rows[index]
        problems = forbidden_characters(self._document.header, cells)
        canonical = dict(self._defaults.canonical)
        own = dict(self._defaults.own)
        preset = self._preset(cells, problems)
        if preset:
            canonical.update(preset.canonical)
            own.update(preset.own)
        written = set()
        for place, name in self._canonical:
            value = _trimmed(cells[place])
            if value:
                canonical[name] = value
                written.add(name)
        for place, name, structured in self._own:
            text = _text(cells[place], structured=structured)
            if text is not None and (text or name not in own):
                own[name] = text
                written.add(name)
        layer = self._combinations[combination] if combination is not None else None
        if layer:
            for name in written.intersection(layer.canonical):
                problems.append(RowFinding(name, "is given here and by the matrix.", "Give it in one of the two."))
            canonical.update(layer.canonical)
            own.update(layer.own)
        by_default: frozenset[str] = frozenset()
        if "remix_of" in canonical:
            nearer = {*written, *(name for near in (preset, layer) if near for name in (*near.canonical, *near.own))}
            by_default = frozenset({*self._defaults.canonical, *self._defaults.own} - nearer)
        return Values(canonical, own, by_default), problems

    def _is_column(self, name: str) -> bool:
        return name in self._columns and not (self._presets_known and name == PRESET)

    def _preset(self, cells: tuple[Value, ...], problems: list[RowFinding]) -> Values | None:
        if not self._presets_known:
            return None
        name = cells[self._preset_place] if self._preset_place is not None else None
        name = name or self._document.defaults.get(PRESET)
        if not name:
            return None
        if not isinstance(name, str) or name.strip() not in self._presets:
            shown = name if isinstance(name, str) else " ".join(name)
            hint = did_you_mean(shown, self._presets) if self._presets else "The batch has no presets."
            problems.append(RowFinding(PRESET, f"there is no preset {quoted(shown, 40)}.", hint))
            return None
        return self._presets[name.strip()]

    def _split(self, values: Mapping[str, Value]) -> Values:
        canonical: dict[str, Value] = {}
        own: dict[str, str] = {}
        for written, value in values.items():
            column = self._columns.get(written)
            if column is None or not self._is_column(written):
                continue
            text = _text(value, structured=written in self._structured)
            if column.own and text is not None:
                own[self._spelling[column.name]] = text
            elif not column.own and (trimmed := _trimmed(value)):
                canonical[column.name] = trimmed
        return Values(canonical, own)


def forbidden_characters(header: Sequence[str], cells: Sequence[Value]) -> list[RowFinding]:
    """The first character of each cell that is not text, with its place."""
    texts = [cell if isinstance(cell, str) else " ".join(cell or ()) for cell in cells]
    if not FORBIDDEN.search("".join(texts)):
        return []
    found = ((name, FORBIDDEN.search(text)) for name, text in zip(header, texts, strict=True))
    fix = "Remove it; line ends and tabs are fine."
    return [
        RowFinding(name, f"has a character that is not text: {match.group()!a} at {match.start() + 1}.", fix)
        for name, match in found
        if match
    ]


def _trimmed(value: Value) -> Value:
    if isinstance(value, str):
        return value.strip()
    return tuple(item.strip() for item in value) if value else None


def _text(value: Value, *, structured: bool) -> str | None:
    if isinstance(value, tuple):
        return json_text(value) if structured else " ".join(value)
    return value if value is None else value.strip()
