"""The manifest in its three forms, with the same rows and the same columns. Derived: it can be written again any time.

- `manifest.jsonl` keeps every text exactly. Costs are text, `params` an object, `flags` and `tags` lists.
- `manifest.csv` is for people: every text that a spreadsheet would take for a formula begins with `'`.
- `manifest.parquet` is for programs: typed also where it has no rows or a column has no values. Costs are
  `decimal(18, 6)`, times are UTC timestamps; `params` is JSON text; `flags` and `tags` are joined by "; ".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.frame import (
    DTYPES,
    NUMBER,
    TEXT,
    TIME,
    TRUTH,
    WHOLE_NUMBER,
    as_rows,
    cell_text,
    json_columns,
    plain_values,
)
from pipelines.catalogue.manifest_row import COSTS
from pipelines.core.text.escaping import encodable, harmless
from pipelines.outputs.storage.whole_file import whole_file

if TYPE_CHECKING:
    import pandas as pd

_COST_STEP = Decimal("0.000001")
# JSON allows these in a string, and half the world's line readers break a line at them.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def write_manifest(folder: Path, frame: pd.DataFrame) -> None:
    """Write the manifest in all its forms. Blocks; 10,000 rows take about two seconds.

    Args:
        folder: the output folder.
        frame: the catalogue.
    """
    exact = json_columns(frame)
    with whole_file(folder / "manifest.jsonl") as path, path.open("w", encoding="utf-8", newline="\n") as file:
        for values in as_rows(exact):
            line = json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).translate(_LINE_ENDS)
            if encodable(line) != line:  # half a surrogate pair is kept exactly, as its escape
                line = json.dumps(values, separators=(",", ":"), default=str)
            file.write(line + "\n")
    with whole_file(folder / "manifest.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(encodable(name)) for name in exact])
        writer.writerows(zip(*(spreadsheet_cells(name, values) for name, values in exact.items()), strict=True))
    with whole_file(folder / "manifest.parquet") as path:
        _write_parquet(path, frame)


def spreadsheet_cells(name: str, values: Sequence[Any]) -> Iterable[str]:
    """A column as a spreadsheet may see it."""
    kind = DTYPES.get(name, TEXT)
    if kind == TRUTH:
        return ({None: "", True: "true", False: "false"}[value] for value in values)
    if kind in (NUMBER, WHOLE_NUMBER, TIME) or name in COSTS:  # a minus makes no formula of a number
        return ("" if value is None else str(value) for value in values)
    return ("" if value is None else harmless(encodable(cell_text(value))) for value in values)


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow to load, and only needed here
    from pyarrow import parquet  # noqa: PLC0415 - as above

    kinds = {WHOLE_NUMBER: pa.int64(), NUMBER: pa.float64(), TRUTH: pa.bool_(), TIME: pa.timestamp("us", tz="UTC")}
    columns = {}
    for name in frame.columns:
        values, kind = plain_values(frame[name]), kinds.get(DTYPES.get(name, TEXT))
        if name in COSTS:
            kind = pa.decimal128(18, 6)
            values = [None if cost is None else cost.quantize(_COST_STEP, rounding=ROUND_HALF_EVEN) for cost in values]
        elif kind is None:
            kind = pa.string()
            values = [None if value is None else encodable(cell_text(value)) for value in values]
        columns[encodable(name)] = pa.array(values, type=kind)
    parquet.write_table(pa.table(columns), path)
