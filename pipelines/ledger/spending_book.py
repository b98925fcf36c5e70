"""Where the book of spending is kept, and how a price comes into it: before its ledger, or together with it.

A ledger in a database shares the book with all campaigns there, and reserves in one transaction with it. Ledgers in files
share a file of the user's: a price is held in it first, and reserved in the ledger then, so that what is there too much
after a kill may hold something up and never passes a cap.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Transaction
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import BudgetReached, LedgerError
from pipelines.core.job import Job
from pipelines.core.money import Bucket
from pipelines.core.text.times import utc_text
from pipelines.ledger import outcomes
from pipelines.ledger.attempts import Budget
from pipelines.ledger.balances import to_micros
from pipelines.ledger.ledger import Ledger, storage_of
from pipelines.ledger.outcomes import Change
from pipelines.ledger.spending import (
    HELD,
    SPENDING_SPACE,
    Cap,
    CapStanding,
    Payer,
    SpendingEntry,
    book_metadata,
    check_covered,
    entries,
    follow,
    hold,
    let_go,
    make_day_totals,
    payer_of,
    reconcile_book,
    standings,
)
from pipelines.ledger.storage.group_commit import GroupCommit
from pipelines.ledger.storage.place import LedgerPlace, SharedLedger, address_text
from pipelines.ledger.storage.postgres import has_tables, make_shared_tables
from pipelines.ledger.storage.sqlite import is_disk_full, open_engine

P = ParamSpec("P")
R = TypeVar("R")

_VERSION = 1


class SpendingBook:
    """The book of spending, for the life of one run. Use as an async context manager, inside that of its ledger.

    Args:
        ledger: open; whatever is reserved is reserved in it as well.
        file: of the user's book, where the ledger is a file too.
        campaign: whose prices they are.
        caps: of a day or a month, that each reservation is checked against.
    """

    def __init__(self, ledger: Ledger, file: Path, campaign: str, caps: Iterable[Cap] = ()) -> None:
        self._ledger, self._file, self._campaign, self._caps = ledger, file, campaign, tuple(caps)
        self._inside = isinstance(ledger.place, SharedLedger)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spending")
        self._storage = _BookFile(file)
        self._group: GroupCommit | None = None
        self._payer, self._epoch = Payer("", "", campaign), 0

    async def __aenter__(self) -> Self:
        """Open the book, and bring it up to what the ledger says.

        Raises:
            LedgerError: it cannot be used.
        """
        try:
            if not self._inside:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.open)
                self._group = GroupCommit(self._storage, self._thread)
            await self._write(_make_tables)
            place = address_text(self._ledger.place)
            self._payer, self._epoch = await self._ledger.write(payer_of, place, self._campaign)
            found = await self._ledger.write(entries)
            await self._write(reconcile_book, self._payer, self._epoch, found)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        group, self._group = self._group, None
        if group is not None:
            await group.finish()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.close)
        self._thread.shutdown(wait=False)

    async def reserve(self, planned: Job, account: str, budget: Budget | None) -> Change:
        """Reserve a job and its price, in the ledger and in the book.

        Raises:
            BudgetReached: the budget, or a cap, leaves too little for it, or does not cover it.
            LedgerError: the ledger or the book cannot be written. Nothing may be sent.
        """
        check_covered(planned, self._caps)
        micros = to_micros(planned.cost_estimated)
        if not micros or planned.currency is None:
            return await self._ledger.write(outcomes.reserve, planned, account, budget)
        entry = SpendingEntry(str(uuid.uuid4()), self._epoch, planned.currency, micros, HELD, utc_text())
        if self._inside:
            return await self._ledger.write(self._reserve_and_hold, planned, account, budget, entry)
        await self._write(hold, self._payer, entry, self._caps)
        try:
            change = await self._ledger.write(outcomes.reserve, planned, account, budget, entry.attempt_id)
        except BudgetReached:
            await self._write(let_go, entry.attempt_id)
            raise
        if change.claim is None:
            await self._write(let_go, entry.attempt_id)
        return change

    async def note(self, job_ids: Collection[str]) -> None:
        """Bring the book up to what the ledger says of some jobs.

        Should that fail, the next run does it; until then too much counts.
        """
        with suppress(LedgerError):
            found = await self._ledger.write(entries, job_ids)
            await self._write(follow, self._payer, found)

    def _reserve_and_hold(
        self, connection: Connection, planned: Job, account: str, budget: Budget | None, entry: SpendingEntry
    ) -> Change:
        change = outcomes.reserve(connection, planned, account, budget, entry.attempt_id)
        if change.claim is not None:
            hold(connection, self._payer, replace(entry, bucket=Bucket.RESERVED.value), self._caps)
        return change

    async def _write(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        if self._inside:
            return await self._ledger.write(work, *args, **kwargs)
        if self._group is None:
            raise LedgerError("The book of spending is closed.")
        try:
            return await self._group.run(lambda connection: work(connection, *args, **kwargs))
        except DBAPIError as error:
            raise _unusable(self._file, error.orig) from None


def read_standings(place: LedgerPlace, file: Path, caps: Iterable[Cap]) -> list[CapStanding]:
    """How much of each cap is taken now, without any right to change the book.

    Args:
        place: of a ledger: in a database, its book counts.
        file: of the user's book, where the ledger is a file too.
        caps: of a day or a month.

    Raises:
        LedgerError: the book cannot be read.
    """
    now, caps = datetime.now(UTC), tuple(caps)
    nothing = [CapStanding(cap, Decimal(0), 0) for cap in caps]
    storage = storage_of(place)
    if not caps or (not isinstance(place, SharedLedger) and not file.exists()):
        return nothing
    try:
        if isinstance(place, SharedLedger):
            with storage.reading() as connection:
                return standings(connection, caps, now) if has_tables(connection, book_metadata) else nothing
        with _connected(file, read_only=True) as connection, connection.begin():
            made = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            return standings(connection, caps, now) if made else nothing
    except DBAPIError as error:
        raise (storage.translated(error) if isinstance(place, SharedLedger) else _unusable(file, error.orig)) from None


class _BookFile:
    """The user's book: a file that every run of theirs may write, one after the other."""

    statements_wait = True  # for other runs: not in the thread of the event loop

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def open(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = _translated(open_engine(self._file).connect())
        except OSError as error:
            raise _unusable(self._file, error.strerror) from None
        except DBAPIError as error:
            raise _unusable(self._file, error.orig) from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def begin(self) -> Transaction:
        return self.connection.begin()

    def ends_group(self, error: DBAPIError) -> bool:
        return is_disk_full(error)

    def mend(self, error: DBAPIError) -> bool:
        raise error


@contextmanager
def _connected(file: Path, *, read_only: bool) -> Iterator[Connection]:
    with open_engine(file, read_only=read_only).connect() as connection:
        yield _translated(connection)


def _translated(connection: Connection) -> Connection:
    """A file has no schemas: the tables of the book stand there by themselves."""
    return connection.execution_options(schema_translate_map={SPENDING_SPACE: None})


def _make_tables(connection: Connection) -> None:
    """Make what is not there yet.

    Raises:
        LedgerError: a newer version has made it.
    """
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found > _VERSION:
            raise LedgerError("The book of spending was written by a newer reelbatch. Use that version.")
        if found < _VERSION:
            book_metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version={_VERSION}")
        make_day_totals(connection)
    else:
        make_shared_tables(connection, book_metadata)


def _unusable(file: Path, why: object) -> LedgerError:
    return LedgerError(f"The book of spending {file} cannot be used ({why})")
