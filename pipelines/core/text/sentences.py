"""What an event comes to in words, with how serious it is: the same for the terminal, the log and Prefect. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import ERROR, INFO, WARNING
from pathlib import Path
from typing import assert_never

from pipelines.core.errors import BudgetReached, ProviderUnavailable, ReelbatchError
from pipelines.core.events import (
    AccountFull,
    CallbackOdd,
    CallbacksSilent,
    ClipsOutOfReach,
    DownloadFailed,
    Event,
    IndexUnusable,
    JobChanged,
    JobLeftOut,
    JobsRecognised,
    JobsWait,
    LimitsLost,
    LimitsRegained,
    LimitTurned,
    NoCallbacks,
    ProviderAway,
    ProviderBack,
    ProviderClosed,
    ProviderSlowed,
    PurchasesAdopted,
    RowChange,
    RowsChanged,
    RunBegan,
    RunStopping,
    SubmissionsClosed,
)
from pipelines.core.job import Job
from pipelines.core.outcome import (
    BY_CALLBACK,
    CLIP_MISSING,
    Accepted,
    Adopted,
    Archived,
    Charged,
    ClipGone,
    Done,
    Failed,
    FellBack,
    InDoubt,
    NotCharged,
    Parked,
    PersonsWord,
    Ready,
    Rejected,
    Replaced,
    Resubmitted,
    Retried,
    Skipped,
)
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import Billed, JobStatus
from pipelines.core.stop_reason import StopReason
from pipelines.core.text.counts import counted, first_of


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words for a person: ERROR where money may be gone or nothing more is bought, WARNING for what failed."""

    words: str
    level: int = WARNING


def sentence(event: Event) -> Sentence | None:
    """Say what has happened; None where the counts say enough."""
    match event:
        case RunBegan():
            return None
        case JobChanged():
            return _of_job(event)
        case ProviderAway() | ProviderBack() | ProviderSlowed():
            return _of_provider(event)
        case ProviderClosed(_, reason) | SubmissionsClosed(reason) | JobLeftOut(_, reason):
            return Sentence(str(reason), level_of(reason))
        case RowsChanged(rows, folder):
            return Sentence(changed_words(rows, folder))
        case JobsWait(job_ids, parent, status):
            wait = "waits" if len(job_ids) == 1 else "wait"
            return Sentence(
                f"{first_of(job_ids)} {wait} for {parent}, which is {status.label}. Nothing was sent for them."
            )
        case ClipsOutOfReach() | NoCallbacks() | CallbackOdd() | CallbacksSilent():
            return _of_accounts(event)
        case PurchasesAdopted() | JobsRecognised() | IndexUnusable():
            return _of_purchases(event)
        case DownloadFailed(job_id, reason):
            return Sentence(f"{job_id}: {reason}")
        case RunStopping(why):
            by_hand = why is StopReason.INTERRUPTED
            return Sentence(
                f"Stopping{'' if by_hand else f' ({why})'}: nothing more is submitted; what is at the provider is kept for "
                f"the next run.{' Ctrl-C again leaves at once.' if by_hand else ''}",
                INFO,
            )
        case LimitsLost() | LimitsRegained() | LimitTurned() | AccountFull():
            return _of_limits(event)
        case _:
            assert_never(event)


def changed_words(rows: Sequence[RowChange], folder: Path) -> str:
    """Say which rows ask for something else than was bought of them, and what can be done."""
    names = first_of([f"{each.job_id} (row {each.row}: {', '.join(each.differs)})" for each in rows], 10)
    have, they, what = ("has", "it stays as it is", "its row asks") if len(rows) == 1 else _SEVERAL
    doubt = next((each.job_id for each in rows if each.status is JobStatus.IN_DOUBT), None)
    settle = (
        f" {doubt} is in doubt: settle it first, by `reelbatch resolve {shown_place(folder)} {doubt}`." if doubt else ""
    )
    bought = next((each.job_id for each in rows if each.job_id != doubt), None)
    anew = f" To buy what {what} for now: `reelbatch redo {shown_place(folder)} {bought}`." if bought else ""
    return f"{names} {have} changed since {'it was' if len(rows) == 1 else 'they were'} bought; {they}.{settle}{anew}"


_SEVERAL = ("have", "they stay as they are", "such a row asks")


