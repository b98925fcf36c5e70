"""The batch of an output folder, as its ledger knows it: its file, where that is as it was, else the ledger alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from pipelines.batch import Batch, BudgetSetting, LimitSettings, OutputPlace, Table
from pipelines.batch.files.document import CsvDialect
from pipelines.catalogue.compilation import write_catalogue
from pipelines.core.errors import LedgerError, ReelbatchError
from pipelines.core.job import Job
from pipelines.ledger import views
from pipelines.ledger.history import last_noted_at
from pipelines.ledger.ledger import Ledger, LedgerReader, is_rehearsal
from pipelines.ledger.storage.place import TRACE
from pipelines.ledger.views import BatchOfLedger, JobRecord
from pipelines.outputs.storage.object_store import store_of
from pipelines.providers.profile.load import find_profiles
from pipelines.providers.profile.model import Profile
from pipelines.run.batch_file import read_for_run
from pipelines.run.buying import bring_index_up
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import refuse_links
from pipelines.run.spending import bring_book_up


def options_of(folder: Path, chosen: RunOptions | None = None) -> RunOptions:
    """The options under which a run works on a folder again: a rehearsal is rehearsed."""
    rehearsed = is_rehearsal(folder)
    place = {"out": folder.parent if rehearsed else folder, "rehearse": rehearsed, "occurrence": None}
    return (chosen or RunOptions()).model_copy(update=place)


def batch_of_file(source: BatchOfLedger, options: RunOptions, jobs: Sequence[Job]) -> Batch | None:
    """The batch as it is in its file, with the jobs as the ledger has them, if the file is what was registered; else None.

    Args:
        source: as the ledger knows the file.
        options: whose profiles count.
        jobs: those that it names, as they were planned; with the new takes of a person behind their rows.
    """
    wanted = {job.id for job in jobs}
    for provider in dict.fromkeys((None, *(job.order.provider for job in jobs[:1]))):
        try:
            _, batch = read_for_run(source.path, options.model_copy(update={"provider": provider}))
        except ReelbatchError:
            continue
        if batch.source_sha256 == source.sha256 and {job.id for job in batch.jobs} <= wanted:
            return replace(batch, name=source.campaign, jobs=tuple(jobs), reading=None)
    return None


def batch_of_jobs(source: BatchOfLedger, jobs: Sequence[Job], profiles: Mapping[str, Profile]) -> Batch:
    """A batch of jobs without its file."""
    return Batch(
        name=source.campaign,
        path=source.path,
        source_sha256=source.sha256,
        jobs=tuple(jobs),
        columns=(),
        kept=(),
        table=Table((), (), CsvDialect()),
        limits=LimitSettings(),
        budget=BudgetSetting(),
        output=OutputPlace(),
        delivery="poll",
        profiles=profiles,
        warnings=(),
    )


def batch_to_run(source: BatchOfLedger | None, records: Sequence[JobRecord], options: RunOptions) -> Batch:
    """The batch of a folder that is to be run again, with the new takes that persons asked for, each behind its row.

    Raises:
        LedgerError: no batch was ever registered.
    """
    if source is None:
        raise LedgerError("No batch file was ever run in this folder. Start with `reelbatch run`.")
    takes: defaultdict[str | None, list[Job]] = defaultdict(list)
    for record in records:
        if record.in_batch:
            takes[record.redo_of].append(record.plan)
    jobs = [each for job in takes[None] for each in (job, *takes[job.id])]
    batch = batch_of_file(source, options, jobs)
    return batch or batch_of_jobs(source, jobs, find_profiles(options.profiles, beside=source.path).profiles)


def profiles_of_folder(reader: LedgerReader, options: RunOptions | None = None) -> Mapping[str, Profile]:
    """The profiles that count for a folder: shipped ones, those beside its batch file, and further ones of the options."""
    source = reader.read(views.source)
    return find_profiles((options or RunOptions()).profiles, beside=source.path if source else None).profiles


def registered(connection: Connection) -> tuple[BatchOfLedger | None, list[JobRecord]]:
    """The batch file that was registered last, and every job."""
    return views.source(connection), list(views.records(connection))


async def write_catalogue_again(ledger: Ledger | LedgerReader, folder: Path, options: RunOptions | None = None) -> None:
    """Write anew what follows from the ledger of a folder: its catalogue, and what the index of purchases says of it.

    Done copy and failed rows are written if the batch file is there; where the ledger is only read, the index stays as it is.

    Raises:
        SetupError: the folder cannot be written, or leads elsewhere.
    """
    refuse_links(folder)
    source, records = await ledger.write(registered) if isinstance(ledger, Ledger) else ledger.read(registered)
    if source is None:
        return
    batch = batch_to_run(source, records, options or RunOptions())
    rehearsed = is_rehearsal(folder)
    title = f"{source.campaign} (rehearsal, nothing was paid)" if rehearsed else source.campaign
    if isinstance(ledger, Ledger):
        chosen = options_of(folder, options)
        await bring_index_up(ledger, batch, chosen)
        await bring_book_up(ledger, batch, chosen)
    await write_catalogue(ledger, batch, folder, title=title, rehearsed=rehearsed)


async def refresh_after_a_kill(reader: LedgerReader) -> bool:
    """Write the catalogue anew where a run has ended before it could; the ledger is only read.

    Returns:
        Whether it was written: not while a run goes on, which writes it at its end.

    Raises:
        SetupError: the folder cannot be written.
        DiskFull: there is no space.
        UploadFailed: the bucket that the folder is in cannot be reached.
    """
    folder = reader.folder
    manifest = folder / TRACE
    if reader.is_being_written():
        return False
    if (store := store_of(folder)) is not None:  # another machine may have written it
        await asyncio.to_thread(store.fetch, TRACE)
    written_at = manifest.stat().st_mtime if manifest.exists() else 0.0
    if reader.read(last_noted_at) <= written_at:
        return False
    await write_catalogue_again(reader, folder, options_of(folder))
    return True
