"""What is open on jobs that a person sets aside, and what of the sums belongs to jobs that no list shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from pipelines.core.money import BUCKETS, Balance
from pipelines.core.status import JobStatus, statuses
from pipelines.core.text.amounts import price_text
from pipelines.ledger.balances import payments, sum_of
from pipelines.ledger.storage.schema import job

_OPEN = statuses(lambda meaning: meaning.unfinished)
_ASIDE = or_(job.c.archived_at.is_not(None), job.c.replaced_by.is_not(None), job.c.in_batch.is_(False))


def held_words(money: Collection[Balance]) -> str:
    """`0.80 USD spent, 0.40 USD reserved`, without what is nothing."""
    held = ((each.of(bucket)[0], each.currency, bucket) for each in money for bucket in BUCKETS)
    return ", ".join(f"{price_text(amount, currency)} {bucket}" for amount, currency, bucket in held if amount)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job on which money is open."""

    id: str
    status: JobStatus
    money: tuple[Balance, ...]  # by currency

    @property
    def words(self) -> str:
        """`hero (waiting, 0.40 USD reserved)`."""
        return f"{self.id} ({self.status.label}, {held_words(self.money) or 'its price is unknown'})"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "status": str(self.status),
            "money": [balance.as_dict() for balance in self.money],
        }


@dataclass(frozen=True, slots=True)
class NotCounted:
    """What jobs hold that are archived, replaced or removed: it is in every sum, and they are in no count."""

    money: tuple[Balance, ...] = ()
    open: tuple[OpenJob, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "money": [balance.as_dict() for balance in self.money],
            "open": [each.as_dict() for each in self.open],
        }


def open_jobs(connection: Connection, ids: Collection[str]) -> list[OpenJob]:
    """Those of some jobs on which money is open, in the order of their file."""
    return _open_where(connection, job.c.id.in_(ids))


def not_counted(connection: Connection) -> NotCounted:
    """What belongs to jobs that are not counted."""
    aside = set(connection.execute(select(job.c.id).where(_ASIDE)).scalars())
    if not aside:
        return NotCounted()
    money = sum_of(payment for payment in payments(connection) if payment.id in aside)
    return NotCounted(tuple(money), tuple(_open_where(connection, _ASIDE)))


def _open_where(connection: Connection, wanted: ColumnElement[bool]) -> list[OpenJob]:
    found = select(job.c.id, job.c.status).where(wanted, job.c.status.in_(_OPEN)).order_by(job.c.position, job.c.id)
    return [
        OpenJob(row.id, JobStatus(row.status), tuple(sum_of(payments(connection, row.id))))
        for row in connection.execute(found).all()
    ]
