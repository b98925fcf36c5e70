"""What the Prefect UI shows of a run beside its task runs: a progress bar and a table."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from heapq import nsmallest
from pathlib import Path
from uuid import UUID

import prefect.runtime
from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import SettingsContext, get_settings_context
from prefect.states import Completed

from pipelines.catalogue.manifest_row import manifest_row
from pipelines.catalogue.pages import summary_page
from pipelines.core.errors import AttentionNeeded, SetupError
from pipelines.core.money import Balance
from pipelines.core.remote_folder import bucket_address, shown_place
from pipelines.core.text.amounts import money_text
from pipelines.ledger import callbacks
from pipelines.ledger.balances import balances
from pipelines.ledger.snapshot import Snapshot
from pipelines.run.observers import SAID
from pipelines.run.output_folder import output_folder
from pipelines.run.result import CampaignResult, campaign_result
from pipelines.run.run import Run, current_run

log = logging.getLogger("reelbatch")

_EVERY_S = 2.0  # each update is a write in Prefect's database
_ANSWER_S = 10.0  # Prefect's client tries for more than a minute, and a run that pays does not wait for it
_MOST_ROWS = 200  # the browser loads the whole table


@asynccontextmanager
async def if_prefect_answers(what: str, *, quiet: bool = False) -> AsyncIterator[None]:
    """Ask or tell Prefect something that no run may fail or wait for. The block is left when it cannot be, or not soon.

    Args:
        what: it is about, for the log.
        quiet: say nothing of a failure.
    """
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises
        if not quiet:
            log.info("Prefect does not answer about %s (%s).", what, type(error).__name__)


def asked_once() -> SettingsContext:
    """A context in which Prefect's client tries once only, without its pauses of seconds.

    `temporary_settings` would read the environment anew, which costs 0.2 s.
    """
    context = get_settings_context()
    client = context.settings.client.model_copy(update={"max_retries": 0})
    return context.model_copy(update={"settings": context.settings.model_copy(update={"client": client})})


@asynccontextmanager
async def progress_artifact(run: Run) -> AsyncIterator[None]:
    """A progress bar that follows the run for the length of the block, while Prefect's server is there."""
    found: UUID | None = None
    async with if_prefect_answers("the progress"):
        key, words = artifact_key(run, "progress"), f"{run.title}: jobs done"
        found = await acreate_progress_artifact(progress=_share(run), key=key, description=words)
    if found is None:
        yield
        return
    follower = asyncio.create_task(_follow(run, found))
    try:
        yield
    finally:
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower
        async with if_prefect_answers("the progress"):
            await aupdate_progress_artifact(artifact_id=found, progress=_share(run), description=_words(run))


async def _follow(run: Run, artifact: UUID) -> None:
    shown = _share(run)
    while True:
        await asyncio.sleep(_EVERY_S)
        if (share := _share(run)) != shown:
            async with if_prefect_answers("the progress", quiet=True):
                await aupdate_progress_artifact(artifact_id=artifact, progress=share, description=_words(run))
                shown = share


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, retries=1)
async def report() -> str:
    """A table of the jobs, those that need a person first. Returns one line: n of m done."""
    run = current_run()
    records = await run.ledger.write(Snapshot)
    urgent = await asyncio.to_thread(nsmallest, _MOST_ROWS, records, key=lambda record: record.status.rank)
    rows = [manifest_row(record, rehearsed=run.options.rehearse) for record in urgent]
    folder = _shown(run.folder)
    called = (
        await run.ledger.write(callbacks.counts, 0 if run.callbacks is None else run.callbacks.turned_away())
    ).words()
    called = f"{called} " if called else ""
    words = f"{_words(run)}. {_money(run, await _held(run))}{called}Everything: {folder}/manifest.csv and {folder}/gallery.html"
    page = summary_page(rows, run.folder, total=len(records), pages=run.pages)
    async with if_prefect_answers("the summary"):
        await acreate_markdown_artifact(markdown=page, key=artifact_key(run, "summary"), description=words)
    return _words(run)


async def conclusion(run: Run) -> CampaignResult:
    """Say what the campaign came to."""
    words, held = _words(run), await _held(run)
    result = campaign_result(run, words, held or [], prefect.runtime.flow_run.id)
    good = result.exit_code == 0
    closing = f"{words}. {_money(run, held)}Everything is in {_shown(run.folder)}."
    logging.getLogger(SAID).log(logging.INFO if good else logging.WARNING, closing)
    return result


def final_state(result: CampaignResult) -> State[CampaignResult]:
    """The last state of the flow run, with the result.

    Raises:
        AttentionNeeded: a person must look at something.
    """
    if result.exit_code == 0:
        return Completed(message=result.words, data=result)
    raise AttentionNeeded(". ".join([result.words, *result.reasons]), result)


def _words(run: Run) -> str:
    """`11 of 12 done, 1 failed`; a rehearsal says that it is one."""
    words = run.progress.words()
    return f"{words} (rehearsal, nothing was paid)" if run.options.rehearse else words


async def _held(run: Run) -> list[Balance] | None:
    """What the ledger holds; None where it has gone with its disk."""
    try:
        return await run.ledger.write(balances)
    except SetupError:
        return None


def _money(run: Run, held: list[Balance] | None) -> str:
    """What it comes to, as a sentence with a blank after it; nothing where no price is known."""
    # Without a ledger the sums that were counted here must do.
    money = run.progress.money() if held is None else money_text(held, rehearsed=run.options.rehearse)
    return "" if not money else f"It {money}. " if run.options.rehearse else f"S{money[1:]}. "


def _shown(folder: Path) -> str:
    """Its address in a bucket; or seen from where the run was started, if it lies below."""
    near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return bucket_address(folder) or str(near)


def _share(run: Run) -> float:
    return round(100.0 * run.progress.ended / max(1, run.progress.total), 1)


def artifact_key(run: Run, what: str) -> str:
    """Lower-case letters, digits and dashes, as Prefect wants it; its own for each campaign and place of its outputs."""
    name = re.sub(r"[^a-z0-9]+", "-", run.batch.name.lower()).strip("-") or "campaign"
    place = output_folder(run.batch, run.options.model_copy(update={"occurrence": None}))
    return f"{name}-{hashlib.sha256(shown_place(place).encode('utf-8', 'surrogateescape')).hexdigest()[:6]}-{what}"
