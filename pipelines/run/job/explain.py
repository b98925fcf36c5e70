"""Why a job stands where it stands, in one line for a person who sees nothing else of it."""

from __future__ import annotations

from pipelines.core.dependencies import Turn
from pipelines.core.errors import SetupError
from pipelines.core.job import Job, JobStatus
from pipelines.ledger import views
from pipelines.run.progress import price
from pipelines.run.run import Run

#: Not ended: what the ledger may say of an earlier end no longer holds.
_OPEN = (JobStatus.SUBMITTING, JobStatus.WAITING, JobStatus.READY)
_NEXT = {
    JobStatus.IN_DOUBT: "It is not sent again by itself.",
    JobStatus.PARKED: "The next run asks again; it costs nothing.",
    JobStatus.WAITING: "The provider is working on it; the next run asks again, it costs nothing.",
    JobStatus.READY: "It is paid for, and not home yet; the next run fetches it, it costs nothing.",
    JobStatus.SUBMITTING: "It was on its way when the run ended.",
}


async def explanation(job: Job, run: Run) -> str:
    """`rejected: the prompt is refused (moderation_blocked)`: the status, the reason in the ledger, the money at stake."""
    status = run.status_of(job.id)
    word = status.replace("_", " ")
    if status is JobStatus.DONE:
        return word
    if status is JobStatus.PLANNED:
        return f"{word}: nothing is paid. {_why_unsent(job, run)}"
    why = "" if status in _OPEN else await _why(job, status, run)
    return " ".join(part for part in (f"{word}{why}.", _at_stake(job, status), _NEXT.get(status, "")) if part)


async def _why(job: Job, status: JobStatus, run: Run) -> str:
    try:
        code, message = await run.ledger.write(views.reason, job.id)
    except SetupError as error:  # what ends the run is worth more than nothing
        return f": {run.failure or error}".rstrip(".")
    coded = f" ({code})" if code and code != status else ""
    return f": {message.rstrip('.')}{coded}" if message else coded


def _why_unsent(job: Job, run: Run) -> str:
    """What keeps a planned job from being sent in this run; the widest reason first."""
    reason = run.failure or run.closed or run.lanes[job.order.provider].closed
    if reason is not None:
        return str(reason)
    if run.turn_of(job) is Turn.WAIT:
        return f"It waits for {job.parent}, which is {run.status_of(str(job.parent)).replace('_', ' ')}."
    if run.stop.is_set():
        return "The run was stopped before its turn came."
    return str(run.left_out or "Nothing was sent for it in this run.")


def _at_stake(job: Job, status: JobStatus) -> str:
    amount = price(job.cost_estimated, job.currency) or "An unknown amount"
    if status is JobStatus.IN_DOUBT:
        return f"{amount} may have been paid."
    return f"{amount} was paid." if status is JobStatus.EXPIRED else ""
