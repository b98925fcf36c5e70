"""Submitting one job: reserve it, send it at most once, and write down what the answer means.

claimed -> sending (committed just before the first byte) -> accepted, rejected, not sent or in doubt

A job that surely was not bought falls back to its next fallback, if it names one: refused for its own sake, in the same
transaction as the refusal; or not sent, since its provider takes nothing more in this run.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

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
    SetupError,
    Unsendable,
    UnusableAnswer,
)
from pipelines.core.events import ProviderAway, ProviderBack, ProviderSlowed
from pipelines.core.failpoints import failpoint
from pipelines.core.image import IMAGE_UNUSABLE, is_local, load
from pipelines.core.job import Job
from pipelines.core.outcome import Accepted, FellBack, InDoubt, Outcome, Rejected, Unsent
from pipelines.core.status import JobStatus
from pipelines.core.text.sentences import may_cost
from pipelines.ledger import attempts
from pipelines.ledger.attempts import Claim
from pipelines.ledger.ledger import last_resort_record
from pipelines.ledger.outcomes import Change
from pipelines.providers.client import same_address
from pipelines.providers.profile.digest import orders_digest
from pipelines.providers.protocol import Supplies, Verdict
from pipelines.run.provider_session import HeldSlot, ProviderSession
from pipelines.run.run import Run


async def submit(job: Job, session: ProviderSession, slot: HeldSlot, run: Run) -> Change | None:
    """Order a planned job once, or turn it to its fallback. None: nothing may be sent for it in this run."""
    claim = await try_reserve(job, session, run)  # before a slot is free, so that a free slot is used at once
    if claim is None:
        return await fall_back_from_closed(job, session, run)
    failpoint("reserve.done")
    await slot.take(session)
    await session.submit_rate.slot()
    return await run.to_the_end(send(job, claim, session, run))


async def try_reserve(job: Job, session: ProviderSession, run: Run) -> Claim | None:
    """Reserve the job and its price. None: nothing may be sent now, or the job stands elsewhere already."""
    if (moved := _parent_moved(job, session, run)) is not None:
        run.leave_out(job, moved)
        return None
    if is_open(session, run):
        await session.half_open_probe()
    if not is_open(session, run):
        return None
    try:
        change = await run.reserve(job, session.provider.account)
    except BudgetReached as error:
        # The fallback may be the dear one, and other rows may still fit; a price that is unknown says nothing of them.
        if job.fallback_index or isinstance(error, NotCovered):
            run.leave_out(job, error)
        else:
            run.close(error)
        return None
    return change.claim


def is_open(session: ProviderSession, run: Run) -> bool:
    """Tell whether something may be sent. A spent budget is no reason against what is reserved: each claim asks anew."""
    if run.ledger.full:
        run.close(DiskFull())
        return False
    closed = run.closed is not None and not isinstance(run.closed, BudgetReached)
    return not (run.stop.is_set() or closed or session.closed)


async def send(job: Job, claim: Claim, session: ProviderSession, run: Run) -> Change | None:
    """Send, classify, and write the verdict down. Runs to its end whatever happens around it."""
    try:
        verdict = await _verdict(job, claim, session, run)
    except (NotSent, Unsendable) as error:
        return await _unsent(job, claim, error, session, run)
    if isinstance(verdict, Rejected):
        verdict = replace(verdict, profile=orders_digest(session.provider.profile))
    failpoint("answer.judged")
    try:
        change = await run.record(job, outcome_of(verdict, job), claim)
    except (LedgerError, DiskFull) as error:
        if isinstance(verdict, Accepted):
            last_resort_record(
                job.id,
                verdict.job,
                error,
                ledger=run.ledger.place,
                provider=session.name,
                account=session.provider.account,
            )
        run.end(error)
        return None
    _heed(verdict, change, session, run)
    return change


def outcome_of(verdict: Verdict, job: Job) -> Outcome:
    """Decide what a verdict means for a job: what one provider refuses for the row's sake, the next fallback may make."""
    if not isinstance(verdict, Rejected) or verdict.again or verdict.code == IMAGE_UNUSABLE:
        return verdict  # a picture that cannot be sent here cannot be sent anywhere
    fallback = job.fall_back()
    return verdict if fallback is None else FellBack(fallback, verdict.code, verdict.message, verdict)


async def fall_back_from_closed(job: Job, session: ProviderSession, run: Run) -> Change | None:
    """Turn a job that surely was not sent to its next fallback, if its provider takes nothing more in this run."""
    fallback = job.fall_back()
    if fallback is None or not session.falls_back or run.closed is not None or run.stop.is_set():
        return None
    if run.status_of(job.id) is not JobStatus.PLANNED:
        return None
    return await run.record(job, FellBack(fallback, "closed", str(session.closed)))


async def _unsent(
    job: Job, claim: Claim, error: NotSent | Unsendable, session: ProviderSession, run: Run
) -> Change | None:
    change = await run.record(job, Unsent(str(error)), claim)
    if not change.changed and change.state.status is JobStatus.SUBMITTING:  # its first byte may be on its way
        change = await run.record(job, InDoubt(str(error)), claim)
    if is_open(session, run):
        if isinstance(error, Unsendable):  # no row would fare better
            session.misconfigured = True
            run.close_provider(session, error)
        else:
            _away(session, run, str(error))
    return change


