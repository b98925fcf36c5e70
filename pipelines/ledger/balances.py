"""The money columns: reserved, spent, uncertain, a row a currency, changed only together with an attempt's state."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, select, update

from pipelines.ledger.storage.schema import account

MICROS = 1_000_000


class Bucket(StrEnum):
    """Where the price of an attempt counts."""

    RESERVED = "reserved"  #: claimed, sent, or accepted and not yet finished
    SPENT = "spent"  #: the provider has delivered, or charges all the same
    UNCERTAIN = "uncertain"  #: nobody knows whether it is charged


@dataclass(frozen=True, slots=True)
class BucketMove:
    """A price that left one bucket for another; None is outside."""

    currency: str
    amount: Decimal
    source: Bucket | None
    target: Bucket | None

    @property
    def committed(self) -> Decimal:
        """By how much it changed what may have to be paid in all."""
        return self.amount * ((self.target is not None) - (self.source is not None))


@dataclass(frozen=True, slots=True)
class Balance:
    """What a ledger holds in one currency."""

    currency: str
    reserved: Decimal
    spent: Decimal
    uncertain: Decimal

    @property
    def committed(self) -> Decimal:
        """The most that may have to be paid for what was asked so far."""
        return self.reserved + self.spent + self.uncertain

    def as_dict(self) -> dict[str, str]:
        """For machines: amounts as text, so that 0.10 stays 0.10."""
        return {name: str(getattr(self, name)) for name in ("currency", "spent", "reserved", "uncertain")}


def to_micros(amount: Decimal | None) -> int | None:
    """A price as an integer of millionths, so that sums are exact in any database."""
    return None if amount is None else int((amount * MICROS).to_integral_value())


def from_micros(micros: int | None) -> Decimal | None:
    """The price behind an integer of millionths."""
    return None if micros is None else (Decimal(micros) / MICROS).normalize() + Decimal(0)


def move(
    connection: Connection, currency: str | None, micros: int | None, source: Bucket | None, target: Bucket | None
) -> BucketMove | None:
    """Take an attempt's price out of one bucket and put it into another; None is outside.

    Returns:
        What was moved; None where there is no price, or nowhere to move it.
    """
    if not micros or currency is None or source is target:
        return None
    change = {"_currency": currency, **{f"_{bucket}_micros": 0 for bucket in Bucket}}
    if source is not None:
        change[f"_{source}_micros"] = -micros
    if target is not None:
        change[f"_{target}_micros"] = micros
    if connection.execute(_MOVE, change).rowcount == 0:
        connection.execute(insert(account).values(currency=currency, **{f"{bucket}_micros": 0 for bucket in Bucket}))
        connection.execute(_MOVE, change)
    return BucketMove(currency, from_micros(micros) or Decimal(0), source, target)


#: Built once: its compiled form is found again without looking at it.
_MOVE = (
    update(account)
    .where(account.c.currency == bindparam("_currency"))
    .values({f"{bucket}_micros": account.c[f"{bucket}_micros"] + bindparam(f"_{bucket}_micros") for bucket in Bucket})
)


def balances(connection: Connection) -> list[Balance]:
    """Every currency that the ledger knows."""
    rows = connection.execute(select(account).order_by(account.c.currency)).all()
    return [
        Balance(
            row.currency,
            reserved=from_micros(row.reserved_micros) or Decimal(0),
            spent=from_micros(row.spent_micros) or Decimal(0),
            uncertain=from_micros(row.uncertain_micros) or Decimal(0),
        )
        for row in rows
    ]


def committed_micros(connection: Connection, currency: str) -> int:
    """Reserved, spent and uncertain together."""
    row = connection.execute(select(account).where(account.c.currency == currency)).one_or_none()
    return 0 if row is None else row.reserved_micros + row.spent_micros + row.uncertain_micros
