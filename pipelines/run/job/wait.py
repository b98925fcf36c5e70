"""Waiting for one job at its provider, and what its end there means."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pipelines.core.errors import KeyRefused, SetupError, UnknownJob
from pipelines.core.job import Job
from pipelines.core.outcome import CLIP_MISSING, UNKNOWN_ID, Failed, Parked
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.job_state import JobState
from pipelines.providers.protocol import Phase, Progress
from pipelines.run.poller import EMPTY_RESULT
from pipelines.run.provider_session import ProviderSession
from pipelines.run.run import Run
from pipelines.run.status_queries import Stopped
from pipelines.run.waiting import ClipMissing, DeadlinePassed, Waiting


async def wait(job: Job, session: ProviderSession, run: Run) -> Progress | Failed | Parked | None:
    """Wait until the provider has ended a job.

    Returns:
        The progress that shows its clips; or what else became of it; or None where it goes on, in the next run.
    """
    state = run.states[job.id]
    assert state.remote is not None
    submitted_at = state.submitted_at or datetime.now(UTC)
    waiting = Waiting(
        job=state.remote,
        kind=(job.order.provider, job.order.mode, job.order.model, job.order.seconds, job.order.size),
        expected_s=session.expected_s(job.order),
        accepted_at=time.monotonic() - max(0.0, (datetime.now(UTC) - submitted_at).total_seconds()),
        deadline_s=session.provider.profile.timing_of(job.order).deadline_hours * 3600 / run.time_scale,
        was_parked=state.status is JobStatus.PARKED,
        awaits_call=run.callbacks is not None and run.callbacks.expects(job),
    )
    try:
        progress = await session.poller.ended(waiting)
    except Stopped:
        return None
    except KeyRefused as error:
        session.misconfigured = True
        session.poller.close()
        if session.closed is None:
            run.close_provider(session, error)
        return None
    except DeadlinePassed as error:
        return Parked("generate", "deadline", str(error).rstrip("."))
    except ClipMissing as error:
        if session.misses_clips(is_elsewhere=error.is_elsewhere) and session.closed is None:
            session.misconfigured = True
            run.close_provider(session, SetupError(_unseen(session.name)))
        return Parked("generate", CLIP_MISSING, str(error), error.is_news)
    except UnknownJob as error:
        elsewhere = state.account != session.provider.account
        more = "; it was ordered with another key or at another address" if elsewhere else ""
        return Parked("generate", UNKNOWN_ID, str(error).rstrip(".") + more)
    if progress.phase is not Phase.SUCCEEDED:
        return failure_of(progress, state, session)
    session.shows_clips()
    return progress


def _unseen(name: str) -> str:
    """Why nothing more is ordered of a provider whose clips nobody finds, and what to do."""
    return (
        f"{name}: what was bought is not where its profile looks for a clip, so no more is ordered there in this run; the "
        f"rows stay planned. Mend its profile, hold it against a real answer with `reelbatch providers check {name} "
        "--answer FILE`, and run the same command again: what is paid for comes home, and the rest is ordered. Rows that "
        "were refused are for `reelbatch retry DIR`."
    )


def failure_of(progress: Progress, state: JobState, session: ProviderSession) -> Failed:
    """Decide what a job comes to that its provider has ended without a clip."""
    is_cancelled = progress.phase is Phase.CANCELLED
    billed = Billed(session.provider.profile.billed_for(progress.code, is_cancelled=is_cancelled))
    if progress.code == EMPTY_RESULT and billed is Billed.NO:
        billed = Billed.UNKNOWN  # to the provider it is no failure
    return Failed(
        stage="generate",
        code=progress.code or ("cancelled" if is_cancelled else "generation_failed"),
        message=progress.message or f"the provider says {progress.word!r} and gives no reason",
        billed=billed,
        status=JobStatus.CANCELLED if is_cancelled else JobStatus.FAILED,
        trace_id=progress.trace_id if state.trace_id is None else None,
    )
