"""The life of one job, from its order to the verified file.

    reserve -> send -> classify -> wait -> fetch -> record

Every step asks the ledger first and tells it after, so this function may be called again at any time, in any process:
it goes on where the job stands, and never sends twice.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from pipelines.core.errors import KeyRefused, SetupError, UnknownJob
from pipelines.core.job import Job
from pipelines.core.status import ACCEPTED, Billed, JobStatus, Readiness
from pipelines.core.text.amounts import price_text
from pipelines.ledger import outcomes
from pipelines.ledger.job_state import Standing
from pipelines.providers.protocol import Phase, Progress
from pipelines.run.job.collect import bring_job_home
from pipelines.run.job.submit import claim, send, shut, turn_from_closed
from pipelines.run.poller import EMPTY_RESULT, DeadlinePassed, Waiting
from pipelines.run.provider_session import Lane
from pipelines.run.run import Run
from pipelines.run.status_queries import Stopped

log = logging.getLogger("reelbatch")


async def generate(job: Job, run: Run) -> Standing:
    """Take one job as far as it can go in this run, and say where it stands.

    Returns:
        The job's standing; `done` if its clip is on disk. A fault that only time can mend leaves the job where it is.

    Raises:
        OutputError: the clip is ready and paid for, but could not be downloaded now; calling again goes on.
    """
    try:
        if await _is_its_turn(job, run):
            await _live(job, run)
    except SetupError as error:  # the ledger, the disk, the folder: no other job would fare better
        run.end(error)
    return run.standing[job.id]


async def _is_its_turn(job: Job, run: Run) -> bool:
    """Whether a job may go on: one that is made after another waits for it, or is skipped with it."""
    if job.parent is None or run.status_of(job.id) is not JobStatus.PLANNED:
        return True
    turn = run.turn_of(job)
    if turn is Readiness.SKIP:
        message = f"it is a remix of {job.parent}, which is {run.status_of(job.parent).label}"
        if await run.ledger.write(outcomes.skipped, job.id, code="parent_failed", message=message):
            run.move(job, Standing(JobStatus.SKIPPED))
            run.tally.say(f"{job.id}: skipped: {message}.", logging.WARNING)
    return turn is Readiness.GO


async def _live(job: Job, run: Run) -> None:
    """At one provider after the other, as far as the job names fallbacks and those before surely did not take it."""
    now: Job | None = job
    while now is not None:
        before = now
        await _live_at(run.lanes[before.order.provider], before, run)
        now = run.job(job.id)
        if now.turned == before.turned or run.closed is not None:
            now = None


async def _live_at(lane: Lane, job: Job, run: Run) -> None:
    """As far as it goes at one provider. A job that surely was not bought here may have turned to its next fallback."""
    was = run.status_of(job.id)
    if was is JobStatus.PLANNED:
        # Reserved before a place is free, so that a free place is used at once.
        claimed = await claim(job, lane, run)
        if claimed is None:
            await turn_from_closed(job, lane, run)
            return
    elif was in ACCEPTED:
        claimed = None
    else:
        return
    progress: Progress | None = None
    async with lane.in_flight.place(already_in=claimed is None):
        while claimed is not None:
            await lane.submit_rate.slot()
            await run.to_the_end(send(job, claimed, lane, run))
            claimed = await claim(job, lane, run)
        if run.status_of(job.id) in ACCEPTED:
            progress = await _wait(job, lane, run)
    if progress is not None:
        await bring_job_home(job, progress, lane, run)
    else:
        await turn_from_closed(job, lane, run)


async def _wait(job: Job, lane: Lane, run: Run) -> Progress | None:
    """Wait until the provider has ended the job. None: it has not, or without a clip; the ledger says how it stands."""
    standing = run.standing[job.id]
    assert standing.remote is not None
    waiting = Waiting(
        job=standing.remote,
        kind=(job.order.provider, job.order.mode, job.order.model, job.order.seconds, job.order.size),
        expected_s=lane.expected_s(job.order),
        accepted_at=time.monotonic() - _age_s(standing.submitted_at),
        deadline_s=lane.provider.profile.timing_of(job.order).deadline_hours * 3600 / run.time_scale,
    )
    try:
        progress = await lane.watch.ended(waiting)
    except Stopped:
        return None
    except KeyRefused as error:
        lane.misconfigured = True
        lane.watch.close()
        if lane.closed is None:
            shut(lane, run, error)
        return None
    except (DeadlinePassed, UnknownJob) as error:
        code, message = "deadline", str(error).rstrip(".")
        if isinstance(error, UnknownJob):
            code = "lost"
            if standing.account != lane.provider.account:
                message += "; it was ordered with another key or at another address"
        await run.ledger.write(outcomes.parked, job.id, stage="generate", code=code, message=message)
        run.move(job, run.standing[job.id].but(JobStatus.PARKED))
        run.tally.say(f"{job.id}: parked: {message}. The next run asks again; it costs nothing.", logging.WARNING)
        return None
    if progress.trace_id is not None:
        await run.ledger.write(outcomes.traced, job.id, progress.trace_id)
    if progress.phase is Phase.SUCCEEDED:
        return progress
    status = JobStatus.CANCELLED if progress.phase is Phase.CANCELLED else JobStatus.FAILED
    await _failed(job, status, progress, lane, run)
    return None


async def _failed(job: Job, status: JobStatus, progress: Progress, lane: Lane, run: Run) -> None:
    """The provider has ended the job without a clip."""
    billed = Billed(lane.provider.profile.bills_failures)
    if progress.code == EMPTY_RESULT and billed is Billed.NO:
        billed = Billed.UNKNOWN  # to the provider it is no failure
    message = progress.message or f"the provider says {progress.word!r} and gives no reason"
    await run.ledger.write(
        outcomes.failed,
        job.id,
        status=status,
        stage="generate",
        code=progress.code or "generation_failed",
        message=message,
        billed=billed,
    )
    run.move(job, run.standing[job.id].but(status))
    if billed is Billed.NO:
        run.tally.price(job.currency, -job.cost_estimated if job.cost_estimated is not None else None)
    run.tally.say(f"{job.id}: {status} at {lane.name}: {message}{_uncertain(job, billed)}", logging.WARNING)


def _uncertain(job: Job, billed: Billed) -> str:
    if billed is not Billed.UNKNOWN or job.cost_estimated is None:
        return ""
    return f" (it may be charged all the same: {price_text(job.cost_estimated, job.currency)})"


def _age_s(submitted_at: datetime | None) -> float:
    return 0.0 if submitted_at is None else max(0.0, (datetime.now(UTC) - submitted_at).total_seconds())
