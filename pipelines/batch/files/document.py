"""A batch file as it was written, whatever its kind: a header, rows under it, and what a YAML file says beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from pipelines.batch.columns.names import normalised
from pipelines.batch.files.settings import Settings
from pipelines.batch.findings import Report
from pipelines.core.errors import BatchError, Problem
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted

#: One cell: text, several texts (a YAML or JSON list), or None where the row does not have the column at all.
Value = str | tuple[str, ...] | None

#: Columns beyond this many are a mistake, and in YAML and JSONL they would cost columns x rows of memory.
MOST_COLUMNS = 500

#: A batch may have this many rows, and become this many jobs; each is kept in memory.
MOST_ROWS = 250_000


class Scalar(str):
    """A number or a truth value of YAML or JSON, as it was written: text, which JSON takes without quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The form of a CSV file, in which its user gets it back: their programs read it."""

    separator: str = ","
    marked: bool = False  # it begins with a byte order mark, without which Excel takes UTF-8 for something else


@dataclass(frozen=True, slots=True)
class Document:
    """A batch file as it was written, before any of it is judged. Every row is as long as the header."""

    file: str  # the name shown in messages
    kind: Literal["csv", "excel", "yaml", "jsonl"]
    header: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    lines: tuple[int, ...]  # the line where each row begins
    broken: frozenset[int] = frozenset()  # rows that could not be read, said already; their cells mean nothing
    defaults: Mapping[str, Value] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    combinations: tuple[Mapping[str, str], ...] = ()  # of the matrix; empty: there is none
    settings: Settings = field(default_factory=Settings)
    notes: tuple[str, ...] = ()
    dialect: CsvDialect = CsvDialect()  # of a CSV file

    def where(self, index: int, column: str = "") -> str:
        """The place of a row, and of a column in it, as messages name it."""
        number, line = index + 1, self.lines[index]
        if self.kind in ("csv", "excel"):
            # Both: a spreadsheet and an editor count the header, and a prompt may have several lines.
            place = f"row {number} ({'line' if self.kind == 'csv' else 'sheet row'} {line})"
            return f'{self.file}, {place}, column "{column}"' if column else f"{self.file}, {place}"
        place = f"job {number} (line {line})" if self.kind == "yaml" else f"line {line}"
        return f'{self.file}, {place}, "{column}"' if column else f"{self.file}, {place}"


def rows_named(document: Document, indexes: Sequence[int]) -> str:
    """Several rows as messages name them; those of a table with their lines."""
    numbers = [str(index + 1) for index in indexes]
    lines = [str(document.lines[index]) for index in indexes]
    if document.kind in ("csv", "excel"):
        what = "lines" if document.kind == "csv" else "sheet rows"
        return f"rows {first_of(numbers, 20)} ({what} {first_of(lines, 20)})"
    return f"lines {first_of(lines, 20)}" if document.kind == "jsonl" else f"jobs {first_of(numbers, 20)}"


def check_count(rows: int, file: str) -> None:
    """Refuse a row too many, before it and millions more are kept.

    Raises:
        BatchError: there are more than MOST_ROWS rows.
    """
    if rows > MOST_ROWS:
        raise BatchError([Problem(file, f"has more than {MOST_ROWS:,} rows.", "Split it into several batches.")])


def check_header(names: tuple[str, ...], where: str, report: Report) -> None:
    """Report columns of one name, and far too many of them.

    Raises:
        BatchError: there are more than MOST_COLUMNS columns.
    """
    if len(names) > MOST_COLUMNS:
        report.problem(where, f"has more than {MOST_COLUMNS} columns.", "Remove those that you do not need.")
        report.stop_if_wrong()
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        first = seen.setdefault(normalised(name), position)
        if name and first != position:
            what = f"the columns {first} and {position} have the same name, {quoted(name, 40)}."
            report.problem(where, what, "Rename or remove one of them.")


def align(records: list[dict[str, Value]], file: str) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    """A header with every key in order of first appearance, and the records as rows under it.

    Raises:
        BatchError: there are more than MOST_COLUMNS different keys.
    """
    header: dict[str, None] = {}
    for record in records:
        header.update(dict.fromkeys(record))
        if len(header) > MOST_COLUMNS:
            what = f"has more than {MOST_COLUMNS} different columns."
            raise BatchError([Problem(file, what, "Put what varies into fewer of them.")])
    names = tuple(header)
    return names, tuple(tuple(map(record.get, names)) for record in records)


def json_text(value: Any) -> str:
    """Nested lists and mappings as JSON, with every number as it was written."""
    if isinstance(value, Scalar):
        return value.lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(json_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(key)}: {json_text(item)}" for key, item in value.items()) + "}"
    return _quoted(value)


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not have.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is not JSON")


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