async def _verdict(job: Job, claim: Claim, session: ProviderSession, run: Run) -> Verdict:
    """Send, and classify the answer; or refuse it ourselves where the order cannot be sent as it was planned.

    Raises:
        NotSent: surely nothing reached the provider.
        Unsendable: nor will it, before the operator has mended something.
    """

    async def before_first_byte() -> None:
        failpoint("send.connected")
        if not is_open(session, run):
            raise NotSent("the run is stopping")
        if not await run.ledger.write(attempts.mark_sending, claim, calls_back=supplies.callback_url is not None):
            raise NotSent("another run has taken this job over")
        failpoint("send.marked")

    if job.parent is not None and (there := run.job(job.parent).order.provider) != job.order.provider:
        return Rejected("row", "parent_elsewhere", f"it is a remix of {job.parent}, which was made at {there}")
    try:
        supplies = await _supplies(job, claim, run)
    except ImageUnusable as error:
        return Rejected("row", IMAGE_UNUSABLE, str(error))
    if run.callbacks is not None and supplies.callback_url is not None:
        run.callbacks.sent(job)
    verdict = await session.provider.submit(job.order, supplies, before_first_byte)
    away = isinstance(verdict, Rejected) and verdict.kind == "server"
    if not away and session.outage.reached():
        run.emit(ProviderBack(session.name))
    session.doubt.record(in_doubt=isinstance(verdict, InDoubt))
    return verdict


def _parent_moved(job: Job, session: ProviderSession, run: Run) -> SetupError | None:
    """Say why a remix has to wait: its parent is at another address than the one that is set now."""
    there = None if job.parent is None else run.states[job.parent].account
    if there is None or run.job(str(job.parent)).order.provider != job.order.provider:
        return None
    if same_address(there, session.provider.account):
        return None
    name = session.provider.profile.base_url_names[0]
    return SetupError(
        f"{job.id} remixes {job.parent}, which was made at another address of {session.name}. Set {name} back."
    )


async def _supplies(job: Job, claim: Claim, run: Run) -> Supplies:
    """Find what the order needs beside its own words.

    Raises:
        ImageUnusable: a local file is gone, or has changed since it was planned with.
    """
    order, folder = job.order, run.batch.path.parent
    if any(map(is_local, order.image_urls)):
        images = await asyncio.to_thread(lambda: tuple(load(reference, folder) for reference in order.image_urls))
    else:
        images = tuple(order.image_urls)
    parent_id = order.remix_of if job.parent is None else run.states[job.parent].provider_job_id
    address = None if run.callbacks is None else run.callbacks.address_for(claim, order)
    return Supplies(images, parent_id, address, claim.attempt_id)


def _heed(verdict: Verdict, change: Change, session: ProviderSession, run: Run) -> None:
    """Act on what an answer says of the provider or the account, beside the job."""
    if isinstance(verdict, Rejected):
        if verdict.again:
            _heed_refusal(verdict, session, run)
    elif isinstance(verdict, Accepted):
        if isinstance(change.outcome, InDoubt):
            owner, job = change.outcome.replay_of, run.job(change.job_id)
            words = f"{session.name} gave {job.id} the id of {owner}: it, or a proxy, replays answers; {may_cost(job)}."
            run.close_provider(session, UnusableAnswer(f"{words} No more are sent."))
        else:
            session.submit_rate.succeeded()
    elif session.doubt.open and session.closed is None:
        words = f"{session.name}: too many submissions end in doubt; no more are sent."
        run.close_provider(session, ProviderUnavailable(words))


def _heed_refusal(verdict: Rejected, session: ProviderSession, run: Run) -> None:
    """Act on a refusal that is not the row's fault."""
    name, profile = session.name, session.provider.profile
    said = f"{verdict.message} ({verdict.code})"
    match verdict.kind:
        case "slow_down":
            hold_s = session.submit_rate.slow_down(verdict.retry_after_s)
            run.emit_rarely(f"{name} slows down", ProviderSlowed(name, hold_s))
        case "key":
            session.misconfigured = True
            words = f"{name} refuses the API key: {said}. No more is sent there."
            remedy = f"{profile.key_remedy} and run the same command again."
            run.close_provider(session, KeyRefused(f"{words} {remedy}"))
        case "funds":
            words = f"{name} has no balance left: {said}. Top it up and run the same command again."
            run.close_provider(session, FundsExhausted(words))
        case "forbidden":
            words = f"{name} forbids this and says no more about why: {said}."
            run.close_provider(session, SetupError(f"{words} No more is sent there; the rows stay planned."))
        case "address":
            session.misconfigured = True
            words = f"{name} does not answer at this address as expected: {said}. No more is sent there."
            run.close_provider(session, SetupError(f"{words} Check {profile.base_url_names[0]}."))
        case _:
            session.submit_rate.slow_down(verdict.retry_after_s)
            _away(session, run, said)


def _away(session: ProviderSession, run: Run, reason: str) -> None:
    """Note that a provider could not be reached: its rows wait, and give up for this run when patience ends."""
    first = not session.outage.ongoing()
    session.outage.failed()
    if first:
        run.emit(ProviderAway(session.name, reason))
    if session.outage.too_long and session.closed is None:
        words = f"{session.name} could not be reached for {session.outage.lasts_s:.0f} s. Its rows stay planned."
        run.close_provider(session, ProviderUnavailable(words))
