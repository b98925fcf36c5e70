"""Loading the catalogue of an output folder: `load_manifest("outputs/spring")`, for notebooks and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.catalogue.frame import catalogue_frame
from pipelines.catalogue.manifest_row import COLUMNS, ManifestRow, manifest_row, own_names
from pipelines.core.errors import LedgerError
from pipelines.core.job import Job
from pipelines.core.remote_folder import folder_named
from pipelines.core.text.excerpt import quoted
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, is_rehearsal, ledger_in
from pipelines.ledger.storage.place import PLACE_NOTE, TRACE
from pipelines.ledger.views import JobRecord
from pipelines.outputs.storage.object_store import brought_down

if TYPE_CHECKING:
    import pandas as pd


def load_manifest(folder: Path | str) -> pd.DataFrame:
    """Load the catalogue of an output folder as one typed table, a row for each take of each row of the batch.

    It comes from the ledger where there is one, also while a run is writing it; else from `manifest.jsonl`, or
    `manifest.parquet`, with the same columns and types. A folder in which there was only a rehearsal gives the rehearsal's.
    Nothing is written.

    Columns, in this order, with missing values as pandas has them (`pd.NA`, `NaT`; None in an `object` column):

    | columns | type | unit, or what they hold |
    |---|---|---|
    | `id`, `campaign`, `provider`, `model`, `prompt`, `prompt_sha256` | string | always there |
    | `status` | string | planned, submitting, in_doubt, waiting, ready, done, rejected, failed, parked, expired, ... |
    | `billed` | string | yes, no, unknown |
    | `row`, `take`, `attempts` | Int64 | row of the batch file and take, from 1; submissions so far |
    | `width`, `height`, `bytes` | Int64 | pixels, pixels, bytes of the file |
    | `duration_s`, `fps` | Float64 | seconds, frames a second |
    | `has_audio` | boolean | |
    | `submitted_at`, `completed_at`, `downloaded_at`, `url_expires_at` | datetime64[us, UTC] | |
    | `cost_estimated`, `cost_actual`, `cost_reserved`, `cost_uncertain` | object of `Decimal` | units of `currency`, exact |
    | `cost_basis` | string | list, assumed, rehearsed |
    | `callback` | string | received, late, refused, missed, awaited |
    | `currency`, `task_id`, `trace_id`, `sha256`, `storage_uri`, `source_host`, `review` | string | |
    | `path` | string | of the file, relative to the folder |
    | `error_code`, `error_message`, `failed_stage` | string | of what failed, is parked or in doubt |
    | `flags`, `tags` | object of lists | texts |
    | `params` | object of dicts | what was ordered besides provider, model and prompt |
    | the user's own columns | string | under their own names; `own_...` where the manifest has that name |

    Args:
        folder: the output folder of a run; of one in a bucket its address.

    Raises:
        LedgerError: the folder has neither a ledger nor a manifest, or what it has cannot be read.
    """
    folder = brought_down(folder_named(folder), PLACE_NOTE, TRACE)
    try:
        ledger = ledger_in(folder)
    except LedgerError:
        return _frame_of_files(folder)
    records = LedgerReader(ledger).read(lambda connection: list(views.records(connection)))
    return frame_of_records(records, ledger.folder)


def frame_of_records(records: Iterable[JobRecord], folder: Path) -> pd.DataFrame:
    """Make the catalogue of a ledger's records.

    Args:
        records: in their order.
        folder: that of the ledger. A ledger does not keep in which order the batch file has the user's own columns, nor
            those that no row fills; the manifest, where there is one, does.
    """
    rows = [manifest_row(record, rehearsed=is_rehearsal(folder)) for record in records]
    own = own_columns(rows)
    try:
        header = [name for name in next(_lines_of(folder / "manifest.jsonl"), {}) if name not in COLUMNS]
    except (OSError, ValueError):
        header = []
    filled = {name.casefold() for name in own_names(own).values()}
    frame = catalogue_frame(rows, [*own, *(name for name in header if name.casefold() not in filled)])
    place: dict[Any, int] = {name: number for number, name in enumerate((*COLUMNS, *header))}
    return frame[sorted(frame.columns, key=lambda name: place.get(name, len(place)))]


def own_columns(rows: Iterable[ManifestRow | Job]) -> list[str]:
    """The user's own columns that any row fills, as they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row.own))


def _frame_of_files(folder: Path) -> pd.DataFrame:
    readers = {"manifest.jsonl": _lines_of, "manifest.parquet": _rows_of_parquet}  # the exact one first
    found = (place / name for place in (folder, folder / "rehearsal") for name in readers)
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        raise LedgerError(
            f"There is neither a ledger nor a manifest in {folder}. Give the output folder of a run, such as outputs/<name>."
        )
    rows, own = [], dict[str, None]()
    try:
        for values in readers[path.name](path):
            theirs = [name for name in values if name not in COLUMNS]
            own |= dict.fromkeys(theirs)
            given = {name: value for name, value in values.items() if value is not None}
            filled = {name: given.pop(name) for name in theirs if name in given}
            rows.append(ManifestRow(**given, own=filled))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise LedgerError(
            f"{path} cannot be read as a manifest: {quoted(' '.join(str(error).split()), 160)}."
        ) from None
    return catalogue_frame(rows, list(own))


def _lines_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def _rows_of_parquet(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet  # noqa: PLC0415 - slow to load, and only needed here

    for row in parquet.read_table(path).to_pylist():
        lists = {name: row[name].split("; ") if row[name] else [] for name in ("flags", "tags")}
        yield row | lists | {"params": json.loads(row["params"])}
