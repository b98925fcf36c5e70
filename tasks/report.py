"""What the Prefect UI shows of a run beside its task runs: a progress bar and a table."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from prefect import task
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from pipelines.catalogue.summary import summary_table
from pipelines.ledger import views
from pipelines.run import Run, current_run

_EVERY_S = 2.0  # each update is a write in Prefect's database
_MOST_ROWS = 200  # the browser loads the whole table


@asynccontextmanager
async def progress_artifact(run: Run) -> AsyncIterator[None]:
    """A progress bar that follows the run for the length of the block."""
    words = f"{run.batch.name}: jobs done"
    found = await acreate_progress_artifact(progress=_share(run), key=artifact_key(run, "progress"), description=words)
    assert isinstance(found, UUID)
    follower = asyncio.create_task(_follow(run, found))
    try:
        yield
    finally:
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower
        await aupdate_progress_artifact(artifact_id=found, progress=_share(run), description=run.tally.words())


async def _follow(run: Run, artifact: UUID) -> None:
    shown = _share(run)
    while True:
        await asyncio.sleep(_EVERY_S)
        if (share := _share(run)) != shown:
            shown = share
            await aupdate_progress_artifact(artifact_id=artifact, progress=share, description=run.tally.words())


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, retries=1)
async def report() -> str:
    """A table of the jobs, those that need a person first. Returns one line: n of m done."""
    run = current_run.get()
    rows = summary_table(await run.ledger.write(lambda connection: list(views.records(connection))), most=_MOST_ROWS)
    words = f"{run.tally.words()}. Everything: {run.folder.name}/manifest.csv and gallery.html"
    await acreate_table_artifact(table=rows, key=artifact_key(run, "summary"), description=words)
    return run.tally.words()


def final_state(run: Run) -> State[str]:
    """The last state of the flow run: `11 of 12 done, 1 failed`. Failed if a person must look at something."""
    words = run.tally.words()
    logging.getLogger("reelbatch").info(words)
    if run.exit_code() == 0:
        return Completed(message=words, data=words)
    return Failed(message=". ".join([words, *(str(reason) for reason in run.reasons())]))


def _share(run: Run) -> float:
    return round(100.0 * run.tally.ended / max(1, run.tally.total), 1)


def artifact_key(run: Run, what: str) -> str:
    """Lower-case letters, digits and dashes, as Prefect wants it."""
    name = re.sub(r"[^a-z0-9]+", "-", run.batch.name.lower()).strip("-") or "campaign"
    return f"{name}-{what}"
