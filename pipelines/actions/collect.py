"""Bring home what is paid for already, from the ledger alone: nothing is submitted, and the batch file may be gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.actions.known_batch import batch_of_jobs, refresh_after_a_kill, write_catalogue_again
from pipelines.core.errors import LedgerOwned, OutputError, ReelbatchError, SetupError
from pipelines.core.events import DownloadFailed
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.status import ACCEPTED, JobStatus
from pipelines.core.text.counts import counted
from pipelines.ledger import views
from pipelines.ledger.callbacks import jobs_to_rescue
from pipelines.ledger.ledger import Ledger, LedgerReader, is_rehearsal
from pipelines.ledger.recovery import reopen_expired
from pipelines.ledger.requests import last_owner
from pipelines.ledger.storage.place import LEDGER_NAME, PLACE_NOTE
from pipelines.ledger.views import BatchOfLedger
from pipelines.outputs import unsettled
from pipelines.outputs.storage.object_store import brought_down, store_of
from pipelines.providers.profile.load import find_profiles
from pipelines.run.accounts import accounts_to_collect
from pipelines.run.dispatch import dispatch
from pipelines.run.job.collect import settle_what_is_done
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, make_folders
from pipelines.run.requests import heed_requests
from pipelines.run.run import Run, RunContext, handing_over

#: What lies in an output folder beside occurrences of the campaign: there is no campaign below these.
_NO_CAMPAIGNS = ("videos", "thumbs", "rehearsal", "sandbox-profiles")


@dataclass(frozen=True, slots=True)
class Collected:
    """What was brought home into one output folder."""

    folder: Path
    campaign: str = ""
    recovered: tuple[str, ...] = ()  # jobs whose clips are on disk now, and were not
    left: tuple[str, ...] = ()  # jobs that are paid for and not home yet
    reasons: tuple[str, ...] = ()  # why
    run: str = ""  # which run works on it, and brings home what there is; empty: none does

    @property
    def run_words(self) -> str:
        """What goes on where a run works on the folder."""
        return (
            f"{self.run}, works on it, and brings home what is paid for: {counted(len(self.left), 'clip')} not home yet. "
            "Nothing was done here; `reelbatch status DIR` shows where it stands."
        )


def campaigns_below(root: Path) -> list[Path]:
    """Every output folder of runs that were paid for: the folder itself, and all below it that have a ledger.

    Of a bucket the working folders, each with a note of where its ledger is.

    Raises:
        SetupError: there is no such folder.
        UploadFailed: the bucket cannot be read.
    """
    if (store := store_of(root)) is not None:
        return [brought_down(root / at, PLACE_NOTE) for at in store.folders_with((PLACE_NOTE,), _NO_CAMPAIGNS)]
    if not root.is_dir():
        raise SetupError(f"There is no folder {root}. Give an output folder, or one above several.")

    def found() -> Iterator[Path]:
        for at, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NO_CAMPAIGNS)
            if not {LEDGER_NAME, PLACE_NOTE}.isdisjoint(files) and not is_rehearsal(Path(at)):
                yield Path(at).absolute()

    return list(found())


async def collect_folder(
    folder: Path,
    options: RunOptions | None = None,
    context: RunContext | None = None,
    only: Container[str] | None = None,
) -> Collected:
    """Bring home every clip of an output folder that a provider has, or is making. Submits nothing.

    What is `expired` is asked about once more: clocks are wrong at times, and providers relent. A doubt about which a
    provider has called is settled, as a run settles it: the provider is asked about the id that the call names.

    Manifest and gallery are written anew; done copy and failed rows as well, if the batch file is where it was.

    Args:
        folder: the output folder.
        options: only further profiles, the pace, and a ledger that lies elsewhere count.
        context: who observes it, and its progress.
        only: jobs, by id; what else is at a provider is left there. None: every job.

    While a run works on the folder nothing is done: that run brings home what there is, and is named.

    Raises:
        SetupError: the ledger or the folder cannot be used.
    """
    asked = (options or RunOptions()).model_copy(update={"out": folder, "rehearse": False, "occurrence": None})
    place = ledger_of(folder, asked, folder.name)
    reader = LedgerReader(place)
    if reader.is_being_written():
        return _left_to_the_run(reader)
    source, away = reader.read(lambda connection: (views.source(connection), views.is_anything_away(connection)))
    if source is None or not (away or reader.read(jobs_to_rescue)):
        await refresh_after_a_kill(reader)
        return Collected(folder, "" if source is None else source.campaign)
    make_folders(folder)
    try:
        async with Ledger(place) as ledger:
            ledger.remember()
            await ledger.write(reopen_expired, sure_as_well=True)
            failpoint("collect.reopened")
            if kept := await asyncio.to_thread(unsettled, folder / "videos"):
                settle_what_is_done(kept, await ledger.write(views.states))
            return await _collect(ledger, source, asked, context or RunContext(), only)
    except LedgerOwned:  # a run has begun a moment ago, or has taken it over
        return _left_to_the_run(reader)


def _left_to_the_run(reader: LedgerReader) -> Collected:
    source, states = reader.read(lambda connection: (views.source(connection), views.states(connection)))
    left = tuple(job_id for job_id, state in states.items() if state.status in ACCEPTED)
    campaign = "" if source is None else source.campaign
    return Collected(reader.folder, campaign, left=left, run=str(reader.read(last_owner)))


async def _collect(
    ledger: Ledger, source: BatchOfLedger, options: RunOptions, context: RunContext, only: Container[str] | None
) -> Collected:
    """The same, with the ledger open."""
    profiles = find_profiles(options.profiles, beside=source.path).profiles
    found = await ledger.write(views.at_providers, await ledger.write(jobs_to_rescue))
    waiting = [job for job in found if only is None or job.id in only]
    accounts, out_of_reach = accounts_to_collect(waiting, (), profiles, options)
    reachable = {account.profile.name for account in accounts}
    jobs = [job.model_copy(update={"fallbacks": ()}) for job in waiting if job.order.provider in reachable]
    batch, context.ledger, context.progress.total = batch_of_jobs(source, jobs, profiles), ledger, len(jobs)
    with handing_over(context):
        async with open_run(batch, options) as run:
            heeding = asyncio.create_task(heed_requests(run))
            await dispatch(run, lambda job: _bring_home(job, run), takes_more=False)
            heeding.cancel()
    await write_catalogue_again(ledger, run.folder, options)
    states = await ledger.write(views.states)
    return Collected(
        folder=run.folder,
        campaign=source.campaign,
        recovered=tuple(job.id for job in waiting if states[job.id].status is JobStatus.DONE),
        left=tuple(job.id for job in waiting if states[job.id].status in ACCEPTED),
        reasons=(
            *(
                f"{counted(len(one.job_ids), 'clip')} of {one.provider} cannot be had: {one.remedy}"
                for one in out_of_reach
            ),
            *map(str, run.reasons()),
        ),
    )


async def _bring_home(job: Job, run: Run) -> None:
    try:
        await generate_job(job.id, run)
    except OutputError as error:
        run.emit(DownloadFailed(job.id, error))


async def collect_or_say(
    folder: Path, options: RunOptions | None = None, context: RunContext | None = None
) -> Collected:
    """Collect one campaign of several: why it cannot be is said, and nothing is raised."""
    try:
        return await collect_folder(folder, options, context)
    except ReelbatchError as error:
        return Collected(folder, reasons=(str(error),))


def expiring_clips(folder: Path, before: datetime) -> list[str]:
    """The jobs, by id, that are paid for and not home, and whose link ends before that moment; none where none is known.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return LedgerReader(ledger_of(folder, RunOptions(), folder.name)).read(views.expiring, before)


def recovered_words(found: Sequence[Collected]) -> str:
    """`3 paid clips recovered`, and how many are not home yet."""
    left = sum(len(each.left) for each in found)
    words = f"{counted(sum(len(each.recovered) for each in found), 'paid clip')} recovered"
    return f"{words}, {left:,} not home yet" if left else words
