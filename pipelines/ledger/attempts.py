"""The life of one paid submission, as transactions: claim, sending, and its four ends.

Each function runs inside one transaction (`Ledger.write`) and returns whether, or what, it changed.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Integer, String, bindparam, func, insert, literal, or_, select, update

from pipelines.core.errors import BudgetReached, NotCovered
from pipelines.core.job import Job, RemoteJob
from pipelines.core.status import AttemptState, Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger import balances
from pipelines.ledger.balances import Pot
from pipelines.ledger.history import note
from pipelines.ledger.job_state import Standing, change_job, standing_of
from pipelines.ledger.storage.schema import LIVE_STATES, attempt, job
from pipelines.ledger.storage.schema import owner as owner_table


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one submission for one job, if it is still ours at the last instant."""

    attempt_id: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The cap that a claim must respect."""

    most: Decimal
    currency: str


_CLAIM = insert(attempt).from_select(
    (
        "id",
        "job_id",
        "n",
        "provider",
        "account",
        "state",
        "fingerprint",
        "epoch",
        "cost_micros",
        "currency",
        "pot",
        "claimed_at",
    ),
    select(
        bindparam("attempt_id", type_=String),
        job.c.id,
        select(func.coalesce(func.max(attempt.c.n), 0) + 1).where(attempt.c.job_id == job.c.id).scalar_subquery(),
        bindparam("provider", type_=String),
        bindparam("account", type_=String),
        literal(AttemptState.CLAIMED, String),
        bindparam("fingerprint", type_=String),
        select(owner_table.c.epoch).scalar_subquery(),
        bindparam("micros", type_=Integer),
        bindparam("currency", type_=String),
        literal(Pot.RESERVED, String),
        bindparam("now", type_=String),
    ).where(
        job.c.id == bindparam("job_id"),
        job.c.status == JobStatus.PLANNED,
        job.c.turned == bindparam("turned"),  # nothing is bought by an order that the job has turned away from
    ),
)
_SUBMITTING = (
    update(job)
    .where(job.c.id == bindparam("job_id"))
    .values(status=JobStatus.SUBMITTING, account=bindparam("new_account"))
)


def claim(connection: Connection, planned: Job, account: str, budget: Budget | None) -> Claim | Standing:
    """Reserve slot and budget for a planned job, or say where it stands instead.

    Raises:
        BudgetReached: what is spent, reserved and uncertain leaves too little for this job.
        NotCovered: the budget says nothing of this job, since its price is unknown or in another currency.
    """
    micros = balances.to_micros(planned.cost_estimated)
    claimed = Claim(str(uuid.uuid4()), planned.id)
    values = {
        "attempt_id": claimed.attempt_id,
        "job_id": planned.id,
        "provider": planned.order.provider,
        "account": account,
        "fingerprint": planned.order.fingerprint(),
        "turned": planned.turned,
        "micros": micros,
        "currency": planned.currency,
        "now": utc_text(),
    }
    if connection.execute(_CLAIM, values).rowcount == 0:
        return standing_of(connection, planned.id)
    if budget is not None:
        _check_budget(connection, budget, micros, planned)
    balances.move(connection, planned.currency, micros, None, Pot.RESERVED)
    connection.execute(_SUBMITTING, {"job_id": planned.id, "new_account": account})
    return claimed


def _check_budget(connection: Connection, budget: Budget, micros: int | None, planned: Job) -> None:
    """Raises BudgetReached, which undoes the claim."""
    if micros is None or planned.currency != budget.currency:
        raise NotCovered(
            f"Job {planned.id} has no price in {budget.currency}, so a budget of {budget.most} cannot cover it."
        )
    committed = balances.committed_micros(connection, budget.currency)
    if committed + micros > (balances.to_micros(budget.most) or 0):
        spent = balances.from_micros(committed)
        raise BudgetReached(
            f"The budget of {budget.most} {budget.currency} does not cover the next job ({planned.cost_estimated}); "
            f"{spent} is spent, reserved or uncertain. Raise --budget and run the same command again."
        )


_SENDING = (
    update(attempt)
    .where(attempt.c.id == bindparam("attempt_id"), attempt.c.state == AttemptState.CLAIMED)
    .values(state=AttemptState.SENDING, sent_at=bindparam("now"))
)


def mark_sending(connection: Connection, claimed: Claim) -> bool:
    """The last commit before the first byte. False: the claim is no longer ours, and nothing may be sent."""
    return connection.execute(_SENDING, {"attempt_id": claimed.attempt_id, "now": utc_text()}).rowcount == 1


_OPEN = (AttemptState.CLAIMED, AttemptState.SENDING)


@dataclass(frozen=True, slots=True)
class Which:
    """Names one attempt: by its own id, or as the live one of a job."""

    column: Literal["id", "job_id"]
    value: str


_WHICH = {
    "id": select(attempt).where(attempt.c.id == bindparam("wanted")),
    "job_id": select(attempt).where(
        attempt.c.job_id == bindparam("wanted"), or_(*(attempt.c.state == state for state in LIVE_STATES))
    ),
}
_ADVANCE = update(attempt).where(attempt.c.id == bindparam("_id"))


def advance(
    connection: Connection,
    which: Any,
    was: tuple[AttemptState, ...],
    state: AttemptState,
    pot: Pot | None,
    **values: Any,
) -> Any:
    """Move one attempt on by compare-and-set, and its price with it.

    Args:
        connection: the open transaction.
        which: names the attempt.
        was: the states that it may leave.
        state: the state it comes to.
        pot: where its price counts from now on.
        values: further columns.

    Returns:
        The row as it was, or None if the attempt was in none of the states `was`.
    """
    row = connection.execute(_WHICH[which.column], {"wanted": which.value}).one_or_none()
    if row is None or row.state not in was:
        return None
    changes = {"_id": row.id, "state": state, "pot": pot, **values}
    connection.execute(_ADVANCE, changes)
    if row.pot != pot:
        balances.move(connection, row.currency, row.cost_micros, Pot(row.pot) if row.pot else None, pot)
    return row


def not_sent(connection: Connection, claimed: Claim, reason: str) -> None:
    """Nothing left this machine: the reservation is released and the job is planned again."""
    which = Which("id", claimed.attempt_id)
    row = advance(connection, which, (AttemptState.CLAIMED,), AttemptState.NOT_SENT, None, ended_at=utc_text())
    if row is not None:
        change_job(connection, row.job_id, status=JobStatus.PLANNED)
        note(connection, "not_sent", row.job_id, reason=reason)


def accepted(
    connection: Connection, claimed: Claim, remote: RemoteJob, trace_id: str | None, http_status: int | None = None
) -> str | None:
    """The provider gave an id: from here on the job is waited for, and never sent again.

    Returns:
        None; or the job that owns this id already. Then ours is in doubt: whoever answers with an old id replays
        answers, and the caller must send nothing more there.
    """
    now = utc_text()
    if (other := _owner_of(connection, claimed, remote.id)) is not None:
        reason = f"the provider answered with the id {remote.id}, which belongs to job {other}"
        in_doubt(connection, claimed, reason=reason, http_status=http_status)
        return other
    row = advance(
        connection,
        Which("id", claimed.attempt_id),
        (*_OPEN, AttemptState.IN_DOUBT),
        AttemptState.ACCEPTED,
        Pot.RESERVED,
        ended_at=now,
        provider_job_id=remote.id,
        http_status=http_status,
    )
    if row is None:
        return None
    change_job(
        connection,
        row.job_id,
        status=JobStatus.WAITING,
        account=row.account,
        provider_job_id=remote.id,
        mode=remote.mode,
        contract=remote.contract,
        status_url=remote.status_url,
        result_url=remote.result_url,
        trace_id=trace_id,
        submitted_at=row.sent_at or now,
        billed=Billed.UNKNOWN,
        error_code=None,
        error_message=None,
        failed_stage=None,
    )
    note(connection, "accepted", row.job_id, provider_job_id=remote.id)
    return None


_OURS = attempt.alias("ours")
_OWNER_OF = select(attempt.c.job_id).where(
    attempt.c.provider == select(_OURS.c.provider).where(_OURS.c.id == bindparam("attempt_id")).scalar_subquery(),
    attempt.c.account == select(_OURS.c.account).where(_OURS.c.id == bindparam("attempt_id")).scalar_subquery(),
    attempt.c.provider_job_id == bindparam("provider_job_id"),
    attempt.c.id != bindparam("attempt_id"),
)


def _owner_of(connection: Connection, claimed: Claim, provider_job_id: str) -> str | None:
    """The job of another attempt that this account's provider gave this id to."""
    values = {"attempt_id": claimed.attempt_id, "provider_job_id": provider_job_id}
    return connection.execute(_OWNER_OF, values).scalar_one_or_none()


