"""The user's own file back: every row with what became of it, and those rows alone that are worth another try.

The user's cells are given back untouched, in their order, formulas too: it is their file, and it must be readable as
a batch again. Only our own columns are made harmless for spreadsheets. Where the user already has a column of one of
our names, theirs stays as it is and ours is called `reelbatch_status` and so on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from pipelines.catalogue.cells import encodable, harmless
from pipelines.catalogue.row import ManifestRow, plain
from pipelines.catalogue.whole_file import whole_file

DONE_COLUMNS = ("status", "video_path", "cost", "error")
FAILED_COLUMNS = ("error_code", "error_message")

Cells = Sequence[str]


def write_done_copy(
    folder: Path,
    input_name: str,
    header: Cells,
    rows: Sequence[Cells],
    results: Mapping[int, Sequence[ManifestRow]],
) -> Path:
    """Write `<input name>.done.csv`, and say where it is.

    Args:
        folder: the output folder.
        input_name: of the batch file: `spring.csv` becomes `spring.done.csv`.
        header: the columns of the batch file.
        rows: its cells.
        results: by row number, 1 for the first: the takes that were made of it.
    """
    path = folder / f"{Path(input_name).stem or 'batch'}.done.csv"
    added = [_done_cells(results.get(number, ())) for number in range(1, len(rows) + 1)]
    _write(path, header, DONE_COLUMNS, zip(rows, added, strict=True))
    return path


def write_failed_rows(
    folder: Path, header: Cells, rows: Sequence[Cells], failures: Mapping[int, ManifestRow]
) -> Path | None:
    """Write `failed.csv`, and say where it is; with no failure an older one is taken away.

    Args:
        folder: the output folder.
        header: the columns of the batch file.
        rows: its cells.
        failures: by row number: the rows worth another try.
    """
    path = folder / "failed.csv"
    chosen = [
        (rows[number - 1], (row.error_code or "", row.error_message or ""))
        for number, row in sorted(failures.items())
        if 0 < number <= len(rows)
    ]
    if not chosen:
        path.unlink(missing_ok=True)
        return None
    _write(path, header, FAILED_COLUMNS, chosen)
    return path


def by_row(rows: Iterable[ManifestRow]) -> dict[int, list[ManifestRow]]:
    """The takes of every row of the batch file."""
    found: dict[int, list[ManifestRow]] = {}
    for row in rows:
        found.setdefault(row.row, []).append(row)
    return found


def _done_cells(takes: Sequence[ManifestRow]) -> Cells:
    """Several takes share the cells: statuses and errors are each said once, paths in order, costs added up."""
    costs: dict[str, Decimal] = {}
    for take in takes:
        if take.cost_actual is not None:
            unit = take.currency or ""
            costs[unit] = costs.get(unit, Decimal(0)) + take.cost_actual
    return (
        _joined(take.status.value for take in takes),
        _joined(take.path for take in takes),
        # The currency is said only where it is needed, so that the column can be added up.
        "; ".join(f"{plain(cost)} {unit}".strip() if len(costs) > 1 else plain(cost) for unit, cost in costs.items()),
        _joined(take.error_message or take.error_code for take in takes),
    )


def _joined(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _write(path: Path, header: Cells, added: Cells, rows: Iterable[tuple[Cells, Cells]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([encodable(name) for name in (*header, *_free_names(header, added))])
        for cells, ours in rows:
            padded = [*cells, *[""] * (len(header) - len(cells))]
            writer.writerow([*map(encodable, padded), *(harmless(encodable(text)) for text in ours)])


def _free_names(header: Cells, added: Cells) -> list[str]:
    taken = {name.strip().casefold() for name in header}
    names = []
    for name in added:
        free = name
        while free in taken:
            free = f"reelbatch_{free}"
        names.append(free)
    return names
