"""The catalogue as one typed table: every manifest, the summary and the sums of `status` are made from it.

Amounts are `Decimal` objects and no decimals of Arrow: a price may have more than six decimals (some providers charge a
fraction of a cent a second), sums have no limit of digits, and 0.1 + 0.2 is 0.3 all the same.

pandas takes its time to load: it is imported by whoever calls, not by whoever imports this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.manifest_row import AS_TEXT, COLUMNS, COSTS, TIMES, ManifestRow, own_names

if TYPE_CHECKING:
    import pandas as pd

TEXT = "string[python]"  # Arrow's text cannot hold half a surrogate pair, and a prompt may
WHOLE_NUMBER, NUMBER, TRUTH, TIME, OBJECT = "Int64", "Float64", "boolean", "datetime64[us, UTC]", "object"

#: The type of each of the manifest's columns, in their order. The user's own are TEXT.
DTYPES = (
    dict.fromkeys(COLUMNS, TEXT)
    | dict.fromkeys(("row", "take", "attempts", "width", "height", "bytes"), WHOLE_NUMBER)
    | dict.fromkeys(("duration_s", "fps"), NUMBER)
    | {"has_audio": TRUTH}
    | dict.fromkeys(TIMES, TIME)
    | dict.fromkeys((*COSTS, "params", "flags", "tags"), OBJECT)
)


def catalogue_frame(rows: Iterable[ManifestRow], own_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Make the table of the catalogue: one row a take, typed also where there is no row or no value.

    Args:
        rows: in the order of the batch file.
        own_columns: the user's own columns, in their order; they follow after the manifest's, as `own_names` says.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load, and only needed here

    values = values_by_column(list(rows), own_names(own_columns))
    frame = pd.DataFrame(
        {
            place: pd.to_datetime(found, utc=True).as_unit("us")
            if (kind := DTYPES.get(name, TEXT)) == TIME
            else pd.Series(found, dtype=kind)
            for place, (name, found) in enumerate(values.items())
        }
    )
    frame.columns = pd.Index(list(values), dtype=object)  # as TEXT
    return frame


def values_by_column(rows: Sequence[ManifestRow], own: Mapping[str, str]) -> dict[str, list[Any]]:
    """The columns that rows of the manifest are, in their order.

    Args:
        rows: of the manifest.
        own: the user's own columns, and the names that they have in the manifest.
    """
    values: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    for name in ("status", "billed"):
        values[name] = [word.value for word in values[name]]
    for name in ("flags", "tags"):
        values[name] = [list(words) for words in values[name]]
    return values | {name: [row.own.get(column) for row in rows] for column, name in own.items()}


def plain_values(column: pd.Series[Any]) -> list[Any]:
    """The values of a column as Python has them, None where there is none."""
    import pandas as pd  # noqa: PLC0415 - as above

    if column.dtype.kind == "M":
        return [None if moment is pd.NaT else moment.to_pydatetime() for moment in column]
    return column.astype(object).where(column.notna(), None).tolist()


def json_columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The columns of a table as JSON has them: times and costs are text."""
    return {name: as_json(name, plain_values(frame[name])) for name in frame.columns}


def as_json(name: str, values: list[Any]) -> list[Any]:
    """The values of a column as JSON has them."""
    text = AS_TEXT.get(name)
    return values if text is None else [None if value is None else text(value) for value in values]


def as_rows(columns: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Any]]:
    """The rows that columns are."""
    return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))


def cell_text(value: Any) -> str:
    """Text for a cell of a table: lists are joined by "; ", an object becomes JSON text."""
    if isinstance(value, str):
        return value
    return "; ".join(value) if isinstance(value, list) else json.dumps(value, ensure_ascii=False, default=str)
