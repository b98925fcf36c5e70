"""The index of purchases: one file for the user of this machine, appended to by every run that is paid for.

`$XDG_STATE_HOME/reelbatch/purchases.sqlite3`, or the file that `REELBATCH_PURCHASES` names. It is the second net; the ledger
is the first, and a purchase stands there before it stands here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, String, Table, Text, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import LedgerError
from pipelines.core.failpoints import failpoint
from pipelines.core.money import Bucket
from pipelines.core.status import AttemptState
from pipelines.core.text.amounts import price_text
from pipelines.ledger.balances import from_micros
from pipelines.ledger.bought import Bought
from pipelines.ledger.storage.sqlite import open_engine
from pipelines.purchases.likeness import Likeness

_VERSION = 1
_CHUNK = 500

_metadata = MetaData()
_purchase = Table(
    "purchase",
    _metadata,
    *(
        Column(field.name, {"cost_micros": Integer}.get(field.name, Text), primary_key=field.name == "attempt_id")
        for field in fields(Bought)
    ),
    Column("ledger_id", String, nullable=False, index=True),
    Column("folder", Text, nullable=False, index=True),
    Column("campaign", Text, nullable=False),
    Column("occurrence", String),
    Column("batch", Text, nullable=False),  # path of the batch file
    Column("goods", String, nullable=False, index=True),  # of the order as it was made
    Column("planned_goods", String, nullable=False, index=True),  # of the order that the row asked for first
    Column("subject", String, nullable=False, index=True),
    Column("at_own_server", Boolean, nullable=False),
    Column("listener", String),
)
_intention = Table(
    "intention",
    _metadata,
    Column("folder", Text, primary_key=True),
    Column("ledger_id", String, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("occurrence", String),
    Column("batch", Text, nullable=False),
    Column("ledger", Text, nullable=False),  # path, or address of a database
    Column("wanted", Text, nullable=False),  # JSON: what will be bought, and at which addresses
)
_BOUGHT = tuple(_purchase.c[field.name] for field in fields(Bought))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a purchase was made: the ledger, the folder and the campaign that it belongs to."""

    ledger_id: str
    folder: str  # resolved
    campaign: str
    occurrence: str | None
    batch: str  # path of the batch file, resolved


@dataclass(frozen=True, slots=True)
class Intention:
    """What a run is about to buy: two that begin at the same time find nothing bought yet, but they find each other."""

    place: Place
    ledger: str  # path, or address of a database
    wanted: Mapping[str, dict[str, bool]]  # by goods, the addresses that may be asked, and whether each is one's own


@dataclass(frozen=True, slots=True)
class KnownPurchase:
    """One purchase that the index knows."""

    bought: Bought
    place: Place
    goods: str
    planned_goods: str
    subject: str
    at_own_server: bool  # on this machine, or in a private network
    listener: str | None = None  # which server that was, where its port may go to another one

    @property
    def price(self) -> str:
        """What it cost."""
        cost: Decimal | None = from_micros(self.bought.cost_micros)
        return price_text(cost, self.bought.currency) or "price unknown"

    @property
    def words(self) -> str:
        """`bought on 3 May 2026 in /home/me/outputs/spring, 2.50 USD`; the day is that of this machine's clock."""
        verb = "bought" if self.bought.provider_job_id else "perhaps bought (in doubt)"
        if self.bought.state == AttemptState.CLOSED and self.bought.bucket == Bucket.UNCERTAIN:
            verb = "failed and perhaps charged"
        when = ""
        if self.bought.sent_at is not None:
            day = datetime.fromisoformat(self.bought.sent_at).astimezone()
            when = f" on {day.day} {day:%B %Y}"
        return f"{verb}{when} in {self.place.folder}, {self.price}"


@dataclass(frozen=True, slots=True)
class Trace:
    """As much of a purchase as is needed to see whether a ledger has it."""

    attempt_id: str
    state: str
    bucket: str | None
    provider_job_id: str | None
    ledger_id: str
    occurrence: str | None
    planned_goods: str


def index_path() -> Path:
    """Where the index is, or will be."""
    if named := os.environ.get("REELBATCH_PURCHASES", "").strip():
        return Path(named).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    home = Path(state) if state and Path(state).is_absolute() else Path.home() / ".local" / "state"
    return home / "reelbatch" / "purchases.sqlite3"