def missing_words(clips: Mapping[str, str], folder: Path) -> str:
    """Say which clips, by job, are not where they were put, and what brings them back."""
    names = first_of([f"{job_id} ({path})" for job_id, path in clips.items()])
    verb, they, links = ("is", "it", "its link lives") if len(clips) == 1 else ("are", "them", "their links live")
    again = f"`reelbatch verify {shown_place(folder)}` fetches {they} again, while {links}"
    return f"{counted(len(clips), 'clip')} that {'was' if len(clips) == 1 else 'were'} done {verb} no longer there: {names}. {again}."


def log_line(event: Event) -> Sentence | None:
    """Say what only a log tells, beside the sentences: the story of each clip, with what it costs."""
    if not isinstance(event, JobChanged):
        return None
    job, provider = event.job, event.job.order.provider
    cost = f" for {cost}" if (cost := job.price_words) else ""
    match event.outcome:
        case Accepted(remote):
            return Sentence(f"{job.id}: ordered from {provider}{cost}, task {remote.id}.", INFO)
        case Ready():
            return Sentence(f"{job.id}: made by {provider}; it is brought home.", INFO)
        case Done(output):
            return Sentence(f"{job.id}: done, {output['path']}{cost}.", INFO)
        case Parked(_, _, message, is_news=False):
            return Sentence(f"{job.id}: parked: {message}.", INFO)
        case _:
            return None


def _of_provider(event: ProviderAway | ProviderBack | ProviderSlowed) -> Sentence:
    match event:
        case ProviderAway(provider, reason):
            return Sentence(f"{provider} cannot be reached ({reason}). Its rows wait; nothing is lost.")
        case ProviderBack(provider):
            return Sentence(f"{provider} answers again.", INFO)
        case ProviderSlowed(provider, hold_s):
            pause = f"none for {hold_s:.0f} s, then slower" if round(hold_s) else "they go on slower"
            return Sentence(f"{provider} asks for fewer submissions; {pause}.")


def _of_limits(event: LimitsLost | LimitsRegained | LimitTurned | AccountFull) -> Sentence:
    match event:
        case LimitsLost(reason):
            return Sentence(
                f"Prefect's server cannot be asked about account limits ({reason}). The run goes on with what it holds."
            )
        case LimitsRegained():
            return Sentence("Prefect's server answers again; account limits are shared as before.", INFO)
        case LimitTurned(limit, before, now):
            what = "submissions a minute" if limit.endswith("-submit") else "jobs at once"
            return Sentence(
                f"Account limit {limit}: {now} {what}, not {before}. Prefect's Concurrency page has it.", INFO
            )
        case AccountFull(limit, most):
            return Sentence(f"Other runs hold all {most} of {limit}. This one waits for its share; nothing is lost.")


def level_of(reason: ReelbatchError) -> int:
    """Choose the level at which a reason to stop is logged: a cap, or a provider that will be back, is no error."""
    return WARNING if isinstance(reason, BudgetReached | ProviderUnavailable) else ERROR


def _of_accounts(event: ClipsOutOfReach | NoCallbacks | CallbackOdd | CallbacksSilent) -> Sentence:
    match event:
        case ClipsOutOfReach(provider, job_ids, remedy):
            return Sentence(
                f"Paid jobs wait at {provider}: {first_of(job_ids)}. "
                f"To bring them home, {remedy} and run the same command again.",
                INFO,
            )
        case NoCallbacks(providers):
            return Sentence(
                f"{', '.join(providers)}: nobody calls about these jobs; they are asked about, as always.", INFO
            )
        case CallbackOdd(job_id, words):
            return Sentence(f"{job_id}: a callback {words}.")
        case CallbacksSilent(provider, missed):
            return Sentence(
                f"{provider}: {missed} jobs in a row ended without a callback; all are asked about as always. "
                "`reelbatch doctor --callback-url URL` shows whether the way in is open.",
            )


def _of_purchases(event: PurchasesAdopted | JobsRecognised | IndexUnusable) -> Sentence:
    match event:
        case PurchasesAdopted(job_ids, task_ids):
            them, what = ("it", "purchase") if len(job_ids) == 1 else ("them", "purchases")
            tasks = f" (task {first_of(task_ids)})" if task_ids else ""
            return Sentence(
                f"The ledger had lost {len(job_ids):,} {what}, and has {them} again from the index of purchases: "
                f"{first_of(job_ids)}{tasks}. Nothing of that is bought again."
            )
        case JobsRecognised(renamed):
            named = [f"{before} is {now} now" for before, now in renamed]
            return Sentence(f"Recognised by what was ordered: {first_of(named)}. Nothing of that is bought again.")
        case IndexUnusable(reason):
            return Sentence(f"The ledger alone guards this run: {reason}.")


