"""The done copy: the user's own file back, each row with what became of it; and apart from it what can be ordered again.

The user's cells are given back untouched, in their order, formulas too, and in the dialect of their file: it must be
readable as a batch again. Only our own columns are made harmless for spreadsheets. Where the user already has a column of one of
our names, theirs stays as it is and ours is called `reelbatch_status` and so on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from pipelines.batch.files.document import CsvDialect
from pipelines.catalogue.failed_rows import FailedRow
from pipelines.catalogue.manifest_row import ManifestRow, with_basis
from pipelines.core.text.amounts import price_text
from pipelines.core.text.escaping import encodable, harmless
from pipelines.outputs.storage.whole_file import whole_file

DONE_COLUMNS = ("status", "video_path", "cost", "error")
FAILED_COLUMNS = ("error_code", "error_message")
_CHANGED = "this row has changed since it was bought: the video is of the row as it was; `reelbatch redo` buys it anew"

Cells = tuple[str, ...]
_USUAL = CsvDialect()


def write_done_copy(
    folder: Path,
    input_name: str,
    header: Cells,
    rows: Iterable[Cells],
    results: Mapping[int, Cells],
    dialect: CsvDialect = _USUAL,
) -> Path:
    """Write `<input name>.done.csv`, and say where it is.

    Args:
        folder: the output folder.
        input_name: of the batch file: `spring.csv` becomes `spring.done.csv`.
        header: the columns of the batch file.
        rows: its cells.
        results: by row number, 1 for the first: the cells of ours (`by_row`).
        dialect: of the batch file.
    """
    path = folder / f"{Path(input_name).stem or 'batch'}.done.csv"
    empty = done_cells(())
    added = ((cells, results.get(number, empty)) for number, cells in enumerate(rows, 1))
    _write(path, header, DONE_COLUMNS, added, dialect)
    return path


def write_failed_rows(
    folder: Path, header: Cells, rows: Sequence[FailedRow], dialect: CsvDialect = _USUAL
) -> Path | None:
    """Write `failed.csv`, and say where it is; with no failure an older one is taken away.

    Args:
        folder: the output folder.
        header: its columns, as `failed_rows` gives them.
        rows: the jobs to order again.
        dialect: of the batch file.
    """
    path = folder / "failed.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return None
    _write(path, header, FAILED_COLUMNS, ((row.cells, (row.code, row.message)) for row in rows), dialect)
    return path


def by_row(rows: Iterable[ManifestRow]) -> dict[int, Cells]:
    """The cells of ours for every row of the batch file.

    Args:
        rows: of the manifest, the takes of a row one after the other, as the ledger gives them.
    """
    shared: dict[Cells, Cells] = {}  # most rows say the same
    found = ((number, done_cells(list(takes))) for number, takes in groupby(rows, key=lambda row: row.row))
    return {number: shared.setdefault(cells, cells) for number, cells in found}


def done_cells(takes: Sequence[ManifestRow]) -> Cells:
    """The cells of ours for one row of the file, in the order of `DONE_COLUMNS`.

    Several takes share them: statuses and errors are each said once, paths in order, costs added up.
    What was surely paid is a number, so that the column can be added up; what may have to be paid is said in words.
    """
    costs = _costs(takes)
    takes = [take for take in takes if not (take.replaced or take.archived)] or takes
    return (
        _joined(take.status.value for take in takes),
        _joined(take.path for take in takes),
        costs,
        _joined(take.error_message or take.error_code or (_CHANGED if take.changed else "") for take in takes),
    )


def _costs(takes: Sequence[ManifestRow]) -> str:
    """What takes have cost and may cost: `0.80`, `0.40; uncertain 0.40`, and with its currency where there are several."""
    totals: dict[tuple[str, str, str | None], Decimal] = {}
    for take in takes:
        for what, cost in (
            ("", take.cost_actual),
            ("reserved", take.cost_reserved),
            ("uncertain", take.cost_uncertain),
        ):
            if cost is not None:
                kind = (what, take.currency or "", take.cost_basis)
                totals[kind] = totals.get(kind, Decimal(0)) + cost
    several = len({currency for _, currency, _ in totals}) > 1
    return "; ".join(
        with_basis(f"{what} {price_text(cost, currency if several else None)}".strip(), basis)
        for (what, currency, basis), cost in totals.items()
    )


def _joined(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _write(path: Path, header: Cells, added: Cells, rows: Iterable[tuple[Cells, Cells]], dialect: CsvDialect) -> None:
    names = [*header]
    taken = {name.strip().casefold() for name in header}
    for name in added:
        free = name
        while free in taken:
            free = f"reelbatch_{free}"
        names.append(free)
    encoding = "utf-8-sig" if dialect.marked else "utf-8"
    with whole_file(path) as temporary, temporary.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=dialect.separator)
        writer.writerow([encodable(name) for name in names])
        for cells, ours in rows:
            padded = [*cells, *[""] * (len(header) - len(cells))]
            writer.writerow([*map(encodable, padded), *(harmless(encodable(text)) for text in ours)])
