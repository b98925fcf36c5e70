"""Submitting one job: reserve it, send it at most once, and write down what the answer means.

claim -> sending (committed just before the first byte) -> accepted, rejected, not sent or in doubt

A job that surely was not bought turns to its next fallback, if it names one: refused for its own sake, in the same
transaction as the refusal; or not sent, since its provider takes nothing more in this run.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from logging import ERROR, WARNING
from typing import Any

from pipelines.core.errors import (
    BudgetReached,
    DiskFull,
    FundsExhausted,
    ImageUnusable,
    KeyRefused,
    LedgerError,
    NotCovered,
    NotSent,
    ProviderUnavailable,
    ReelbatchError,
    SetupError,
    Unsendable,
    UnusableAnswer,
)
from pipelines.core.image import IMAGE_UNUSABLE, is_local, load
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import price_text
from pipelines.ledger import attempts, fallbacks
from pipelines.ledger.attempts import Claim
from pipelines.ledger.job_state import Standing
from pipelines.ledger.ledger import cry_out
from pipelines.providers.client import same_address
from pipelines.providers.protocol import Accepted, InDoubt, Rejected, Supplies, Verdict
from pipelines.run.progress import level_of
from pipelines.run.provider_session import Lane
from pipelines.run.run import Run


async def claim(job: Job, lane: Lane, run: Run) -> Claim | None:
    """Reserve the job and its price. None: nothing may be sent now, or the job stands elsewhere already."""
    if not _is_to_be_sent(job, run):
        return None
    if (moved := _parent_moved(job, lane, run)) is not None:
        run.leave_out(moved)
        return None
    if _open(lane, run):
        await lane.clearance()
    if not _open(lane, run):
        return None
    try:
        claimed = await run.ledger.write(attempts.claim, job, lane.provider.account, run.budget)
    except NotCovered as error:
        run.leave_out(error)
        return None
    except BudgetReached as error:
        if job.turned:  # its fallback is the dear one; other rows may still fit
            run.leave_out(error)
        else:
            run.close(error)
        return None
    if isinstance(claimed, Standing):
        run.move(job, claimed)
        return None
    run.move(job, Standing(JobStatus.SUBMITTING))
    run.tally.price(job.currency, job.cost_estimated)
    return claimed


def _is_to_be_sent(job: Job, run: Run) -> bool:
    """Whether it is planned, and still to be made in this way."""
    return run.status_of(job.id) is JobStatus.PLANNED and run.job(job.id).turned == job.turned


def _open(lane: Lane, run: Run) -> bool:
    """Whether something may be sent. A spent budget is no reason against what is reserved: each claim asks it anew."""
    if run.ledger.full:
        run.close(DiskFull())
        return False
    closed = run.closed is not None and not isinstance(run.closed, BudgetReached)
    return not (run.stop.is_set() or closed or lane.closed)


async def send(job: Job, claimed: Claim, lane: Lane, run: Run) -> None:
    """Send, classify, and write the verdict down. Runs to its end whatever happens around it."""
    try:
        verdict = await _verdict(job, claimed, lane, run)
    except (NotSent, Unsendable) as error:
        await run.ledger.write(attempts.not_sent, claimed, str(error))
        _give_back(job, run)
        if _open(lane, run):
            if isinstance(error, Unsendable):  # no row would fare better
                lane.misconfigured = True
                shut(lane, run, error)
            else:
                _away(lane, run, str(error))
        return
    try:
        await _record(job, claimed, verdict, lane, run)
    except (LedgerError, DiskFull) as error:
        if isinstance(verdict, Accepted):
            cry_out(job.id, verdict.job.id, error)
        run.end(error)


async def _verdict(job: Job, claimed: Claim, lane: Lane, run: Run) -> Verdict:
    """What the provider's answer means; or a refusal of our own where the order cannot be sent as it was planned.

    Raises:
        NotSent: surely nothing reached the provider.
        Unsendable: nor will it, before the operator has mended something.
    """

    async def before_first_byte() -> None:
        if not _open(lane, run):
            raise NotSent("the run is stopping")
        if not await run.ledger.write(attempts.mark_sending, claimed):
            raise NotSent("another run has taken this job over")

    if (elsewhere := _made_elsewhere(job, run)) is not None:
        return Rejected("row", "parent_elsewhere", elsewhere)
    try:
        supplies = await _supplies(job, run)
    except ImageUnusable as error:
        return Rejected("row", IMAGE_UNUSABLE, str(error))
    verdict = await lane.provider.submit(job.order, supplies, before_first_byte)
    away = isinstance(verdict, Rejected) and verdict.kind == "server"
    if not away and lane.outage.reached():
        run.tally.say(f"{lane.name} answers again.")
    lane.doubt.record(in_doubt=isinstance(verdict, InDoubt))
    return verdict


def _made_elsewhere(job: Job, run: Run) -> str | None:
    """Why a remix cannot be ordered here: a provider knows only the clips that it has made itself."""
    if job.parent is None or (there := run.job(job.parent).order.provider) == job.order.provider:
        return None
    return f"it is a remix of {job.parent}, which was made at {there}"


def _parent_moved(job: Job, lane: Lane, run: Run) -> SetupError | None:
    """Why a remix has to wait: its parent is at another address than the one that is set now."""
    there = None if job.parent is None else run.standing[job.parent].account
    if there is None or run.job(str(job.parent)).order.provider != job.order.provider:
        return None
    if same_address(there, lane.provider.account):
        return None
    name = lane.provider.profile.base_url_names[0]
    return SetupError(
        f"{job.id} remixes {job.parent}, which was made at another address of {lane.name}. Set {name} back."
    )


async def _supplies(job: Job, run: Run) -> Supplies:
    """What the order needs beside its own words.

    Raises:
        ImageUnusable: a local file is gone, or has changed since it was planned with.
    """
    order, folder = job.order, run.batch.path.parent
    if any(map(is_local, order.image_urls)):
        images = await asyncio.to_thread(lambda: tuple(load(reference, folder) for reference in order.image_urls))
    else:
        images = tuple(order.image_urls)
    parent_id = order.remix_of if job.parent is None else run.standing[job.parent].provider_job_id
    return Supplies(images, parent_id, run.options.callback_url)


async def _record(job: Job, claimed: Claim, verdict: Verdict, lane: Lane, run: Run) -> None:
    if isinstance(verdict, Accepted):
        await _accepted(job, claimed, verdict, lane, run)
    elif isinstance(verdict, Rejected):
        await _rejected(job, claimed, verdict, lane, run)
    else:
        await run.ledger.write(
            attempts.in_doubt, claimed, reason=verdict.reason, http_status=verdict.http_status, excerpt=verdict.excerpt
        )
        run.move(job, Standing(JobStatus.IN_DOUBT))
        words = f"{job.id}: in doubt, {_may_cost(job)} ({verdict.reason}). It is not sent again by itself."
        run.tally.say(words, ERROR)
        if lane.doubt.open and lane.closed is None:
            shut(lane, run, ProviderUnavailable(f"{lane.name}: too many submissions end in doubt; no more are sent."))


def _may_cost(job: Job) -> str:
    """What is uncertain about a job in doubt, with its amount."""
    return f"it may have been paid: {price_text(job.cost_estimated, job.currency) or 'its price is unknown'}"


async def _accepted(job: Job, claimed: Claim, verdict: Accepted, lane: Lane, run: Run) -> None:
    owner = await run.ledger.write(attempts.accepted, claimed, verdict.job, verdict.trace_id, verdict.http_status)
    if owner is not None:
        run.move(job, Standing(JobStatus.IN_DOUBT))
        words = f"{lane.name} gave {job.id} the id of {owner}: it, or a proxy, replays answers; {_may_cost(job)}."
        shut(lane, run, UnusableAnswer(f"{words} No more are sent."))
        return
    lane.submit_rate.succeeded()
    run.move(job, Standing(JobStatus.WAITING, verdict.job, datetime.now(UTC), lane.provider.account))


async def _rejected(job: Job, claimed: Claim, verdict: Rejected, lane: Lane, run: Run) -> None:
    """Surely not bought: the same again later, the next fallback, or the end of the job."""
    code, message = verdict.code, verdict.message
    why: dict[str, Any] = {
        "code": code,
        "message": message,
        "http_status": verdict.http_status,
        "trace_id": verdict.trace_id,
    }
    # A picture that cannot be sent here cannot be sent anywhere.
    turned = None if verdict.again or verdict.code == IMAGE_UNUSABLE else job.turn()
    if turned is not None:
        await run.ledger.write(fallbacks.refused, claimed, turned, **why)
        _give_back(job, run)
        _turned(turned, f"{lane.name} did not take it: {message} ({code}).", run)
        return
    await run.ledger.write(attempts.rejected, claimed, **why, again=verdict.again)
    _give_back(job, run, JobStatus.PLANNED if verdict.again else JobStatus.REJECTED)
    if verdict.again:
        _heed(verdict, lane, run)
    else:
        who = "not sent" if verdict.http_status is None else f"rejected by {lane.name}"
        run.tally.say(f"{job.id}: {who}: {message} ({code})", WARNING)


async def turn_from_closed(job: Job, lane: Lane, run: Run) -> None:
    """Turn a job that surely was not sent to its next fallback, if its provider takes nothing more in this run."""
    turned = job.turn()
    if turned is None or not lane.turns_away or run.closed is not None or run.stop.is_set():
        return
    if not _is_to_be_sent(job, run):
        return
    reason = f"{lane.name} takes nothing more in this run."
    if await run.ledger.write(fallbacks.turned, turned, code="closed", reason=str(lane.closed)):
        _turned(turned, reason, run)


def _turned(turned: Job, reason: str, run: Run) -> None:
    """From now on the job is made by its fallback; said aloud, since it may cost something else."""
    run.made_as[turned.id] = turned
    cost = f" for {cost}" if (cost := price_text(turned.cost_estimated, turned.currency)) else ""
    order = turned.order
    run.tally.say(f"{turned.id}: {reason} Its fallback is {order.provider}, {order.model}{cost}.", WARNING)


def _heed(verdict: Rejected, lane: Lane, run: Run) -> None:
    """Act on a refusal that is not the row's fault."""
    name, profile = lane.name, lane.provider.profile
    said = f"{verdict.message} ({verdict.code})"
    if verdict.kind == "slow_down":
        hold = lane.submit_rate.slow_down(verdict.retry_after_s)
        pause = f"none for {hold:.0f} s, then slower" if round(hold) else "they go on slower"
        run.tally.say_rarely(f"{name} slows down", f"{name} asks for fewer submissions; {pause}.", WARNING)
    elif verdict.kind == "key":
        words = f"{name} refuses the API key: {said}. No more is sent there."
        lane.misconfigured = True
        shut(lane, run, KeyRefused(f"{words} Set a valid {profile.key_names[0]} and run the same command again."))
    elif verdict.kind == "funds":
        shut(
            lane, run, FundsExhausted(f"{name} has no balance left: {said}. Top it up and run the same command again.")
        )
    elif verdict.kind == "forbidden":
        words = f"{name} forbids this and says no more about why: {said}. No more is sent there; the rows stay planned."
        shut(lane, run, SetupError(words))
    elif verdict.kind == "address":
        words = f"{name} does not answer at this address as expected: {said}. No more is sent there."
        lane.misconfigured = True
        shut(lane, run, SetupError(f"{words} Check {profile.base_url_names[0]}."))
    else:
        lane.submit_rate.slow_down(verdict.retry_after_s)
        _away(lane, run, said)


def _away(lane: Lane, run: Run, reason: str) -> None:
    """The provider could not be reached: its rows wait, and give up for this run when patience ends."""
    first = not lane.outage.ongoing()
    lane.outage.failed()
    if first:
        run.tally.say(f"{lane.name} cannot be reached ({reason}). Its rows wait; nothing is lost.", WARNING)
    if lane.outage.too_long and lane.closed is None:
        waited = f"{lane.outage.lasts_s:.0f} s"
        shut(lane, run, ProviderUnavailable(f"{lane.name} could not be reached for {waited}. Its rows stay planned."))


def shut(lane: Lane, run: Run, reason: ReelbatchError) -> None:
    """Send nothing more to this provider in this run. What it has already made is still brought home."""
    known, lane.closed = str(lane.closed), reason
    if str(reason) != known:  # else it was said when the first of the orders that were on their way was answered
        run.tally.say(str(reason), level_of(reason))


def _give_back(job: Job, run: Run, status: JobStatus = JobStatus.PLANNED) -> None:
    """Nothing is charged for this attempt."""
    run.move(job, Standing(status))
    run.tally.price(job.currency, -job.cost_estimated if job.cost_estimated is not None else None)
