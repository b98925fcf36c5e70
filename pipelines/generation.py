"""The life of one job, from its order to the verified file.

    reserve -> send -> classify -> wait -> fetch -> record

Every step asks the ledger first and tells it after, so this function may be called again at any time, in any process:
it goes on where the job stands, and never sends twice.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from pipelines.errors import (
    BudgetReached,
    DiskFull,
    FundsExhausted,
    KeyRefused,
    LedgerError,
    NotSent,
    ProviderUnavailable,
    ReelbatchError,
    SetupError,
    UnknownJob,
    UnusableAnswer,
)
from pipelines.homecoming import bring_job_home
from pipelines.job import Billed, Job, JobStatus
from pipelines.lane import Lane
from pipelines.ledger import attempts, endings
from pipelines.ledger.attempts import Claim, Standing
from pipelines.ledger.ledger import cry_out
from pipelines.providers.protocol import Accepted, InDoubt, Phase, Progress, Rejected, Verdict
from pipelines.run import Run
from pipelines.watch import DeadlinePassed, Stopped, Waiting

log = logging.getLogger("reelbatch")

_AT_THE_PROVIDER = (JobStatus.WAITING, JobStatus.READY, JobStatus.PARKED)


async def generate(job: Job, run: Run) -> Standing:
    """Take one job as far as it can go in this run, and say where it stands.

    Returns:
        The job's standing; `done` if its clip is on disk. A fault that only time can mend leaves the job where it is.

    Raises:
        OutputError: the clip is ready and paid for, but could not be downloaded now; calling again goes on.
    """
    try:
        await _live(job, run.lanes[job.order.provider], run)
    except SetupError as error:  # the ledger, the disk, the folder: no other job would fare better
        run.end(error)
    return run.standing[job.id]


async def _live(job: Job, lane: Lane, run: Run) -> None:
    was = run.standing[job.id]
    if was.status is not JobStatus.PLANNED and was.status not in _AT_THE_PROVIDER:
        return
    # Reserved before a place is free, so that a free place is used at once.
    claimed = await _claim(job, lane, run) if was.status is JobStatus.PLANNED else None
    progress: Progress | None = None
    async with lane.in_flight.place(already_in=was.status in _AT_THE_PROVIDER):
        while claimed is not None:
            await lane.submit_rate.slot()
            await run.to_the_end(_send(job, claimed, lane, run))
            again = run.standing[job.id].status is JobStatus.PLANNED
            claimed = await _claim(job, lane, run) if again else None
        if run.standing[job.id].status in _AT_THE_PROVIDER:
            progress = await _wait(job, lane, run)
    if progress is not None:
        await bring_job_home(job, progress, lane, run)


async def _claim(job: Job, lane: Lane, run: Run) -> Claim | None:
    """Reserve the job and its price. None: nothing may be sent now, or the job stands elsewhere already."""
    if _open(lane, run):
        await lane.clearance()
    if not _open(lane, run):
        return None
    try:
        claimed = await run.ledger.write(attempts.claim, job, lane.provider.account, run.budget)
    except BudgetReached as error:
        run.close(error)
        return None
    if isinstance(claimed, Standing):
        run.move(job, claimed)
        return None
    run.move(job, Standing(JobStatus.SUBMITTING))
    run.tally.price(job.currency, job.cost_estimated)
    return claimed


def _open(lane: Lane, run: Run) -> bool:
    """Whether something may be sent. A spent budget is no reason against what is reserved: each claim asks it anew."""
    if run.ledger.full:
        run.close(DiskFull())
        return False
    closed = run.closed is not None and not isinstance(run.closed, BudgetReached)
    return not (run.stop.is_set() or closed or lane.closed)


async def _send(job: Job, claimed: Claim, lane: Lane, run: Run) -> None:
    """Send, classify, and write the verdict down. Runs to its end whatever happens around it."""

    async def before_first_byte() -> None:
        if not _open(lane, run):
            raise NotSent("the run is stopping")
        if not await run.ledger.write(attempts.mark_sending, claimed):
            raise NotSent("another run has taken this job over")

    try:
        verdict = await lane.provider.submit(job.order, before_first_byte)
    except NotSent as error:
        await run.ledger.write(attempts.not_sent, claimed, str(error))
        _release(job, run)
        if _open(lane, run):
            _away(lane, run, str(error))
        return
    if lane.outage.reached():
        run.tally.say(f"{lane.provider.profile.name} answers again.")
    lane.doubt.record(in_doubt=isinstance(verdict, InDoubt))
    try:
        await _record(job, claimed, verdict, lane, run)
    except (LedgerError, DiskFull) as error:
        if isinstance(verdict, Accepted):
            cry_out(job.id, verdict.provider_job_id, error)
        run.end(error)


async def _record(job: Job, claimed: Claim, verdict: Verdict, lane: Lane, run: Run) -> None:
    if isinstance(verdict, Accepted):
        owner = await run.ledger.write(
            attempts.accepted, claimed, verdict.provider_job_id, verdict.trace_id, verdict.http_status
        )
        if owner is not None:
            run.move(job, Standing(JobStatus.IN_DOUBT))
            words = f"{_name(lane)} gave {job.id} the id of {owner}: it, or a proxy, replays answers. No more are sent."
            _shut(lane, run, UnusableAnswer(words))
            return
        lane.submit_rate.succeeded()
        run.move(job, Standing(JobStatus.WAITING, verdict.provider_job_id, datetime.now(UTC), lane.provider.account))
    elif isinstance(verdict, Rejected):
        await run.ledger.write(
            attempts.rejected,
            claimed,
            code=verdict.code,
            message=verdict.message,
            http_status=verdict.http_status,
            again=verdict.again,
        )
        _release(job, run, JobStatus.PLANNED if verdict.again else JobStatus.REJECTED)
        if verdict.again:
            _heed(verdict, lane, run)
        else:
            run.tally.say(f"{job.id}: rejected by {lane.provider.profile.name}: {verdict.message} ({verdict.code})")
    else:
        await run.ledger.write(
            attempts.in_doubt, claimed, reason=verdict.reason, http_status=verdict.http_status, excerpt=verdict.excerpt
        )
        run.move(job, Standing(JobStatus.IN_DOUBT))
        run.tally.say(f"{job.id}: in doubt, it may have been paid ({verdict.reason}). It is not sent again by itself.")
        if lane.doubt.open and lane.closed is None:
            _shut(
                lane, run, ProviderUnavailable(f"{_name(lane)}: too many submissions end in doubt; no more are sent.")
            )


def _heed(verdict: Rejected, lane: Lane, run: Run) -> None:
    """Act on a refusal that is not the row's fault."""
    name, profile = _name(lane), lane.provider.profile
    said = f"{verdict.message} ({verdict.code})"
    if verdict.kind == "slow_down":
        hold = lane.submit_rate.slow_down(verdict.retry_after_s)
        run.tally.say(f"{name} asks for fewer submissions; none for {hold:.0f} s, then slower.")
    elif verdict.kind == "key":
        run.end(
            KeyRefused(
                f"{name} refuses the API key: {said}. Nothing more was sent. Set a valid {profile.key_env[0]} and run "
                "the same command again."
            )
        )
    elif verdict.kind == "funds":
        _shut(
            lane, run, FundsExhausted(f"{name} has no balance left: {said}. Top it up and run the same command again.")
        )
    elif verdict.kind == "address":
        run.end(
            SetupError(f"{name} does not answer at this address as expected: {said}. Check {profile.base_url_env[0]}.")
        )
    else:
        lane.submit_rate.slow_down(verdict.retry_after_s)
        _away(lane, run, said)


