"""The manifest in its three forms, with the same rows and the same columns. Derived: it can be written again any time.

- `manifest.jsonl` keeps every text exactly. Costs are text, `params` an object, `flags` and `tags` lists.
- `manifest.csv` is for people: every text that a spreadsheet would take for a formula begins with `'`.
- `manifest.parquet` is for programs: typed also where it has no rows or a column has no values. Costs are
  `decimal(18, 6)`, times are UTC timestamps; `params` is JSON text; `flags` and `tags` are joined by "; ".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from pipelines.catalogue.manifest_row import COLUMNS, ManifestRow, exact_values, flat_values, own_names, plain
from pipelines.core.text.escaping import encodable, harmless
from pipelines.core.text.times import iso_text
from pipelines.outputs.storage.whole_file import whole_file

_WHOLE_NUMBERS = frozenset({"row", "take", "attempts", "width", "height", "bytes"})
_NUMBERS = frozenset({"duration_s", "fps"})
_TIMES = frozenset({"submitted_at", "completed_at", "downloaded_at", "url_expires_at"})
_COSTS = frozenset({"cost_estimated", "cost_actual"})
_COST_STEP = Decimal("0.000001")
# JSON allows these in a string, and half the world's line readers break a line at them.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def write_manifest(folder: Path, rows: Sequence[ManifestRow], own_columns: Sequence[str] = ()) -> None:
    """Write the manifest in all its forms. Blocks; 10,000 rows take about a second.

    Args:
        folder: the output folder.
        rows: in the order of the batch file.
        own_columns: the user's own columns, in their order; they follow after the manifest's.
    """
    own = own_names(own_columns)
    with whole_file(folder / "manifest.jsonl") as path, path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_json_line(exact_values(row, own)) for row in rows)
    flat = [flat_values(row, own) for row in rows]
    with whole_file(folder / "manifest.csv") as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(encodable(name)) for name in (*COLUMNS, *own.values())])
        writer.writerows([_cell(value) for value in values.values()] for values in flat)
    with whole_file(folder / "manifest.parquet") as path:
        _write_parquet(path, flat, own.values())


def _json_line(values: Mapping[str, Any]) -> str:
    line = json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).translate(_LINE_ENDS)
    if encodable(line) != line:  # half a surrogate pair is kept exactly, as its escape
        line = json.dumps(values, separators=(",", ":"), default=str)
    return line + "\n"


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return harmless(encodable(value))
        case datetime():
            return iso_text(value)
        case Decimal():
            return plain(value)
        case _:
            return str(value)


def _write_parquet(path: Path, flat: Sequence[Mapping[str, Any]], own: Iterable[str]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow to load, and only needed here
    from pyarrow import parquet  # noqa: PLC0415 - as above

    kinds = dict.fromkeys((*COLUMNS, *own), pa.string())
    kinds |= dict.fromkeys(_WHOLE_NUMBERS, pa.int64()) | dict.fromkeys(_NUMBERS, pa.float64())
    kinds |= dict.fromkeys(_TIMES, pa.timestamp("us", tz="UTC")) | dict.fromkeys(_COSTS, pa.decimal128(18, 6))
    kinds["has_audio"] = pa.bool_()
    columns = [pa.array([_parquet_value(values[name]) for values in flat], type=kind) for name, kind in kinds.items()]
    schema = pa.schema([(encodable(name), kind) for name, kind in kinds.items()])
    parquet.write_table(pa.Table.from_arrays(columns, schema=schema), path)


def _parquet_value(value: Any) -> Any:
    match value:
        case str():
            return encodable(value)
        case Decimal():
            return value.quantize(_COST_STEP, rounding=ROUND_HALF_EVEN)
        case _:
            return value