def _of_job(event: JobChanged) -> Sentence | None:
    job, provider = event.job, event.job.order.provider
    if isinstance(event.outcome, PersonsWord):
        return _of_persons_word(job, event.outcome)
    match event.outcome:
        case InDoubt(reason, replay_of=None):
            return Sentence(f"{job.id}: in doubt, {may_cost(job)} ({reason}). It is not sent again by itself.", ERROR)
        case Rejected() as refused if not refused.again:
            who = "not sent" if refused.http_status is None else f"rejected by {provider}"
            return Sentence(f"{job.id}: {who}: {refused.message} ({refused.code})")
        case FellBack(now, refused=refused):
            said = (
                f"{provider} takes nothing more in this run."
                if refused is None
                else f"{provider} did not take it: {refused.message} ({refused.code})."
            )
            cost = f" for {cost}" if (cost := now.price_words) else ""
            return Sentence(f"{job.id}: {said} Its fallback is {now.order.provider}, {now.order.model}{cost}.")
        case Skipped(_, message):
            return Sentence(f"{job.id}: skipped: {message}.")
        case Parked(is_news=False):
            return None
        case Parked(_, code, message) if code == CLIP_MISSING:
            return Sentence(
                f"{job.id}: PAID, AND NOT HOME: {message}. Correct the profile and run the same command again; it costs "
                "nothing. More jobs that end so are parked without a word.",
                ERROR,
            )
        case Parked("generate", _, message):
            return Sentence(f"{job.id}: parked: {message}. The next run asks again; it costs nothing.")
        case Parked(_, _, message):
            return Sentence(f"{job.id}: parked: {message}")
        case Failed(status=JobStatus.EXPIRED):
            return Sentence(f"{job.id}: PAID AND EXPIRED at {provider}: its link ended and no new one is given.", ERROR)
        case Failed() as failed:
            return Sentence(f"{job.id}: {failed.status} at {provider}: {_why_failed(failed, job)}")
        case _:
            return None


def _why_failed(failed: Failed, job: Job) -> str:
    """The message with its code, and what is known of the charge."""
    words = {word.strip(".,:;()'\"") for word in failed.message.split()}
    coded = "" if failed.code in words else f" ({failed.code})"
    charged = {Billed.NO: "; not charged", Billed.YES: "; charged"}.get(failed.billed, "")
    if failed.billed is Billed.UNKNOWN and job.cost_estimated is not None:
        charged = f"; it may be charged all the same: {job.price_words}"
    return f"{failed.message.rstrip('.') if coded or charged else failed.message}{coded}{charged}"


def _of_persons_word(job: Job, word: PersonsWord) -> Sentence | None:
    match word:
        case Adopted(remote, by) if by == BY_CALLBACK:
            return Sentence(
                f"{job.id}: it was bought as {remote.id}, says a callback, and the provider. It is waited for.", INFO
            )
        case Adopted(remote):
            return Sentence(f"{job.id}: it was bought, says a person, as {remote.id}. It is waited for.", INFO)
        case NotCharged():
            return Sentence(f"{job.id}: it was not charged, says a person. It is planned again.", INFO)
        case Charged():
            return Sentence(f"{job.id}: it was charged, says a person, and there is no clip of it.")
        case Resubmitted():
            return Sentence(f"{job.id}: a person wants it bought once more; {may_cost(job)} before.")
        case Archived():
            return Sentence(f"{job.id}: archived, and not counted any more.", INFO)
        case ClipGone(_, message):
            return Sentence(f"{job.id}: paid for, and not home any more: {message}. It is fetched again.")
        case Retried():
            return Sentence(f"{job.id}: a person wants it made once more.", INFO)
        case Replaced(new):
            return Sentence(
                f"{job.id}: a person wants a new take, {new.id}; {new.price_words or 'its price is unknown'}.", INFO
            )
        case _:
            return None


def may_cost(job: Job) -> str:
    """Say what is uncertain about a job in doubt, with its amount."""
    return f"it may have been paid: {job.price_words or 'its price is unknown'}"
