"""A CSV file becomes rows. Strict: whatever the reader would silently mend could be a row that buys the wrong thing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from pipelines.batch.columns.names import canonical_name
from pipelines.batch.files.document import CsvDialect, Document, check_count, check_header
from pipelines.batch.files.source import MOST_BATCH_BYTES, BatchSource
from pipelines.batch.findings import Report
from pipelines.core.errors import BatchError, Problem
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

#: The first line of a file made for Excel, which is no header: `sep=;`
_DECLARED = re.compile(r'\s*"?sep=([,;\t|])"?[,;\t| ]*(?:[\r\n]|$)', re.IGNORECASE)

#: A cell with more lines than this is a quote that somebody forgot to close.
_MOST_LINES_IN_A_CELL = 500


def read_csv(source: BatchSource, report: Report) -> Document:
    """Read a CSV or TSV file. Short and long rows go to the report.

    Raises:
        BatchError: it is empty, its separator or quotes are unclear, or it has no rows.
    """
    file = source.path.name
    # The reader's own cap is lower than ours, and its message knows nothing of rows.
    csv.field_size_limit(max(csv.field_size_limit(), MOST_BATCH_BYTES))
    declared = _DECLARED.match(source.text)
    separator = declared[1] if declared else separator_of(source)
    records = _records(source.text, separator, file)
    if declared:
        next(records)
    header_line, header = next(records, (1, []))
    names = tuple(name.strip() for name in header)
    check_header(names, f"{file}, line {header_line}", report)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    broken: set[int] = set()
    shared: dict[str, str] = {}  # equal cells are one string: a column of 100,000 times "8" costs one
    for line, cells in records:
        if len(cells) != len(names):
            report.problem(f"{file}, row {len(rows) + 1} (line {line})", *misaligned(cells, names))
            broken.add(len(rows))
            cells = [*cells, *names][: len(names)]  # noqa: PLW2901 - as long as the header, whatever is in it
        rows.append(tuple([shared.setdefault(cell, cell) for cell in cells]))
        lines.append(line)
        check_count(len(rows), file)
    if not rows:
        report.problem(file, "has a header and no rows.", "Add a row below the header.")
        report.stop_if_wrong()
    notes = source.notes if separator == "," else (*source.notes, f"read as {_SEPARATORS[separator]}-separated")
    dialect = CsvDialect(separator, source.marked)
    return Document(file, "csv", names, tuple(rows), tuple(lines), frozenset(broken), notes=notes, dialect=dialect)


def separator_of(source: BatchSource) -> str:
    """The separator, told from the header line alone.

    Raises:
        BatchError: the file is empty, or two separators both give a prompt column.
    """
    file = source.path.name
    header = next((line for line in io.StringIO(source.text, newline="") if line.strip()), "")
    if not header:
        raise BatchError([Problem(file, "is empty.", "Its first line names the columns, at least: prompt")])
    if source.suffix == ".tsv":
        return "\t"
    split: dict[str, list[str]] = {}
    for mark in _SEPARATORS:
        if mark in header:
            with suppress(csv.Error):  # an unclosed quote is reported where the whole file is read
                split[mark] = next(csv.reader([header], delimiter=mark, strict=True))
    fitting = [mark for mark, names in split.items() if any(canonical_name(name) == "prompt" for name in names)]
    if len(fitting) > 1:
        found = " and ".join(_SEPARATORS[mark] for mark in fitting)
        raise BatchError([Problem(f"{file}, line 1", f"both {found} could separate the columns.", "Rename a column.")])
    if fitting:
        return fitting[0]
    return max(split, key=lambda mark: len(split[mark]), default=",")


def _records(text: str, separator: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The line where each record begins, and its cells. Blank records are left out.

    Raises:
        BatchError: a quote is not closed, or text follows a closing quote.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if reader.line_num - line > _MOST_LINES_IN_A_CELL:
                message = f"a cell goes on for more than {_MOST_LINES_IN_A_CELL} lines"
                raise csv.Error(message)  # noqa: TRY301 - one more thing that is wrong with quotes
            begins, line = line, reader.line_num + 1
            if any(cell and not cell.isspace() for cell in cells):
                yield begins, cells
    except csv.Error as error:
        where = f"{file}, line {line}"
        fix = 'Put quotes around the whole cell, write a quote inside it as "", and close every quote.'
        raise BatchError([Problem(where, f"the quotes do not fit: {error}.", fix)]) from None


def misaligned(cells: Sequence[str], names: Sequence[str]) -> tuple[str, str]:
    """Say what is missing or too much in a row that is shorter or longer than the header, and how to mend it."""
    what = f"has {len(cells)} cells for {len(names)} columns"
    if len(cells) < len(names):
        return f"{what}; missing: {first_of(names[len(cells) :], 20)}.", "Complete the row."
    excess = quoted(" ".join(cells[len(names) :]))
    return f"{what}; too many: {excess}.", "Put quotes around a cell that contains the separator."
