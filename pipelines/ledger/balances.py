"""The money columns: reserved, spent, uncertain, a row a currency, changed only together with an attempt's state."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, select, update

from pipelines.ledger.storage.schema import account

MICROS = 1_000_000


class Pot(StrEnum):
    """Where the price of an attempt counts."""

    RESERVED = "reserved"  #: claimed, sent, or accepted and not yet finished
    SPENT = "spent"  #: the provider has delivered, or charges all the same
    UNCERTAIN = "uncertain"  #: nobody knows whether it is charged


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


def to_micros(amount: Decimal | None) -> int | None:
    """A price as an integer of millionths, so that sums are exact in any database."""
    return None if amount is None else int((amount * MICROS).to_integral_value())


def from_micros(micros: int | None) -> Decimal | None:
    """The price behind an integer of millionths."""
    return None if micros is None else (Decimal(micros) / MICROS).normalize() + Decimal(0)


def move(
    connection: Connection, currency: str | None, micros: int | None, source: Pot | None, target: Pot | None
) -> None:
    """Take an attempt's price out of one pot and put it into another; None is outside."""
    if not micros or currency is None or source is target:
        return
    change = {"_currency": currency, **{f"_{_column(pot)}": 0 for pot in Pot}}
    if source is not None:
        change[f"_{_column(source)}"] = -micros
    if target is not None:
        change[f"_{_column(target)}"] = micros
    if connection.execute(_MOVE, change).rowcount == 0:
        connection.execute(insert(account).values(currency=currency, **{_column(pot): 0 for pot in Pot}))
        connection.execute(_MOVE, change)


def _column(pot: Pot) -> str:
    return f"{pot}_micros"


#: Built once: its compiled form is found again without looking at it.
_MOVE = (
    update(account)
    .where(account.c.currency == bindparam("_currency"))
    .values({_column(pot): account.c[_column(pot)] + bindparam(f"_{_column(pot)}") for pot in Pot})
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