class PurchaseIndex:
    """The index of purchases. Any number of processes may use it at once; nothing of it is kept in memory.

    Args:
        path: the database file; it, and its folder, are made with the first purchase.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or index_path()

    def put(self, purchases: Iterable[KnownPurchase]) -> None:
        """Write purchases down, those that are known already as they are now.

        Raises:
            LedgerError: the index cannot be written.
        """
        rows = [
            asdict(each.bought) | asdict(each.place) | {name: getattr(each, name) for name in _OWN}
            for each in purchases
        ]
        if not rows:
            return
        failpoint("index.putting")
        with self._opened(to_write=True) as connection:
            statement = insert(_purchase)
            now = {name: statement.excluded[name] for name in ("job_id", *_MOVING)}
            connection.execute(statement.on_conflict_do_update(index_elements=["attempt_id"], set_=now), rows)
        failpoint("index.put")

    def of_goods(self, wanted: Iterable[Likeness]) -> list[KnownPurchase]:
        """Every purchase with the same goods, or the same subject, as one of these; not those that cost nothing after all.

        Raises:
            LedgerError: the index cannot be read.
        """
        keys = list(wanted)
        goods, subjects = {each.goods for each in keys}, {each.subject for each in keys}
        if not self.path.exists():
            return []
        with self._opened() as connection:
            found: dict[str, KnownPurchase] = {}
            if not _is_made(connection):
                return []
            for column, values in ((_purchase.c.goods, goods), (_purchase.c.planned_goods, goods)):
                found |= _found(connection, column, values)
            return list((found | _found(connection, _purchase.c.subject, subjects)).values())

    def traces_of(self, place: Place) -> list[Trace]:
        """A trace of every purchase of this ledger, or into this folder, in the order of time.

        Raises:
            LedgerError: the index cannot be read.
        """
        if not self.path.exists():
            return []
        with self._opened() as connection:
            if not _is_made(connection):
                return []
            here = (_purchase.c.ledger_id == place.ledger_id) | (_purchase.c.folder == place.folder)
            wanted = select(*(_purchase.c[field.name] for field in fields(Trace))).where(here)
            return [Trace(*row) for row in connection.execute(wanted.order_by(_purchase.c.sent_at))]

    def of_attempts(self, attempt_ids: Iterable[str]) -> list[KnownPurchase]:
        """The purchases of these attempts.

        Raises:
            LedgerError: the index cannot be read.
        """
        wanted = set(attempt_ids)
        if not wanted:
            return []
        with self._opened() as connection:
            return list(_found(connection, _purchase.c.attempt_id, wanted).values())

    def announce(self, mine: Intention, *, more: bool = False) -> list[Intention]:
        """Write down what a run is about to buy.

        Args:
            mine: what it is.
            more: beside what the same folder was about to buy before; else in place of it.

        Returns:
            What others have announced, and not withdrawn: those that were killed are among them.

        Raises:
            LedgerError: the index cannot be written.
        """
        here = _intention.c.folder == mine.place.folder
        with self._opened(to_write=True) as connection:
            before = connection.execute(select(_intention.c.wanted).where(here)).scalars().all() if more else ()
            connection.execute(delete(_intention).where(here))
            others = [
                Intention(
                    Place(*(row[field.name] for field in fields(Place))), row["ledger"], json.loads(row["wanted"])
                )
                for row in connection.execute(select(_intention)).mappings()
            ]
            wanted = dict(mine.wanted)
            for known in before:
                wanted = {**json.loads(known), **wanted}
            values = asdict(mine.place) | {"ledger": mine.ledger, "wanted": json.dumps(wanted)}
            connection.execute(insert(_intention).values(values))
        failpoint("index.announced")
        return others

    def withdraw(self, folder: str) -> None:
        """Take back what a run into this folder was about to buy: it is bought, or will not be.

        Raises:
            LedgerError: the index cannot be written.
        """
        if self.path.exists():
            with self._opened(to_write=True) as connection:
                connection.execute(delete(_intention).where(_intention.c.folder == folder))

    @contextmanager
    def _opened(self, *, to_write: bool = False) -> Iterator[Connection]:
        try:
            if to_write:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with open_engine(self.path, read_only=not to_write).begin() as connection:
                self._check(connection, to_write=to_write)
                yield connection
        except DBAPIError as error:
            raise LedgerError(f"the index of purchases {self.path} cannot be used ({error.orig})") from None
        except OSError as error:
            raise LedgerError(f"the index of purchases {self.path} cannot be used ({error.strerror})") from None

    def _check(self, connection: Connection, *, to_write: bool) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version > _VERSION:
            raise LedgerError(f"the index of purchases {self.path} was written by a newer reelbatch")
        if version < _VERSION and to_write:
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version={_VERSION}")


_OWN = ("goods", "planned_goods", "subject", "at_own_server", "listener")
_MOVING = (
    "state",
    "bucket",
    "provider_job_id",
    "mode",
    "contract",
    "status_url",
    "result_url",
)  # what changes of a purchase


def _is_made(connection: Connection) -> bool:
    """Tell whether there is a table yet: another process may be about to make it."""
    return bool(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def _found(connection: Connection, column: Column[Any], values: Iterable[str]) -> dict[str, KnownPurchase]:
    keys = sorted(values)
    found: dict[str, KnownPurchase] = {}
    for start in range(0, len(keys), _CHUNK):
        charged = select(_purchase).where(column.in_(keys[start : start + _CHUNK]), _purchase.c.bucket.is_not(None))
        for row in connection.execute(charged).mappings():
            purchase = Bought(**{column.name: row[column.name] for column in _BOUGHT})
            place = Place(*(row[field.name] for field in fields(Place)))
            found[purchase.attempt_id] = KnownPurchase(purchase, place, *(row[name] for name in _OWN))
    return found
