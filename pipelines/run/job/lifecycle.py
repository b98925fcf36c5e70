"""The life of one job, from its order to the verified file, as a loop: state -> step -> outcome -> state.

    planned  -> submit: accepted, rejected, not sent, in doubt, fallen back
    accepted -> wait, then collect: done, failed, parked
    in doubt -> wait for a call, where there may be one: adopted

Every step asks the ledger first and tells it after, so `generate_job` may be called again at any time, in any process: it
goes on where the job stands, and never sends twice.
"""

from __future__ import annotations

from pipelines.core.errors import SetupError
from pipelines.core.job import Job
from pipelines.core.outcome import FellBack, Parked, Ready, Skipped
from pipelines.core.status import JobStatus, Readiness
from pipelines.ledger.job_state import JobState
from pipelines.ledger.outcomes import Change
from pipelines.providers.protocol import Progress
from pipelines.run.job.collect import collect_job
from pipelines.run.job.submit import submit
from pipelines.run.job.wait import wait
from pipelines.run.provider_session import HeldSlot
from pipelines.run.run import Run


async def generate_job(job_id: str, run: Run) -> JobState:
    """Take one job as far as it can go in this run, and say where it stands.

    Returns:
        The job's state; `done` if its clip is on disk. A fault that only time can mend leaves the job where it is.

    Raises:
        OutputError: the clip is ready and paid for, but could not be downloaded now; calling again goes on.
    """
    slot = HeldSlot()
    try:
        while goes_on(await _step(run.job(job_id), slot, run), closed=run.closed is not None):
            pass
    except SetupError as error:  # the ledger, the disk, the folder: no other job would fare better
        run.end(error)
    finally:
        await slot.release()
    return run.states[job_id]


def goes_on(change: Change | None, *, closed: bool) -> bool:
    """Decide whether the new state of a job has a next step in this run.

    What is parked or kept is for the next run; and so is a fallback, dearer perhaps, once submissions are closed.
    """
    if change is None or not change.changed or isinstance(change.outcome, Parked | Ready):
        return False
    return not (closed and isinstance(change.outcome, FellBack))


async def _step(job: Job, slot: HeldSlot, run: Run) -> Change | None:
    """Take the step that a job's state asks for. None: there is none in this run."""
    status = run.status_of(job.id)
    if status is JobStatus.PLANNED:
        readiness = run.readiness_of(job)
        if readiness is Readiness.GO:
            return await submit(job, run.sessions[job.order.provider], slot, run)
        if readiness is Readiness.SKIP:
            parent = str(job.parent)
            message = f"it is a remix of {parent}, which is {run.status_of(parent).label}"
            return await run.record(job, Skipped("parent_failed", message))
    if status is JobStatus.IN_DOUBT and run.callbacks is not None:
        await slot.release()
        return await run.callbacks.rescued(job)
    if status.meaning.accepted:
        return await _finish(job, slot, run)
    return None


async def _finish(job: Job, slot: HeldSlot, run: Run) -> Change | None:
    """Wait until the provider has ended the job, then bring its clips home. The slot is free for others by then."""
    session = run.sessions[job.order.provider]
    await slot.take(session, already_in=True)
    ahead, asked = run.ahead.pop(job.id, None), run.states[job.id].provider_job_id
    ended = await (wait(job, session, run) if ahead is None else ahead)
    await slot.release()
    if run.states[job.id].provider_job_id != asked:  # a person has taken the id back
        return await _finish(job, slot, run) if run.status_of(job.id).meaning.accepted else None
    if isinstance(ended, Progress):
        return await collect_job(job, ended, session, run)
    return None if ended is None else await run.record(job, ended, about=asked)
