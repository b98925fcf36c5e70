"""What persons order of a run while it goes on: new takes, and what has failed once more. It is made within that run's caps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.core.errors import BoughtBefore, ReelbatchError, SettlementRefused
from pipelines.core.events import JobChanged
from pipelines.core.job import Job
from pipelines.core.outcome import Replaced, Retried
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import price_text
from pipelines.ledger.job_state import JobState
from pipelines.run.buying import refuse_repeated
from pipelines.run.run import Run

Addition = Replaced | Retried


def job_of(job_id: str, word: Addition, run: Run) -> Job:
    """The job that is to be made: a new take, or one of the run as its row asks for it.

    Raises:
        SettlementRefused: the run has no such job.
    """
    if isinstance(word, Replaced):
        return word.new
    made = run.made_as.get(job_id)
    if made is None:
        raise SettlementRefused(f"{job_id} is none of the jobs of the run that goes on. Ask again when it has ended.")
    if not made.fallback_index:
        return made
    return next(job for job in (*run.batch.jobs, *run.orphans) if job.id == job_id)


def refuse_order(job: Job, run: Run) -> None:
    """Refuse what a run cannot order now.

    Raises:
        SettlementRefused: why it cannot.
    """
    session = run.sessions.get(job.order.provider)
    closed: ReelbatchError | None = run.closed or (None if session is None else session.closed)
    if run.begin_also is None or run.stop.is_set():
        why = "orders nothing now: it is at its beginning or its end, or only brings home what is paid for"
    elif session is None:
        why = f"has no account open at {job.order.provider}"
    elif closed is not None:
        why = f"orders nothing more: {str(closed).rstrip('.')}"
    else:
        why = _beyond_budget(job, run)
    if why:
        raise SettlementRefused(
            f"The run that goes on {why}. Ask again when it has ended; `reelbatch cancel DIR` ends it. Nothing was changed."
        )


def _beyond_budget(job: Job, run: Run) -> str:
    """Why the budget of a run does not reach; empty where it does, or where there is none."""
    if run.budget is None:
        return ""
    cap = price_text(run.budget.most, run.budget.currency)
    if job.cost_estimated is None or job.currency != run.budget.currency:
        return f"has a budget of {cap}, which does not cover {job.price_words or 'an unknown price'}"
    held = run.progress.held.get(run.budget.currency)
    left = run.budget.most - (held.committed if held else 0)
    if job.cost_estimated <= left:
        return ""
    return (
        f"has {price_text(left, run.budget.currency)} left of its budget of {cap}, and {job.id} costs {job.price_words}"
    )


async def bought_before(jobs: Sequence[Job], run: Run) -> str | None:
    """Say which of these jobs were bought before, elsewhere, or may be bought now by another run. None: none of them."""
    if jobs and run.recorder is not None and run.recorder.buyer is not None:
        try:
            await refuse_repeated(run, run.recorder.buyer, jobs)
        except BoughtBefore as error:
            return str(error)
    return None


def include(job: Job, job_id: str, word: Addition, run: Run) -> None:
    """Take a job among those of the run, as its row asks for it; a new take is counted from now on, behind the old one."""
    run.made_as[job.id] = job
    if isinstance(word, Replaced):
        run.states[job.id] = JobState(JobStatus.PLANNED)
        jobs = [each for known in run.batch.jobs for each in ((known, job) if known.id == job_id else (known,))]
        run.batch = replace(run.batch, jobs=tuple(jobs))
        run.emit(JobChanged(job, None, JobStatus.PLANNED, counted_before=False))