def rejected(
    connection: Connection,
    claimed: Claim,
    *,
    code: str,
    message: str,
    http_status: int | None,
    again: bool,
    trace_id: str | None = None,
) -> bool:
    """The provider surely refused. Returns whether the attempt was still open.

    Args:
        connection: the open transaction.
        claimed: the attempt.
        code: the provider's error code.
        message: the provider's words, for a person.
        http_status: of the answer, if there was one.
        again: the fault is not the row's (rate limit, key, balance): the job is planned again.
        trace_id: what the provider's support will ask for; kept with a refusal that is the job's end, and in the history.
    """
    values = {"ended_at": utc_text(), "http_status": http_status}
    row = advance(connection, Which("id", claimed.attempt_id), _OPEN, AttemptState.REJECTED, None, **values)
    if row is None:
        return False
    outcome: dict[str, Any] = {"status": JobStatus.PLANNED}
    if not again:
        outcome = {
            "status": JobStatus.REJECTED,
            "billed": Billed.NO,
            "error_code": code,
            "error_message": message,
            "failed_stage": "submit",
            "trace_id": trace_id,
        }
    change_job(connection, row.job_id, **outcome)
    traced = {} if trace_id is None else {"trace_id": trace_id}
    note(connection, "rejected", row.job_id, code=code, message=message, http_status=http_status, **traced)
    return True


def in_doubt(
    connection: Connection, claimed: Claim, *, reason: str, http_status: int | None = None, excerpt: str | None = None
) -> None:
    """Something may have reached the provider: the price counts as uncertain, and the job is not sent again by itself."""
    doubt(
        connection,
        Which("id", claimed.attempt_id),
        _OPEN,
        reason,
        ended_at=utc_text(),
        http_status=http_status,
        excerpt=excerpt,
    )


def doubt(connection: Connection, which: Which, was: tuple[AttemptState, ...], reason: str, **values: Any) -> None:
    """Put the attempt that `which` names, and its job, in doubt."""
    row = advance(connection, which, was, AttemptState.IN_DOUBT, Pot.UNCERTAIN, **values)
    if row is None:
        return
    change_job(
        connection,
        row.job_id,
        status=JobStatus.IN_DOUBT,
        billed=Billed.UNKNOWN,
        submitted_at=row.sent_at,
        error_code="in_doubt",
        error_message=reason,
        failed_stage="submit",
    )
    note(connection, "in_doubt", row.job_id, reason=reason)
