"""Make one video: one task run a job, named by the job's id, so that the Prefect UI shows each row for itself."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from pipelines.core.errors import OutputError, ReelbatchError
from pipelines.core.events import DownloadFailed
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.pacing.rate_limit import RateLimit
from pipelines.run.dispatch import dispatch
from pipelines.run.job.explain import explanation
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.run import Run, current_run

#: Every task run is about three events, and the default broker of a Prefect server drops what exceeds 10,000 waiting
#: ones (measured: docs/architecture.md). So many may start at once, and so many a second after that.
_STARTS_AT_ONCE = 1_500
_STARTS_PER_SECOND = 30.0


async def _passes(_task: Any, _task_run: Any, state: State[Any]) -> bool:
    """Whether time alone may mend it. A retry re-enters through the ledger and never sends again."""
    return isinstance(state.data, OutputError) and state.data.passes


@task(
    name="generate",
    task_run_name="{job_id}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_passes,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def generate(job_id: str) -> Any:
    """Take one job of the current run as far as it can go. The task run shows where it stands."""
    run = current_run()
    try:
        state = await generate_job(job_id, run)
    except OutputError as error:
        run.emit(DownloadFailed(job_id, error))
        raise
    except Exception as error:
        run.close(ReelbatchError(f"{job_id}: this is a bug in reelbatch ({type(error).__name__}: {error})."))
        raise
    return _end_state(state.status, await explanation(run.job(job_id), run))


def _end_state(status: JobStatus, words: str) -> State[Any]:
    """Where a job stands, as the state of its task run: `Parked`, `In Doubt`, and plainly Completed if it is done."""
    if status is JobStatus.DONE:
        return Completed(message=words)
    name = status.label.title()
    return Failed(name=name, message=words) if status.meaning.needs_person else Completed(name=name, message=words)


async def generate_all(run: Run) -> None:
    """A task run for every job that is not at its end."""
    starts = RateLimit(_STARTS_PER_SECOND, burst=_STARTS_AT_ONCE, stop=run.stop)

    async def work(job: Job) -> None:
        await starts.slot()
        # Never raises: the state says how it went. Prefect's types say it is no coroutine; it is.
        await cast("Coroutine[Any, Any, Any]", generate(job.id, return_state=True))

    cpu_before = time.process_time()
    await dispatch(run, work)
    run.generating_cpu_s = time.process_time() - cpu_before
