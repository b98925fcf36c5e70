"""The money columns: reserved, spent, uncertain, a row a currency, changed only together with an attempt's state."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from pipelines.core.money import Balance, Bucket, BucketMove
from pipelines.ledger.storage.schema import account, attempt

MICROS = 1_000_000


def to_micros(amount: Decimal | None) -> int | None:
    """A price as an integer of millionths, so that sums are exact in any database."""
    return None if amount is None else int((amount * MICROS).to_integral_value())


def from_micros(micros: int | None) -> Decimal | None:
    """The price behind an integer of millionths."""
    return None if micros is None else (Decimal(micros) / MICROS).normalize() + Decimal(0)


def is_assumed(said: bool | None) -> bool:  # noqa: FBT001 - what a column says
    """Tell whether the price of an attempt rests on a stand-in of ours, by what was written down with it.

    An earlier version (schemas 1 to 4) did not say. Nobody can tell any more whether such a price was published, so it counts
    as assumed, in every sum.
    """
    return said is not False


def move(
    connection: Connection,
    currency: str | None,
    micros: int | None,
    source: Bucket | None,
    target: Bucket | None,
    *,
    assumed: bool = False,
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
    return BucketMove(currency, from_micros(micros) or Decimal(0), source, target, assumed)


_ASSUMED = attempt.c.assumed.is_not(False)  # as `is_assumed` says

#: Built once: its compiled form is found again without looking at it.
_MOVE = (
    update(account)
    .where(account.c.currency == bindparam("_currency"))
    .values({f"{bucket}_micros": account.c[f"{bucket}_micros"] + bindparam(f"_{bucket}_micros") for bucket in Bucket})
)


class Payment(NamedTuple):
    """What one submission has cost or may cost: its job, and the budget bucket in which it counts."""

    id: str
    currency: str
    bucket: str  # spent, reserved or uncertain
    micros: int  # millionths
    assumed: bool = False  # no provider has published this price

    @property
    def amount(self) -> Decimal:
        """Its price."""
        return from_micros(self.micros) or Decimal(0)


def payments(connection: Connection, job_id: str | None = None) -> list[Payment]:
    """Every submission that costs something, or may, or those of one job: together they are the balances."""
    columns = (attempt.c.job_id, attempt.c.currency, attempt.c.bucket, attempt.c.cost_micros)
    counted = select(*columns, attempt.c.assumed).where(*(column.is_not(None) for column in columns))
    counted = counted if job_id is None else counted.where(attempt.c.job_id == job_id)
    return [Payment(row[0], row[1], row[2], row[3], is_assumed(row[4])) for row in connection.execute(counted)]


def sum_of(payments: Iterable[Payment]) -> list[Balance]:
    """Payments added up, by currency."""
    found: dict[str, Balance] = {}
    for paid in payments:
        before = found.get(paid.currency, Balance(paid.currency))
        found[paid.currency] = before.plus(Bucket(paid.bucket), paid.amount, assumed=paid.assumed)
    return [found[currency] for currency in sorted(found)]


def balances(connection: Connection) -> list[Balance]:
    """What the ledger holds in every currency that it knows: the one source of every sum that is shown."""
    columns = (attempt.c.currency, attempt.c.bucket)
    guessed = select(*columns, func.sum(attempt.c.cost_micros)).where(_ASSUMED, attempt.c.bucket.is_not(None))
    assumed = {(row[0], row[1]): row[2] for row in connection.execute(guessed.group_by(*columns))}
    found = []
    for row in connection.execute(select(account).order_by(account.c.currency)).all():
        amounts = {bucket.value: from_micros(getattr(row, f"{bucket}_micros")) or Decimal(0) for bucket in Bucket}
        shares = {f"{b}_assumed": from_micros(assumed.get((row.currency, b))) or Decimal(0) for b in Bucket}
        found.append(Balance(row.currency, **amounts, **shares))
    return found


def committed_micros(connection: Connection, currency: str) -> int:
    """Reserved, spent and uncertain together."""
    row = connection.execute(select(account).where(account.c.currency == currency)).one_or_none()
    return 0 if row is None else row.reserved_micros + row.spent_micros + row.uncertain_micros
