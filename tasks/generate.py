"""Make one video: one task run a job, named by the job's id, so that the Prefect UI shows each row for itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, cast

import prefect.runtime
from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.urls import url_for

from pipelines.catalogue.gallery.thumbnails import thumbnail_of
from pipelines.catalogue.manifest_row import manifest_row
from pipelines.catalogue.pages import clip_page
from pipelines.core.errors import OutputError, ReelbatchError
from pipelines.core.events import DownloadFailed
from pipelines.core.job import Job
from pipelines.core.remote_folder import bucket_address, shown_place
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import price_text
from pipelines.ledger import views
from pipelines.pacing.rate_limit import RateLimit
from pipelines.run.dispatch import dispatch
from pipelines.run.job.explain import explanation
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.observers import SAID
from pipelines.run.run import Run, current_run
from tasks.report import if_prefect_answers

#: Every task run is about three events, and the default broker of a Prefect server drops what exceeds 10,000 waiting
#: ones (measured: docs/architecture.md). So many may start at once, and so many a second after that.
_STARTS_AT_ONCE = 1_500
_STARTS_PER_SECOND = 30.0
_MOST_PAGES = 200  # each costs a picture and a write in Prefect's database
_PAGES_PATIENCE_S = 10.0  # once all is made


async def _passes(_task: Any, _task_run: Any, state: State[Any]) -> bool:
    """Whether time alone may mend it. A retry re-enters through the ledger and never sends again."""
    return isinstance(state.data, OutputError) and state.data.passes


@task(
    name="generate",
    task_run_name="{job_id}",
    retries=2,
    retry_delay_seconds=15,  # one number: the UI shows a list as NaN
    retry_condition_fn=_passes,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def generate(job_id: str) -> Any:
    """Take one job of the current run as far as it can go. The task run shows where it stands."""
    run = current_run()
    if page := url_for("task-run", obj_id=prefect.runtime.task_run.id):
        run.pages[job_id] = page
    try:
        state = await generate_job(job_id, run)
    except OutputError as error:
        run.emit(DownloadFailed(job_id, error))
        raise
    except Exception as error:
        run.close(ReelbatchError(f"{job_id}: this is a bug in reelbatch ({type(error).__name__}: {error})."))
        raise
    if state.status is JobStatus.DONE and len(run.pages) <= _MOST_PAGES:
        # In the context of this task run, whose page it is; nobody waits for it here.
        showing = asyncio.create_task(show_clip(job_id, run))
        run.showing.add(showing)
        showing.add_done_callback(run.showing.discard)
    return _end_state(state.status, await explanation(run.job(job_id), run))


def _end_state(status: JobStatus, words: str) -> State[Any]:
    """Where a job stands, as the state of its task run: Completed (green) only if the clip is there.

    What needs a person is Failed (red), named `Parked` or `In Doubt`; what was not made is grey, named `Skipped` or `Planned`.
    """
    if status is JobStatus.DONE:
        return Completed(message=words)
    name = status.label.title()
    return (Failed if status.meaning.needs_person else Cancelled)(name=name, message=words)


async def show_clip(job_id: str, run: Run) -> None:
    """Put a small page of a clip on its task run, one after the other. Nothing that goes wrong here concerns the clip."""
    async with run.one_page, if_prefect_answers(f"the page of {job_id}"):
        (record,) = await run.ledger.write(lambda connection: list(views.records(connection, job_id)))
        row = manifest_row(record, rehearsed=run.options.rehearse)
        picture = await asyncio.to_thread(thumbnail_of, run.folder, job_id, str(row.path))
        page = clip_page(row, run.folder, picture, rehearsed=run.options.rehearse)
        await acreate_markdown_artifact(markdown=page, description=f"{job_id}: {row.status.label}")


async def generate_all(run: Run) -> None:
    """A task run for every job that is not at its end."""
    budget = "" if run.budget is None else f" Budget {price_text(run.budget.most, run.budget.currency)}."
    words = f"{run.title}: {run.progress.words()}.{budget} Everything goes to {shown_place(run.folder)}."
    if bucket_address(run.folder) is not None:
        words += f" It is worked on in {run.folder}, which may go afterwards."
    logging.getLogger(SAID).info(words)
    starts = RateLimit(_STARTS_PER_SECOND, burst=_STARTS_AT_ONCE, stop=run.stop)

    async def work(job: Job) -> None:
        await starts.slot()
        # Never raises: the state says how it went. Prefect's types say it is no coroutine; it is.
        await cast("Coroutine[Any, Any, Any]", generate(job.id, return_state=True))

    cpu_before = time.process_time()
    patience_s = 0.0  # of whoever is cancelled
    try:
        await dispatch(run, work)
        run.generating_cpu_s, patience_s = time.process_time() - cpu_before, _PAGES_PATIENCE_S
    finally:  # no page outlives the run, whose ledger it reads
        if run.showing:
            _, late = await asyncio.wait(run.showing, timeout=patience_s)
            for showing in late:
                showing.cancel()
            await asyncio.gather(*late, return_exceptions=True)
