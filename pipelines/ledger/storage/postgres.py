"""A ledger in PostgreSQL: each campaign has a schema of its own there, and at most one owner by a lease.

The lease is a row: its epoch fences (every group of writes begins with an update of it that names the epoch), its number
tells after a lost connection whether the last group was committed, and its beat, by the clock of the database, tells
everybody whether the owner lives. No lock of a session is used: a stopped process would keep it for ever, and a pooler in
front of the database would lose it.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    Table,
    Transaction,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.core.errors import DiskFull, LedgerError, LedgerOwned
from pipelines.core.text.excerpt import quoted
from pipelines.ledger.storage.place import SharedLedger, refuse_lost
from pipelines.ledger.storage.schema import owner

BEAT_EVERY_S = 3.0
LEASE_S = 15.0  #: an owner that has written nothing for so long may be taken over
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 60.0  # for a server that is away in the middle of a run: a restart takes a few seconds
_STOPPED_MS = 10_000  # a process that stands still in a transaction holds up whoever takes over, for so long at most
_LOCK_MS = 30_000
_LONGEST_NAME = 30
_LONGEST_REASON = 300
_MAKING = 0x5265656C  # of the lock behind which schemas are made, one at a time

_AWAY = ("08", "57P01", "57P02", "57P03", "25P03")  # no connection, shut down, starting up, stood still for too long
_DISK_FULL = "53100"

_own = MetaData()
_lease = Table(
    "lease",
    _own,
    Column("id", Integer, primary_key=True),  # always 1
    Column("epoch", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),  # of the last group of writes
    Column("beat", Float),  # when the owner wrote last, in Unix seconds of the database; NULL: nobody owns it
)
_NOW = func.extract("epoch", func.clock_timestamp()).cast(Float)

_CONNECT = {
    "connect_timeout": 10,
    "application_name": "reelbatch",
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "prepare_threshold": None,  # a pooler gives each transaction another session
}
_SETTINGS = (
    f"SET LOCAL lock_timeout = {_LOCK_MS}; SET LOCAL idle_in_transaction_session_timeout = {_STOPPED_MS}; "
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)


def space_of(campaign: str) -> str:
    """The name of the schema of a campaign: one that people can read, and no two campaigns share."""
    readable = re.sub(r"[^a-z0-9]+", "_", campaign.lower()).strip("_")[:_LONGEST_NAME]
    return f"reelbatch_{readable}_{hashlib.sha256(campaign.encode()).hexdigest()[:12]}"


class PostgresStorage:
    """The part of a database that keeps the ledger of one campaign."""

    statements_wait = True
    beat_every_s = BEAT_EVERY_S

    def __init__(self, place: SharedLedger) -> None:
        self.place = place
        self.full = False
        self.space = space_of(place.campaign)
        self._connection: Connection | None = None
        self._epoch = 0
        self._number = 0

    @property
    def connection(self) -> Connection:
        """The connection of the owner."""
        assert self._connection is not None
        return self._connection

    def take_over(self, prepare: Callable[[Connection], int], *, remembered: bool = False) -> None:
        """Make the schema where there is none, wait until the lease is free or has run out, and raise the epoch."""
        heard = None
        try:
            self._connection = self._engine().connect()
            self._make_space(self._connection, remembered=remembered)
            while (beat := self._beat_of_another(self._connection, prepare)) is not None:
                if heard is not None and beat != heard:
                    raise LedgerOwned(self._occupied(self._connection))
                heard = beat
                time.sleep(_LOOK_EVERY_S)
        except DBAPIError as error:
            raise self.translated(error) from None

    def close(self) -> None:
        """Give the lease back, if it is ours, then close the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(SQLAlchemyError):  # then it runs out by itself
            if self._epoch:
                connection.rollback()
                with connection.begin():
                    connection.execute(update(_lease).where(_lease.c.epoch == self._epoch).values(beat=None))
        with suppress(SQLAlchemyError):
            connection.close()

    def begin(self) -> Transaction:
        """Begin, and renew the lease: that fails where its epoch is not ours, and holds up whoever takes over."""
        if self.connection.closed:  # the server was away for longer than was waited for it
            self._has_last_group()
        self._number += 1
        transaction = self.connection.begin()
        try:
            self._renew_lease()
        except BaseException:
            transaction.close()
            raise
        return transaction

    def _renew_lease(self) -> None:
        if self.connection.execute(_RENEW, {"_epoch": self._epoch, "_number": self._number}).rowcount == 0:
            raise self._taken_over()

    def ends_group(self, error: DBAPIError) -> bool:
        """A lost connection, or a full disk, ends the whole group."""
        return _is_away(error) or _state(error) == _DISK_FULL

    def mend(self, error: DBAPIError) -> bool:
        """Wait for a server that is away, for a minute at most, and ask it whether it has the last group."""
        if _state(error) == _DISK_FULL:
            self.full = True
        end = time.monotonic() + _PATIENCE_S
        while _is_away(error):
            try:
                return self._has_last_group()
            except DBAPIError as again:
                error = again
                if time.monotonic() > end:
                    break
                time.sleep(_LOOK_EVERY_S)
        raise error

    def is_owned(self, *, for_sure: bool = False) -> bool:
        """Whether the owner has written something lately; for sure: whether it writes again before its lease runs out."""
        first = beat = self._last_beat()
        while for_sure and beat is not None and beat == first:
            time.sleep(_LOOK_EVERY_S)
            beat = self._last_beat()
        return beat is not None

    def _last_beat(self) -> float | None:
        """When the owner was heard last; None: there is none, or its lease has run out."""
        with self.reading() as connection:
            if _lease.name not in self.table_names(connection):
                return None
            held = connection.execute(_HELD).one_or_none()
            return held.beat if held is not None and _is_alive(held) else None

    def table_names(self, connection: Connection) -> list[str]:
        """The tables of the campaign."""
        return inspect(connection).get_table_names(schema=self.space)

    def back_up(self, connection: Connection, version: int) -> None:
        """Copy the tables into a schema beside this one; a copy that is there already stays."""
        copy = f"{self.space}_schema_{version}"
        if inspect(connection).has_schema(copy):
            return
        connection.exec_driver_sql(f'CREATE SCHEMA "{copy}"')
        for table in self.table_names(connection):
            connection.exec_driver_sql(f'CREATE TABLE "{copy}"."{table}" AS TABLE "{self.space}"."{table}"')

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction without the right to write."""
        with self._engine(read_only=True).connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """A transaction beside the owner's."""
        with self._engine().connect() as connection, connection.begin():
            yield connection

    def guest(self) -> Connection:
        """A connection beside the owner's, that stays."""
        return self._engine().connect()

    @contextmanager
    def draft(self) -> Iterator[Connection]:
        """A transaction that is undone at its end; a new campaign has its schema for so long."""
        with self._engine().connect() as connection:
            transaction = connection.begin()
            try:
                if not inspect(connection).has_schema(self.space):
                    connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
                    connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self.space}"')
                yield connection
            finally:
                transaction.rollback()

    def translated(self, error: DBAPIError) -> LedgerError | DiskFull:
        """Our word for what the server, or the way to it, says."""
        if _state(error) == _DISK_FULL:
            return DiskFull(f"No space is left for the ledger {self.place}. Free some and run the same command again.")
        said = " ".join(str(error.orig).split())
        said = re.sub(r'\b(user|role) "[^"]*"', r"\1", said)
        for secret in filter(None, (self.place.url.password, self.place.url.username)):
            said = said.replace(str(secret), "...")
        return LedgerError(
            f"The ledger {self.place} cannot be used ({quoted(said, _LONGEST_REASON)}). Nothing more is sent until it can. "
            "Look at --ledger or REELBATCH_LEDGER, and whether the server runs; then run the same command again."
        )

    def _engine(self, *, read_only: bool = False) -> Engine:
        """An engine each of whose transactions sees the campaign's schema only, and waits for nothing for ever."""
        engine = create_engine(self.place.url, poolclass=NullPool, connect_args=_CONNECT)
        way = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; " if read_only else ""

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql(
                f'{way}SET LOCAL search_path TO "{self.space}"; {_SETTINGS}', execution_options={"no_parameters": True}
            )

        return engine

    def _make_space(self, connection: Connection, *, remembered: bool) -> None:
        """Make the schema of a new campaign.

        Raises:
            LedgerError: there has been another ledger, and what was paid for is written in that one.
        """
        with connection.begin():
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
            if _lease.name in self.table_names(connection):
                return
            if not remembered:
                refuse_lost(self.place)
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self.space}"')
            _own.create_all(connection)
            connection.execute(insert(_lease).values(id=1, epoch=0, number=0))

    def _beat_of_another(self, connection: Connection, prepare: Callable[[Connection], int]) -> float | None:
        """Become the owner, or say when the one that there is was heard last."""
        with connection.begin():
            held = connection.execute(_HELD.with_for_update()).one()
            if _is_alive(held):
                return float(held.beat)
            self._epoch = prepare(connection)
            connection.execute(update(_lease).values(epoch=self._epoch, number=self._number, beat=_NOW))
            return None

    def _has_last_group(self) -> bool:
        """Connect anew, and look whether the last group of writes was committed."""
        with suppress(SQLAlchemyError):
            self.connection.close()
        self._connection = self._engine().connect()
        with self._connection.begin():  # for update: the end of a commit that is still under way is waited for
            held = self._connection.execute(_HELD.with_for_update()).one_or_none()
            if (
                held is None
                or held.epoch < self._epoch
                or (held.epoch == self._epoch and held.number < self._number - 1)
            ):
                raise LedgerError(
                    f"The database at {self.place.address} has forgotten what was written there: it has turned to an older "
                    "copy of itself. Nothing more is sent. Compare `reelbatch status` with the provider's bill."
                )
            if held.epoch != self._epoch:
                raise self._taken_over()
            done, self._number = held.number == self._number, held.number
            return bool(done)

    def _taken_over(self) -> LedgerOwned:
        return LedgerOwned(
            f"Another run has taken the campaign {self.place.campaign} over, so this one writes nothing more."
        )

    def _occupied(self, connection: Connection) -> str:
        with connection.begin():
            holder = connection.execute(select(owner)).one()
        return (
            f"The campaign {self.place.campaign} is being worked on by process {holder.pid} on {holder.host} since "
            f"{holder.since}. Wait for it, or stop it, then run the same command again."
        )


def has_tables(connection: Connection, tables: MetaData) -> bool:
    """Tell whether the tables that all campaigns of a database share are there."""
    return all(inspect(connection).has_table(table.name, schema=tables.schema) for table in tables.tables.values())


def make_shared_tables(connection: Connection, tables: MetaData) -> None:
    """Make the tables that all campaigns of a database share, where they are missing; several may try at once."""
    if not has_tables(connection, tables):
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
        connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{tables.schema}"')
        tables.create_all(connection)


_HELD = select(_lease, _NOW.label("now"))
_RENEW = update(_lease).where(_lease.c.epoch == bindparam("_epoch")).values(number=bindparam("_number"), beat=_NOW)


def _is_alive(held: Any) -> bool:
    return held.beat is not None and held.now - held.beat <= LEASE_S


def _state(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _is_away(error: DBAPIError) -> bool:
    """Tell whether the server, or the way to it, has gone, and may come back."""
    state = _state(error)
    return error.connection_invalidated or (
        isinstance(error.orig, psycopg.OperationalError) and (state or "08").startswith(_AWAY)
    )
