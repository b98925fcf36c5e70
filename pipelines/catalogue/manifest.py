"""The manifest in its three forms, with the same rows and the same columns. Derived: it can be written again any time.

- `manifest.jsonl` keeps every text exactly. Costs are text, `params` an object, `flags` and `tags` lists.
- `manifest.csv` is for people: every text that a spreadsheet would take for a formula begins with `'`.
- `manifest.parquet` is for programs: typed also where it has no rows or a column has no values. Costs are
  `decimal(18, 6)`, times are UTC timestamps; `params` is JSON text; `flags` and `tags` are joined by "; ".
"""

from __future__ import annotations

import csv
import json
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.frame import (
    DTYPES,
    NUMBER,
    TEXT,
    TIME,
    TRUTH,
    WHOLE_NUMBER,
    as_json,
    as_rows,
    cell_text,
    values_by_column,
)
from pipelines.catalogue.manifest_row import COLUMNS, COSTS, ManifestRow, own_names
from pipelines.core.text.escaping import encodable, harmless
from pipelines.outputs.storage.whole_file import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

_COST_STEP = Decimal("0.000001")
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
# JSON allows these in a string, and half the world's line readers break a line at them.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


_MOST_BYTES = 2**31 - 1  # of the texts of one part
_AT_ONCE = 4096  # rows; a multiple of those that Parquet writes at once, so that its file is the same as if made in one


def write_manifest(folder: Path, rows: Iterable[ManifestRow], own_columns: Sequence[str] = ()) -> None:
    """Write the manifest in all its forms. Blocks; 10,000 rows take about a second.

    The rows are walked through once, some at a time: neither they nor their table are ever in memory as a whole.

    Args:
        folder: the output folder.
        rows: in the order of the batch file.
        own_columns: the user's own columns, in their order; they follow after the manifest's, as `own_names` says.
    """
    own, rest = own_names(own_columns), iter(rows)
    parts: dict[str, list[pa.Array[Any]]] = {name: [] for name in (*COLUMNS, *own.values())}
    with whole_file(folder / "manifest.parquet") as parquet_path:
        with (
            whole_file(folder / "manifest.csv") as csv_path,
            csv_path.open("w", encoding="utf-8", newline="") as table,
            whole_file(folder / "manifest.jsonl") as lines_path,
            lines_path.open("w", encoding="utf-8", newline="\n") as lines,
        ):
            writer = csv.writer(table)
            writer.writerow([harmless(encodable(name)) for name in parts])
            while some := list(islice(rest, _AT_ONCE)):
                plain = {name: _plain(name, values) for name, values in values_by_column(some, own).items()}
                exact = {name: as_json(name, values) for name, values in plain.items()}
                lines.writelines(map(_line, as_rows(exact)))
                cells = (spreadsheet_cells(name, values) for name, values in exact.items())
                writer.writerows(zip(*cells, strict=True))
                for name, values in plain.items():
                    parts[name].append(_array(name, values))
        _write_parquet(parquet_path, parts)


def _plain(name: str, values: list[Any]) -> list[Any]:
    """The values as `load_manifest` has them: moments in UTC, and no number that is none."""
    kind = DTYPES.get(name, TEXT)
    if kind == TIME:
        return [None if moment is None else moment.astimezone(UTC) for moment in values]
    return [None if value != value else value for value in values] if kind == NUMBER else values  # noqa: PLR0124 - NaN


def _line(values: dict[str, Any]) -> str:
    line = json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).translate(_LINE_ENDS)
    if encodable(line) != line:  # half a surrogate pair is kept exactly, as its escape
        line = json.dumps(values, separators=(",", ":"), default=str)
    return line + "\n"


def spreadsheet_cells(name: str, values: Sequence[Any]) -> Iterable[str]:
    """A column as a spreadsheet may see it."""
    kind = DTYPES.get(name, TEXT)
    if kind == TRUTH:
        return ({None: "", True: "true", False: "false"}[value] for value in values)
    if kind in (NUMBER, WHOLE_NUMBER, TIME) or name in COSTS:  # a minus makes no formula of a number
        return ("" if value is None else str(value) for value in values)
    return ("" if value is None else harmless(encodable(cell_text(value))) for value in values)


def _array(name: str, values: Sequence[Any]) -> pa.Array[Any]:
    """A column, or a part of one, as Arrow has it; `pa.array` would do the same, and load pandas for it: 45 MB."""
    import pyarrow as pa  # noqa: PLC0415 - slow to load, and only needed here

    kind, there = _type(name), [value is not None for value in values]
    if not any(there):
        return _nothing(kind, len(values))
    if pa.types.is_string(kind):
        texts = [b"" if value is None else encodable(cell_text(value)).encode() for value in values]
        held = [array("i", accumulate(map(len, texts), initial=0)).tobytes(), b"".join(texts)]
    elif pa.types.is_boolean(kind):
        held = [_bits([bool(value) for value in values])]
    elif name in COSTS:
        steps = (0 if cost is None else int(_micros(cost)) for cost in values)
        held = [b"".join(each.to_bytes(16, sys.byteorder, signed=True) for each in steps)]
    elif pa.types.is_timestamp(kind):
        held = [array("q", [0 if moment is None else (moment - _EPOCH) // _TICK for moment in values]).tobytes()]
    else:
        held = [array("d" if pa.types.is_floating(kind) else "q", [value or 0 for value in values]).tobytes()]
    buffers = [None if all(there) else pa.py_buffer(_bits(there)), *map(pa.py_buffer, held)]
    return pa.Array.from_buffers(kind, len(values), buffers)


@lru_cache(maxsize=32)
def _nothing(kind: pa.DataType, count: int) -> pa.Array[Any]:
    """Most columns have no value in most rows: the parts of all of them are the same few."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.nulls(count, kind)


def _bits(truths: Sequence[bool]) -> bytes:
    """One bit each, the first one lowest."""
    number = int("".join("1" if truth else "0" for truth in reversed(truths)) or "0", 2)
    return number.to_bytes((len(truths) + 7) // 8, "little")


def _micros(cost: Decimal) -> Decimal:
    return cost.quantize(_COST_STEP, rounding=ROUND_HALF_EVEN).scaleb(6)


def _type(name: str) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415 - as above

    if name in COSTS:
        return pa.decimal128(18, 6)
    kinds = {WHOLE_NUMBER: pa.int64(), NUMBER: pa.float64(), TRUTH: pa.bool_(), TIME: pa.timestamp("us", tz="UTC")}
    return kinds.get(DTYPES.get(name, TEXT), pa.string())


def _write_parquet(path: Path, parts: Mapping[str, list[pa.Array[Any]]]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import parquet  # noqa: PLC0415 - as above

    columns = []
    for name, arrays in parts.items():
        # As one part, or pages would begin elsewhere; what is empty has no pages to speak of.
        apart = (
            all(part.null_count == len(part) for part in arrays) or sum(part.nbytes for part in arrays) > _MOST_BYTES
        )
        columns.append(pa.chunked_array(arrays if apart else [pa.concat_arrays(arrays)], _type(name)))
        arrays.clear()
    parquet.write_table(pa.Table.from_arrays(columns, names=[encodable(name) for name in parts]), path)
