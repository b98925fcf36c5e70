"""An Excel file becomes rows, as strictly as a CSV file: what a person does not see in the sheet buys nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.batch.columns.names import canonical_name
from pipelines.batch.files.document import MOST_COLUMNS, CsvDialect, Document, check_count, check_header
from pipelines.batch.files.excel_cells import CellRefused, excel_text
from pipelines.batch.files.excel_sheet import ExcelRefused, SheetTraits, opened, traits_of
from pipelines.batch.files.source import BatchSource
from pipelines.batch.findings import Report
from pipelines.core.errors import BatchError, Problem
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted

#: A sheet of this name is the one that is read, wherever it stands; otherwise the first one that is not hidden.
_NAMED = "batch"
_UNCALCULATED = CellRefused("holds a formula that was never calculated.", "Open the file in Excel and save it again.")

#: What openpyxl calls a sheet, a row of cells, and a cell has no types that a checker knows.
_Sheet = Any


def read_excel(source: BatchSource, report: Report) -> Document:
    """Read one sheet of an .xlsx file. Cells that are not sure go to the report.

    Raises:
        BatchError: it is no Excel file that can be read, or hides rows or merges cells, or has no rows.
    """
    file = source.path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl names parts that it leaves out; no cell is among them
            with opened(source.raw) as book:
                sheet, notes = chosen_sheet(book)
                traits = traits_of(sheet)
                check_traits(traits, f"{file}, sheet {quoted(sheet.title, 40)}", report)
                if traits.hidden_columns & {*range(traits.last_column + 1)}:
                    notes = [*notes, "columns that are hidden in the sheet are read as well"]
                return _document(file, sheet, traits, tuple(notes), report)
    except ExcelRefused as refused:
        raise BatchError([Problem(file, f"{refused}", refused.fix)]) from None


def chosen_sheet(book: Any) -> tuple[_Sheet, list[str]]:
    """The sheet to read, and what is to be said of the others.

    Raises:
        ExcelRefused: all of them are hidden.
    """
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not sheets:
        raise ExcelRefused("has no sheet that can be seen.", "Unhide the sheet with the prompts.")
    chosen = next((sheet for sheet in sheets if sheet.title.casefold() == _NAMED), sheets[0])
    others = [sheet.title for sheet in sheets if sheet is not chosen and traits_of(sheet).rows]
    left = first_of([quoted(title, 40) for title in others], 5)
    return chosen, [f"read the sheet {quoted(chosen.title, 40)} and not {left}"] if others else []


def check_traits(traits: SheetTraits, where: str, report: Report) -> None:
    """Refuse a sheet in which a person sees other rows than a program, or that has nothing in it.

    Raises:
        BatchError: with all that is wrong.
    """
    if not traits.rows:
        fix = f'Write the prompts there, or call the sheet that has them "{_NAMED}".'
        report.problem(where, "is empty.", fix)
    if traits.last_column > MOST_COLUMNS:
        report.problem(where, f"has more than {MOST_COLUMNS} columns.", "Remove those that you do not need.")
    if traits.merged:
        what = f"has merged cells: {first_of(traits.merged, 5)}."
        report.problem(where, what, "Unmerge them: a row has a cell of its own in each column.")
    if traits.hidden_rows:
        rows = first_of([str(row) for row in traits.hidden_rows], 5)
        what = f"has hidden rows: {rows}."
        report.problem(where, what, "Show them (a filter may hide them), or delete them: each would be bought.")
    report.stop_if_wrong()


def _document(file: str, sheet: _Sheet, traits: SheetTraits, notes: tuple[str, ...], report: Report) -> Document:
    records = _records(sheet, traits)
    names = _header(file, *next(records), traits, report)
    ours = [canonical_name(name) is not None for name in names]
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    refused: dict[int, list[tuple[str, CellRefused]]] = {}
    shared: dict[str, str] = {}  # equal cells are one string, as in a CSV file
    for line, cells in records:
        texts = _texts(line, cells, ours, traits)
        wrong = [(name, text) for name, text in zip(names, texts, strict=True) if isinstance(text, CellRefused)]
        if wrong:
            refused[len(rows)] = wrong
        elif all(isinstance(text, str) and (not text or text.isspace()) for text in texts):
            continue
        rows.append(tuple([shared.setdefault(text, text) for text in map(str, texts)]))
        lines.append(line)
        check_count(len(rows), file)
    if not rows:
        report.problem(file, "has a header and no rows.", "Add a row below the header.")
        report.stop_if_wrong()
    # The copies that are given back begin with a byte order mark: without it Excel takes UTF-8 for something else.
    dialect, broken = CsvDialect(marked=True), frozenset(refused)
    document = Document(file, "excel", names, tuple(rows), tuple(lines), broken, notes=notes, dialect=dialect)
    for index, wrong in refused.items():
        for name, problem in wrong:
            report.problem(document.where(index, name), f"{problem}", problem.fix)
    return document


def _header(file: str, line: int, cells: Sequence[Any], traits: SheetTraits, report: Report) -> tuple[str, ...]:
    texts = _texts(line, cells, [True] * len(cells), traits)
    for column, text in enumerate(texts, start=1):
        if isinstance(text, CellRefused):
            report.problem(f"{file}, sheet row {line}, column {column}", f"{text}", text.fix)
    report.stop_if_wrong()
    names = tuple(str(text).strip() for text in texts)
    check_header(names, f"{file}, sheet row {line}", report)
    return names


def _records(sheet: _Sheet, traits: SheetTraits) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows with anything in them, as far as the sheet really goes, each with its number.

    Raises:
        ExcelRefused: a cell cannot be read.
    """
    sheet.reset_dimensions()  # what it says of its size may be wrong, or a trap
    left = len(traits.rows)
    try:
        for line, cells in enumerate(sheet.iter_rows(max_row=max(traits.rows), max_col=traits.last_column), start=1):
            if line in traits.rows:
                left -= 1
                yield line, cells
    except Exception as error:  # noqa: BLE001 - whatever a damaged part brings to light in openpyxl
        raise ExcelRefused(f"is damaged ({type(error).__name__}).", "Open it in Excel and save it again.") from None
    if left:  # two readers do not agree on what is in it
        raise ExcelRefused(f"is damaged ({left} rows cannot be read).", "Open it in Excel and save it again.")


def _texts(line: int, cells: Sequence[Any], ours: Sequence[bool], traits: SheetTraits) -> list[str | CellRefused]:
    """The texts of a row; of a cell that is not sure, why."""
    uncalculated = traits.uncalculated.get(line, ())
    found: list[str | CellRefused] = []
    for place, cell in enumerate(cells):
        try:
            found.append(_UNCALCULATED if place + 1 in uncalculated else excel_text(cell, is_ours=ours[place]))
        except CellRefused as refused:
            found.append(refused)
    return found