def _away(lane: Lane, run: Run, reason: str) -> None:
    """The provider could not be reached: its rows wait, and give up for this run when patience ends."""
    first = not lane.outage.ongoing()
    lane.outage.failed()
    if first:
        run.tally.say(f"{_name(lane)} cannot be reached ({reason}). Its rows wait; nothing is lost.")
    if lane.outage.too_long and lane.closed is None:
        waited = f"{lane.outage.lasts_s:.0f} s"
        _shut(
            lane, run, ProviderUnavailable(f"{_name(lane)} could not be reached for {waited}. Its rows stay planned.")
        )


def _shut(lane: Lane, run: Run, reason: ReelbatchError) -> None:
    lane.closed = reason
    run.tally.say(str(reason))


def _release(job: Job, run: Run, status: JobStatus = JobStatus.PLANNED) -> None:
    """Nothing is charged for this attempt."""
    run.move(job, Standing(status))
    run.tally.price(job.currency, -job.cost_estimated if job.cost_estimated is not None else None)


def _name(lane: Lane) -> str:
    return lane.provider.profile.name


async def _wait(job: Job, lane: Lane, run: Run) -> Progress | None:
    """Wait until the provider has ended the job. None: it has not, or without a clip; the ledger says how it stands."""
    standing = run.standing[job.id]
    assert standing.provider_job_id is not None
    waiting = Waiting(
        provider_job_id=standing.provider_job_id,
        kind=(job.order.provider, job.order.mode, job.order.model, job.order.seconds, job.order.size),
        expected_s=lane.expected_s(job.order),
        accepted_at=time.monotonic() - _age_s(standing.submitted_at),
        deadline_s=lane.provider.profile.timing.deadline_hours * 3600 / run.time_scale,
    )
    try:
        progress = await lane.watch.ended(waiting)
    except Stopped:
        return None
    except KeyRefused as error:
        run.end(error)
        return None
    except (DeadlinePassed, UnknownJob) as error:
        code = "lost" if isinstance(error, UnknownJob) else "deadline"
        await run.ledger.write(endings.parked, job.id, stage="generate", code=code, message=str(error))
        run.move(job, run.standing[job.id].but(JobStatus.PARKED))
        run.tally.say(f"{job.id}: parked: {error}. The next run asks again; it costs nothing.")
        return None
    if progress.phase is Phase.SUCCEEDED:
        return progress
    status = JobStatus.CANCELLED if progress.phase is Phase.CANCELLED else JobStatus.FAILED
    await _failed(job, status, progress, lane, run)
    return None


async def _failed(job: Job, status: JobStatus, progress: Progress, lane: Lane, run: Run) -> None:
    """The provider has ended the job without a clip."""
    billed = Billed(lane.provider.profile.bills_failures)
    message = progress.message or f"the provider says {progress.word!r} and gives no reason"
    await run.ledger.write(
        endings.failed,
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
    run.tally.say(f"{job.id}: {status} at {_name(lane)}: {message}")


def _age_s(submitted_at: datetime | None) -> float:
    return 0.0 if submitted_at is None else max(0.0, (datetime.now(UTC) - submitted_at).total_seconds())
