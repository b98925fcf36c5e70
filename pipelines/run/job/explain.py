"""Why a job stands where it stands, in one line for a person who sees nothing else of it."""

from __future__ import annotations

from pipelines.core.errors import SetupError
from pipelines.core.job import Job
from pipelines.core.status import JobStatus, Readiness, Tone
from pipelines.ledger import views
from pipelines.run.run import Run


async def explanation(job: Job, run: Run) -> str:
    """`rejected: the prompt is refused (moderation_blocked)`: the status, the reason in the ledger, the money at stake."""
    status = run.status_of(job.id)
    word = status.label
    if status is JobStatus.DONE:
        return word
    if status is JobStatus.PLANNED:
        return f"{word}: nothing is paid. {_why_unsent(job, run)}"
    why = "" if status.meaning.tone is Tone.BUSY else await _why(job, status, run)
    amount = job.price_words or "An unknown amount"
    at_stake = {JobStatus.IN_DOUBT: f"{amount} may have been paid.", JobStatus.EXPIRED: f"{amount} was paid."}
    return " ".join(part for part in (f"{word}{why}.", at_stake.get(status), status.meaning.next_run) if part)


async def _why(job: Job, status: JobStatus, run: Run) -> str:
    try:
        code, message = await run.ledger.write(views.reason, job.id)
    except SetupError as error:  # what ends the run is worth more than nothing
        return f": {run.failure or error}".rstrip(".")
    coded = f" ({code})" if code and code != status else ""
    return f": {message.rstrip('.')}{coded}" if message else coded


def _why_unsent(job: Job, run: Run) -> str:
    """What keeps a planned job from being sent in this run; the widest reason first."""
    reason = run.failure or run.closed or run.sessions[job.order.provider].closed
    if reason is not None:
        return str(reason)
    if run.readiness_of(job) is Readiness.WAIT:
        return f"It waits for {job.parent}, which is {run.status_of(str(job.parent)).label}."
    if run.stop.is_set():
        return "The run was stopped before its turn came."
    return str(run.left_out or "Nothing was sent for it in this run.")
