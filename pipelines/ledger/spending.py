"""The book of spending: what all campaigns of a person, or of a shared database, hold, by attempt and day.

It is what caps of a day and of a month are checked against, in the transaction that reserves. A price counts on the day
of its reservation (UTC) while it is reserved, spent or uncertain; currencies are never added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    update,
)

from pipelines.core.errors import BudgetReached, NotCovered
from pipelines.core.job import Job
from pipelines.core.money import Bucket
from pipelines.core.text.amounts import amount_text, price_text
from pipelines.core.text.counts import counted
from pipelines.ledger.balances import from_micros, to_micros
from pipelines.ledger.bought import ledger_id
from pipelines.ledger.storage.schema import attempt, owner

#: The schema of a database in which the campaigns share the book; in a file of its own it is not named.
SPENDING_SPACE = "reelbatch_spending"
#: Of a price that is in the book before it is in its ledger; a kill may come between.
HELD = "held"
_ONE_AT_A_TIME = 0x5370656E  # of the lock behind which a database compares with a cap

book_metadata = MetaData(schema=SPENDING_SPACE)
_entry = Table(
    "entry",
    book_metadata,
    Column("attempt_id", String, primary_key=True),
    Column("ledger_id", String, nullable=False, index=True),
    Column("place", Text, nullable=False),  # of that ledger
    Column("campaign", String, nullable=False),
    Column("epoch", Integer, nullable=False),  # of the run that has reserved it
    Column("currency", String, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("bucket", String),  # held, reserved, spent, uncertain; NULL: it costs nothing after all
    Column("reserved_at", String, nullable=False),  # UTC
)
Index("entries_by_day", _entry.c.currency, _entry.c.reserved_at, _entry.c.bucket, _entry.c.micros)

#: In a book of its own file: what each day comes to, kept by the file itself, whichever version writes there. To add up a
#: month of 100,000 prices anew takes 15 ms an order. In a database such a row would make campaigns wait for each other.
_day_total = table("day_total", column("currency"), column("day"), column("micros"))
_DAY_TOTALS = (
    "CREATE TABLE day_total (currency TEXT, day TEXT, micros INTEGER, PRIMARY KEY (currency, day)) WITHOUT ROWID",
    """INSERT INTO day_total SELECT currency, substr(reserved_at, 1, 10) AS day, sum(micros) FROM entry
    WHERE bucket IS NOT NULL GROUP BY currency, day""",
    *(
        f"""CREATE TRIGGER {name} AFTER {event} ON entry WHEN {when} BEGIN
        INSERT INTO day_total VALUES ({row}.currency, substr({row}.reserved_at, 1, 10), {change})
        ON CONFLICT (currency, day) DO UPDATE SET micros = micros + excluded.micros; END"""  # noqa: S608 - our own words
        for name, event, when, row, change in (
            ("entry_in", "INSERT", "NEW.bucket IS NOT NULL", "NEW", "NEW.micros"),
            ("entry_out", "DELETE", "OLD.bucket IS NOT NULL", "OLD", "-OLD.micros"),
            ("entry_freed", "UPDATE", "OLD.bucket IS NOT NULL AND NEW.bucket IS NULL", "OLD", "-OLD.micros"),
            ("entry_held", "UPDATE", "OLD.bucket IS NULL AND NEW.bucket IS NOT NULL", "NEW", "NEW.micros"),
        )
    ),
)


class Period(StrEnum):
    """What a cap over all campaigns is counted by, in UTC."""

    DAY = "day"
    MONTH = "month"

    def start(self, moment: datetime) -> str:
        """The start of the day or month of a moment, as moments are written down."""
        return f"{moment.astimezone(UTC):{'%Y-%m-%d' if self is Period.DAY else '%Y-%m'}}"

    @property
    def now_words(self) -> str:
        """`today (UTC)`."""
        return "today (UTC)" if self is Period.DAY else "this month (UTC)"


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that all campaigns together may hold in a day or a month."""

    period: Period
    most: Decimal
    currency: str

    @property
    def words(self) -> str:
        """`the day's cap of 20.00 USD`."""
        return f"the {self.period}'s cap of {price_text(self.most, self.currency)}"


@dataclass(frozen=True, slots=True)
class CapStanding:
    """How much of a cap is taken."""

    cap: Cap
    committed: Decimal  # spent, reserved and uncertain
    campaigns: int  # that it is of

    @property
    def words(self) -> str:
        """`19.20 is spent, reserved or uncertain today (UTC) over 3 campaigns`."""
        over = f" over {counted(self.campaigns, 'campaign')}" if self.campaigns else ""
        return f"{amount_text(self.committed)} is spent, reserved or uncertain {self.cap.period.now_words}{over}"


