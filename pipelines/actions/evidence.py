"""What is known of a submission in doubt, for the person who settles it: what was sent and when, and what the provider lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import options_of, profiles_of_folder
from pipelines.actions.persons_word import no_such_job, records_by_id
from pipelines.core.errors import ReelbatchError, SettlementRefused, SetupError, UnknownJob, UnusableAnswer
from pipelines.core.job import Job, Order, RemoteJob
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import amount_text
from pipelines.core.text.times import utc_text
from pipelines.ledger import views
from pipelines.ledger.attempts import live_attempt
from pipelines.ledger.balances import from_micros
from pipelines.ledger.history import GivenId, given_by_hand
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.settlement import SETTLED_ALONE
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.providers.protocol import ListedJob
from pipelines.run.accounts import accounts_to_collect
from pipelines.run.options import RunOptions

_BEFORE, _AFTER = timedelta(minutes=2), timedelta(minutes=10)  # their clock, and ours
_MOST_LISTED = 2_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that the provider lists and that this submission may have become."""

    listed: ListedJob
    agrees: tuple[str, ...]  # in what it is as it was ordered: "time", "prompt", "model", "size", "seconds"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        created = self.listed.created_at
        return {
            "id": self.listed.job.id,
            "created_at": None if created is None else utc_text(created),
            "status": self.listed.status,
            "agrees": list(self.agrees),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a submission in doubt."""

    folder: Path  # of the ledger
    job: Job  # as it was sent
    status: JobStatus
    reason: str | None
    account: str
    attempt: str | None  # the name that the order bore, by which it is found in the vendor's console
    sent_at: datetime | None  # UTC: not before this
    ended_at: datetime | None  # and not after this
    http_status: int | None
    excerpt: str | None  # of the answer
    cost: Decimal | None
    currency: str | None
    assumed: bool = False  # no provider has published this price
    candidates: tuple[Candidate, ...] = ()  # those that agree best first
    listing: str = ""  # why there are none
    given: GivenId | None = None  # the id that a person gave to it, where it is one that can be taken back
    answered: str = ""  # what the provider answers about that id now

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        order = self.job.order
        return {
            "folder": shown_place(self.folder),
            "id": self.job.id,
            "status": str(self.status),
            "reason": self.reason,
            "prompt": order.prompt,
            "provider": order.provider,
            "model": order.model,
            "seconds": order.seconds,
            "size": order.size,
            "account": self.account,
            "attempt": self.attempt,
            "sent_at": None if self.sent_at is None else utc_text(self.sent_at),
            "ended_at": None if self.ended_at is None else utc_text(self.ended_at),
            "http_status": self.http_status,
            "excerpt": self.excerpt,
            "cost": None if self.cost is None else amount_text(self.cost),
            "currency": self.currency,
            "assumed": self.assumed,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "listing": self.listing or None,
            "given": None
            if self.given is None
            else {
                "id": self.given.provider_job_id,
                "by": self.given.by,
                "at": utc_text(self.given.at),
                "answer": self.answered,
            },
        }


async def gather_evidence(folder: Path, job_id: str, options: RunOptions | None = None) -> Evidence:
    """Gather what is known of a submission in doubt. Changes nothing; asks the provider for its list, where it has one.

    Args:
        folder: the output folder.
        job_id: the job.
        options: only further profiles count.

    Raises:
        SettlementRefused: the job is not there, or neither in doubt nor known by an id that a person gave.
        LedgerError: the folder has no ledger that can be read.
    """
    reader = LedgerReader(ledger_in(folder))
    found = _of_ledger(reader, job_id)
    provider, options = found.job.order.provider, options or RunOptions()
    try:
        profile = profiles_of_folder(reader, options).get(provider)
    except ReelbatchError:
        profile = None  # said below, with what it means
    is_named = profile is not None and (profile.attempt_field or profile.idempotency_header)
    if found.given is not None:
        found = replace(found, answered=await _answer_about(found, reader.read(views.states)[job_id].remote, options))
    candidates, why = await _candidates(found, reader.read(views.provider_job_ids, provider), options)
    return replace(found, attempt=found.attempt if is_named else None, candidates=tuple(candidates), listing=why)


async def gather_all_evidence(folder: Path, options: RunOptions | None = None) -> list[Evidence]:
    """Gather what is known of every submission in doubt, as `gather_evidence` does of one.

    Raises:
        LedgerError: the folder has no ledger that can be read.
    """
    states = LedgerReader(ledger_in(folder)).read(views.states)
    doubts = [job_id for job_id, state in states.items() if state.status is JobStatus.IN_DOUBT]
    return [await gather_evidence(folder, job_id, options) for job_id in doubts]


async def _answer_about(found: Evidence, remote: RemoteJob | None, options: RunOptions) -> str:
    """What the provider says of the id that a person gave; it is free."""
    if remote is None:
        return ""
    try:
        async with _client(found, options) as client:
            progress = await client.check(remote)
    except (UnknownJob, UnusableAnswer) as error:
        return str(error)
    except ReelbatchError as error:
        return f"it could not be asked: {error}"
    return f"{progress.word or 'no word'!r}, which means {progress.phase}" + (
        f": {progress.message}" if progress.message else ""
    )


async def check_with_provider(evidence: Evidence, remote: RemoteJob, options: RunOptions | None = None) -> str:
    """Ask the provider whether it knows an id that a person gives; it is free.

    Returns:
        Why it could not be asked; empty where it was, and knows it.

    Raises:
        UnknownJob: it does not know the id.
    """
    try:
        async with _client(evidence, options or RunOptions()) as client:
            await client.check(remote)
    except UnknownJob:
        raise
    except UnusableAnswer as error:
        raise UnknownJob(str(error)) from None
    except ReelbatchError as error:
        return f"{evidence.job.order.provider} could not be asked whether it knows {remote.id}: {error}"
    return ""


def agreement(listed: ListedJob, order: Order, sent_at: datetime | None, ended_at: datetime | None) -> tuple[str, ...]:
    """In what a listed job is as it was ordered; nothing where it contradicts the order or its time. Pure."""
    agrees = []
    if listed.created_at is not None and sent_at is not None:
        last = (ended_at or sent_at) + _AFTER
        if not sent_at - _BEFORE <= listed.created_at <= last:
            return ()
        agrees.append("time")
    seconds = None if order.seconds is None else float(order.seconds)
    wanted = {"prompt": order.prompt, "model": order.model, "size": order.size, "seconds": seconds}
    for name, asked in wanted.items():
        said = getattr(listed, name)
        if said is None or asked is None:
            continue
        if said == asked:
            agrees.append(name)
        elif name != "model":  # a provider may name the very version of it
            return ()
    return tuple(agrees)


def _of_ledger(reader: LedgerReader, job_id: str) -> Evidence:
    rows = records_by_id(reader)
    record, row = rows.get(job_id), reader.read(live_attempt, job_id)
    if record is None:
        raise no_such_job(job_id, list(rows), reader.folder)
    given = reader.read(given_by_hand, job_id)
    left = record.status is JobStatus.SUBMITTING and not reader.is_being_written()  # by a run that was killed
    if row is None or not (left or given is not None or record.status is JobStatus.IN_DOUBT):
        raise SettlementRefused(f"{job_id} is {record.status.label}: {SETTLED_ALONE}")
    return Evidence(
        folder=reader.folder,
        job=record.job,
        status=record.status,
        reason=record.error_message,
        account=row.account,
        attempt=row.id,
        sent_at=_moment(row.sent_at),
        ended_at=_moment(row.ended_at),
        http_status=row.http_status,
        excerpt=row.excerpt,
        cost=from_micros(row.cost_micros),
        currency=row.currency,
        assumed=bool(row.assumed),
        given=given,
    )


async def _candidates(found: Evidence, owned: set[str], options: RunOptions) -> tuple[list[Candidate], str]:
    """The jobs that the provider lists and nobody here owns, and why there are none."""
    order = found.job.order
    try:
        async with _client(found, options) as client:
            if "list" not in client.profile.supports:
                return [], f"{order.provider} has no list of jobs."
            since = None if found.sent_at is None else found.sent_at - _BEFORE
            listed = await client.list_recent(_MOST_LISTED, since=since, mode=order.mode)
    except ReelbatchError as error:
        return [], f"{order.provider} could not be asked for its list of jobs: {error}"
    matched = [
        Candidate(each, agrees)
        for each in listed
        if each.job.id not in owned and (agrees := agreement(each, order, found.sent_at, found.ended_at))
    ]
    matched.sort(key=lambda candidate: -len(candidate.agrees))
    none = f"None of the {len(listed):,} newest jobs that {order.provider} lists is like it and free."
    return matched, "" if matched else none


@asynccontextmanager
async def _client(found: Evidence, options: RunOptions) -> AsyncIterator[Client]:
    """A client of the provider that the submission went to.

    Raises:
        SetupError: its key or its profile is missing.
    """
    chosen = options_of(found.folder, options)
    profiles = profiles_of_folder(LedgerReader(ledger_in(found.folder)), options)
    accounts, missing = accounts_to_collect([found.job], (), profiles, chosen)
    if missing:
        raise SetupError(f"{missing[0].remedy}.")
    async with AsyncExitStack() as stack:
        if chosen.rehearse:
            from pipelines.run.rehearsal import rehearsed  # noqa: PLC0415 - only a rehearsal loads the sandbox

            accounts = await rehearsed(stack, accounts, found.folder, chosen)
        http = await stack.enter_async_context(Http())
        [account] = accounts
        yield Client(
            http, account.profile, account.base_url, account.key, account=account.name, trusted=account.trusted
        )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
