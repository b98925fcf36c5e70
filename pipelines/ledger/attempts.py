"""One paid submission: reserved, marked as sent before its first byte, and moved on by compare-and-set.

How an attempt ends is an outcome (`outcomes.py`). Each function here runs inside one transaction (`Ledger.write`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Row,
    String,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from pipelines.core.errors import BudgetReached, NotCovered
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.money import Bucket, BucketMove
from pipelines.core.status import AttemptState, JobStatus
from pipelines.core.text.amounts import amount_text, price_text
from pipelines.core.text.times import utc_text
from pipelines.ledger import balances
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


_CLAIM = (
    insert(attempt)
    .from_select(
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
            "assumed",
            "bucket",
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
            bindparam("micros", type_=BigInteger),
            bindparam("currency", type_=String),
            bindparam("assumed", type_=Boolean),
            literal(Bucket.RESERVED, String),
            bindparam("now", type_=String),
        ).where(
            job.c.id == bindparam("job_id"),
            job.c.status == JobStatus.PLANNED,
            job.c.archived_at.is_(None),  # a person does not want it
            job.c.replaced_by.is_(None),
            job.c.fallback_index == bindparam("fallback_index"),  # nothing is bought by an order that the job has left
        ),
    )
    .returning(attempt.c.id)
)


def claim(
    connection: Connection, planned: Job, account: str, budget: Budget | None, attempt_id: str | None = None
) -> tuple[Claim, BucketMove | None] | None:
    """Reserve an attempt and its price. None: the job is not planned any more, or not in this way.

    Args:
        connection: the open transaction.
        planned: the job.
        account: that it is to be ordered with.
        budget: the cap of the run.
        attempt_id: of the new attempt, where it has one already; a new UUID.

    Raises:
        BudgetReached: what is spent, reserved and uncertain leaves too little for this job.
        NotCovered: the budget says nothing of this job, since its price is unknown or in another currency.
    """
    micros = balances.to_micros(planned.cost_estimated)
    claimed = Claim(attempt_id or str(uuid.uuid4()), planned.id)
    values = {
        "attempt_id": claimed.attempt_id,
        "job_id": planned.id,
        "provider": planned.order.provider,
        "account": account,
        "fingerprint": planned.order.fingerprint(),
        "fallback_index": planned.fallback_index,
        "micros": micros,
        "currency": planned.currency,
        "assumed": planned.price_assumed,
        "now": utc_text(),
    }
    if connection.execute(_CLAIM, values).one_or_none() is None:  # no driver counts rows of an INSERT alike
        return None
    if budget is not None:
        _check_budget(connection, budget, micros, planned)
    moved = balances.move(connection, planned.currency, micros, None, Bucket.RESERVED, assumed=planned.price_assumed)
    return claimed, moved


def _check_budget(connection: Connection, budget: Budget, micros: int | None, planned: Job) -> None:
    """Raise BudgetReached, which undoes the claim."""
    if micros is None or planned.currency != budget.currency:
        raise NotCovered(
            f"Job {planned.id} has no price in {budget.currency}, so a budget of {budget.most} cannot cover it."
        )
    committed = balances.committed_micros(connection, budget.currency)
    if committed + micros > (balances.to_micros(budget.most) or 0):
        spent = balances.from_micros(committed)
        raise BudgetReached(
            f"The budget of {amount_text(budget.most)} {budget.currency} does not cover the next job "
            f"({price_text(planned.cost_estimated, None)}); {price_text(spent, None)} is spent, reserved or uncertain. Raise --budget and "
            "run the same command again."
        )


_SENDING = (
    update(attempt)
    .where(attempt.c.id == bindparam("attempt_id"), attempt.c.state == AttemptState.CLAIMED)
    .values(state=AttemptState.SENDING, sent_at=bindparam("now"), calls_back=bindparam("called"))
)


def mark_sending(connection: Connection, claimed: Claim, *, calls_back: bool = False) -> bool:
    """Make the last commit before the first byte. False: the claim is no longer ours, and nothing may be sent."""
    values = {"attempt_id": claimed.attempt_id, "now": utc_text(), "called": calls_back}
    marked = connection.execute(_SENDING, values).rowcount == 1
    failpoint("send.marking")
    return marked


_BY_ID = select(attempt).where(attempt.c.id == bindparam("wanted"))
_LIVE_OF = select(attempt).where(
    attempt.c.job_id == bindparam("wanted"), or_(*(attempt.c.state == state for state in LIVE_STATES))
)
_ADVANCE = update(attempt).where(attempt.c.id == bindparam("_id"))

AttemptRow = Row[Any]  # the columns of the table `attempt`


def claimed_attempt(connection: Connection, claimed: Claim) -> AttemptRow | None:
    """Read the attempt of a claim."""
    return connection.execute(_BY_ID, {"wanted": claimed.attempt_id}).one_or_none()


def live_attempt(connection: Connection, job_id: str) -> AttemptRow | None:
    """Read the attempt of a job that may cost money or is about to; there is one at most."""
    return connection.execute(_LIVE_OF, {"wanted": job_id}).one_or_none()


def advance(
    connection: Connection, row: AttemptRow, state: AttemptState, bucket: Bucket | None, columns: Mapping[str, Any]
) -> BucketMove | None:
    """Move an attempt, read in this very transaction, to its next state, and its price with it.

    Args:
        connection: the open transaction.
        row: the attempt as it is; the caller has looked at its state.
        state: the state it comes to.
        bucket: where its price counts from now on.
        columns: further columns of the attempt.

    Returns:
        How its price moved, if it did.
    """
    connection.execute(_ADVANCE, {"_id": row.id, "state": state, "bucket": bucket, **columns})
    before = Bucket(row.bucket) if row.bucket else None
    return balances.move(
        connection, row.currency, row.cost_micros, before, bucket, assumed=balances.is_assumed(row.assumed)
    )


_OWNER_OF = select(attempt.c.job_id).where(
    attempt.c.provider == bindparam("provider"),
    attempt.c.account == bindparam("account"),
    attempt.c.provider_job_id == bindparam("provider_job_id"),
    attempt.c.id != bindparam("attempt_id"),
)


def owner_of(connection: Connection, row: AttemptRow, provider_job_id: str) -> str | None:
    """Find the job of another attempt that the same account's provider gave this id to."""
    values = {
        "provider": row.provider,
        "account": row.account,
        "provider_job_id": provider_job_id,
        "attempt_id": row.id,
    }
    return connection.execute(_OWNER_OF, values).scalar_one_or_none()