@dataclass(frozen=True, slots=True)
class SpendingEntry:
    """One price in the book."""

    attempt_id: str
    epoch: int
    currency: str
    micros: int
    bucket: str | None
    reserved_at: str  # UTC


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose prices they are: one ledger, and its campaign."""

    ledger_id: str
    place: str
    campaign: str


#: Built once: each is executed for every job.
_HOLD = insert(_entry)
_SINCE = (_entry.c.currency == bindparam("_currency"), _entry.c.reserved_at >= bindparam("_start"))
_TAKEN = select(func.sum(_entry.c.micros)).where(*_SINCE, _entry.c.bucket.is_not(None))
_TAKEN_BY_DAY = select(func.sum(_day_total.c.micros)).where(
    _day_total.c.currency == bindparam("_currency"), _day_total.c.day >= bindparam("_start")
)
_FOLLOW = update(_entry).where(_entry.c.attempt_id == bindparam("_attempt")).values(bucket=bindparam("_bucket"))
_PRICED = select(
    attempt.c.id, attempt.c.epoch, attempt.c.currency, attempt.c.cost_micros, attempt.c.bucket, attempt.c.claimed_at
).where(attempt.c.currency.is_not(None), attempt.c.cost_micros > 0)
_PRICED_OF_JOB = _PRICED.where(attempt.c.job_id == bindparam("_job"))


def hold(connection: Connection, payer: Payer, entry: SpendingEntry, caps: Sequence[Cap]) -> None:
    """Put a price into the book, if every cap leaves room for it.

    Raises:
        BudgetReached: one does not; nothing is put into the book.
    """
    if caps and connection.dialect.name == "postgresql":  # else the transaction shuts others out by itself
        connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    taken_since = _TAKEN if connection.dialect.name == "postgresql" else _TAKEN_BY_DAY
    for cap in caps:
        start = cap.period.start(datetime.fromisoformat(entry.reserved_at))
        taken = connection.execute(taken_since, {"_currency": cap.currency, "_start": start}).scalar_one() or 0
        if taken + entry.micros > (to_micros(cap.most) or 0):
            found = _standing(connection, cap, start)
            this = amount_text(from_micros(entry.micros) or Decimal(0))
            raise BudgetReached(
                f"{cap.words[0].upper()}{cap.words[1:]} leaves too little: {found.words}, and this costs {this}. Wait "
                f"for the next {cap.period}, or raise --budget-per-{cap.period}, and run the same command again."
            )
    connection.execute(_HOLD, _columns(payer, entry))


def make_day_totals(connection: Connection) -> None:
    """Let a book in a file of its own keep what each day comes to, if it does not yet."""
    known = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'day_total'").scalar_one()
    for statement in () if known else _DAY_TOTALS:
        connection.exec_driver_sql(statement)


def check_covered(planned: Job, caps: Iterable[Cap]) -> None:
    """Look whether caps can say anything of a job.

    Raises:
        NotCovered: its price is unknown, or in another currency.
    """
    for cap in caps:
        if planned.cost_estimated is None or planned.currency != cap.currency:
            raise NotCovered(f"Job {planned.id} has no price in {cap.currency}, so {cap.words} cannot cover it.")


def let_go(connection: Connection, attempt_id: str) -> None:
    """Take a price out of the book that was held for nothing: its ledger has not reserved it."""
    connection.execute(delete(_entry).where(_entry.c.attempt_id == attempt_id, _entry.c.bucket == HELD))


def entries(ledger: Connection, job_ids: Iterable[str] | None = None) -> list[SpendingEntry]:
    """Every price that a ledger holds, or has held; or those of some jobs."""
    if job_ids is None:
        return [SpendingEntry(*row) for row in ledger.execute(_PRICED)]
    return [SpendingEntry(*row) for name in job_ids for row in ledger.execute(_PRICED_OF_JOB, {"_job": name})]


def payer_of(ledger: Connection, place: str, campaign: str) -> tuple[Payer, int]:
    """Who a ledger pays for, and the epoch of its run."""
    epoch = ledger.execute(select(owner.c.epoch)).scalar_one_or_none() or 0
    return Payer(ledger_id(ledger), place, campaign), epoch


def follow(connection: Connection, payer: Payer, found: Iterable[SpendingEntry]) -> None:
    """Bring the book up to what a ledger says of prices; what costs nothing and is not in the book stays out of it."""
    for entry in found:
        now = {"_attempt": entry.attempt_id, "_bucket": entry.bucket}
        if connection.execute(_FOLLOW, now).rowcount == 0 and entry.bucket is not None:
            connection.execute(_HOLD, _columns(payer, entry))


def reconcile_book(connection: Connection, payer: Payer, epoch: int, found: Sequence[SpendingEntry]) -> None:
    """Bring the book up to all that a ledger says, when it is opened.

    What an earlier run held and never reserved is let go. What a later one held than the ledger knows of stays, as
    uncertain: then the ledger is an old copy.

    Args:
        connection: of the book, in a transaction.
        payer: whose prices they are.
        epoch: of the run that opens the ledger.
        found: every price that the ledger holds or has held.
    """
    ours = (_entry.c.ledger_id == payer.ledger_id) & (_entry.c.place == payer.place)
    known = {row.attempt_id: row for row in connection.execute(select(_entry).where(ours))}
    names = {entry.attempt_id for entry in found}
    for name, row in known.items():
        if row.bucket == HELD and name not in names:
            if row.epoch < epoch:
                let_go(connection, name)
            elif row.epoch > epoch:
                connection.execute(
                    update(_entry).where(_entry.c.attempt_id == name).values(bucket=Bucket.UNCERTAIN.value)
                )
    behind = (
        entry for entry in found if entry.attempt_id not in known or known[entry.attempt_id].bucket != entry.bucket
    )
    follow(connection, payer, behind)


def standings(connection: Connection, caps: Iterable[Cap], now: datetime) -> list[CapStanding]:
    """How much of each cap is taken at a moment."""
    return [_standing(connection, cap, cap.period.start(now)) for cap in caps]


def _standing(connection: Connection, cap: Cap, start: str) -> CapStanding:
    # Later periods count too, should a clock have been put back.
    sums = _TAKEN.add_columns(func.count(func.distinct(_entry.c.campaign)))
    row = connection.execute(sums, {"_currency": cap.currency, "_start": start}).one()
    return CapStanding(cap, from_micros(int(row[0] or 0)) or Decimal(0), row[1])


def _columns(payer: Payer, entry: SpendingEntry) -> dict[str, str | int | None]:
    of_entry = {name: getattr(entry, name) for name in SpendingEntry.__slots__}
    return of_entry | {"ledger_id": payer.ledger_id, "place": payer.place, "campaign": payer.campaign}
