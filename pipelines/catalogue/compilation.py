"""The whole catalogue of an output folder, derived from the ledger and rebuildable from it at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from pipelines.batch import Batch
from pipelines.catalogue.done_copy import by_row, write_done_copy, write_failed_rows
from pipelines.catalogue.failed_rows import failed_rows
from pipelines.catalogue.gallery.page import write_gallery
from pipelines.catalogue.gallery.thumbnails import FOLDER, write_thumbnails
from pipelines.catalogue.in_bucket import bring_thumbnails, send_catalogue
from pipelines.catalogue.load import own_columns
from pipelines.catalogue.manifest import write_manifest
from pipelines.catalogue.manifest_row import ManifestRow, manifest_row
from pipelines.core.failpoints import failpoint
from pipelines.core.money import Balance
from pipelines.core.packed import Packed
from pipelines.core.status import JobStatus
from pipelines.ledger.balances import balances
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.snapshot import Snapshot
from pipelines.ledger.views import JobRecord
from pipelines.outputs.storage.local_disk import disk_errors, not_there
from pipelines.outputs.storage.object_store import store_of
from pipelines.outputs.storage.whole_file import remove_abandoned


@dataclass(frozen=True, slots=True)
class Catalogued:
    """What a catalogue has come to."""

    rows: int  # of the manifest
    missing: Mapping[str, str]  # clips that were brought home, by job, and that nobody finds in the folder any more


async def write_catalogue(
    ledger: Ledger | LedgerReader,
    batch: Batch | None,
    folder: Path,
    *,
    title: str | None = None,
    rehearsed: bool = False,
) -> Catalogued:
    """Write manifest, done copy, failed rows, thumbnails and gallery. Each file is replaced whole or not at all.

    Where the folder is in a bucket they go there as well.

    Args:
        ledger: of the output folder.
        batch: whose jobs are in it; None, or without a table: the file is not at hand, and done copy and failed rows stay as they are.
        folder: the output folder.
        title: what the gallery is headed by; None: the batch's name, or the folder's.
        rehearsed: nothing was paid.

    Raises:
        DiskFull: no space; calling again once there is some makes up for it.
        SetupError: the folder cannot be written.
        UploadFailed: all is written here, and the bucket does not take it.
    """
    if batch is not None and not batch.table.header:  # it was made of the ledger alone
        batch = None
    failpoint("catalogue.begin")
    with disk_errors(folder / "manifest.jsonl", shared=True):
        records, money = await ledger.write(_held) if isinstance(ledger, Ledger) else ledger.read(_held)
        parents = set() if batch is None else {job.parent for job in batch.jobs if job.parent}
        rows, clips, decisive = Packed[ManifestRow](), dict[str, str](), list[JobRecord]()

        def made() -> Iterator[ManifestRow]:
            for record in records:
                row = manifest_row(record, rehearsed=rehearsed)
                if row.path:
                    clips[row.id] = row.path
                if record.status.meaning.failed or record.status is JobStatus.SKIPPED or row.id in parents:
                    decisive.append(record)  # all that `failed.csv` depends on
                yield row

        def write_tables() -> None:
            for place in (folder, folder / FOLDER):
                remove_abandoned(place)
            columns = own_columns(record.job for record in records) if batch is None else batch.columns
            write_manifest(folder, rows.passing(made()), columns)
            if batch is None:
                return
            table = batch.table
            cells = map(table.texts, range(len(table.rows)))
            takes = by_row(row for row in rows if not row.removed)
            write_done_copy(folder, batch.path.name, table.header, cells, takes, table.dialect)
            write_failed_rows(folder, *failed_rows(batch, decisive), table.dialect)

        store = store_of(folder)
        await asyncio.to_thread(write_tables)
        if store is not None:
            await asyncio.to_thread(bring_thumbnails, store)
        await write_thumbnails(folder, clips)
        heading = title or (folder.name if batch is None else batch.name)
        await asyncio.to_thread(write_gallery, folder, heading, rows, money, rehearsed=rehearsed)
        if store is not None:
            await asyncio.to_thread(send_catalogue, store, knows_failed=batch is not None)
        return Catalogued(len(rows), {} if store is not None else await asyncio.to_thread(not_there, folder, clips))


def _held(connection: Connection) -> tuple[Snapshot, list[Balance]]:
    return Snapshot(connection), balances(connection)
