"""The ledger of one output folder: open it, write to it, read from it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from pipelines.errors import DiskFull, LedgerError
from pipelines.ledger.database import Ballast, is_disk_full, open_engine, translated
from pipelines.ledger.group_commit import GroupCommit
from pipelines.ledger.ownership import OwnerLock, is_owned
from pipelines.ledger.schema import SCHEMA_VERSION, meta, metadata
from pipelines.ledger.takeover import take_over

P = ParamSpec("P")
R = TypeVar("R")

LEDGER_NAME = "ledger.sqlite3"
_LOCK_NAME = ".ledger-owner"


class Ledger:
    """The only writer of a ledger, for the life of one run. Use as an async context manager.

    Every transaction runs in the ledger's own thread, one after the other, begins IMMEDIATE, checks that no later run
    has taken over, and is on the disk when `write` returns. Those that wait at the same time share one commit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._held = ExitStack()
        self._group = GroupCommit(self._thread, self._commit, lambda error: translated(error, path))
        self._ballast = Ballast(path.with_name(".ledger-ballast"))
        self._connection: Connection | None = None
        self._epoch = 0
        self.full = False  # the disk was full once: nothing new may be paid until the next run

    async def __aenter__(self) -> Self:
        """Lock, create or check the tables, and take over from an earlier run.

        Raises:
            LedgerOwned: another process works on this folder.
            LedgerError: the ledger is damaged, or was written by a newer version.
            DiskFull: there is no room to remember payments.
        """
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, then give the lock back."""
        await self._in_thread(self._held.close)
        self._thread.shutdown(wait=False)

    async def write(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` as one transaction and return when it is on the disk.

        Raises:
            LedgerError: it could not be written, or a later run has taken over. Nothing of it is kept.
            DiskFull: no space, even after the ballast was given back.
        """
        return await self._group.run(lambda connection: work(connection, *args, **kwargs))

    async def _in_thread(self, work: Callable[[], R]) -> R:
        # Shielded: a transaction that has begun is waited for, also when the task that asked for it is cancelled.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(OwnerLock(self.path.with_name(_LOCK_NAME)))
        self._ballast.lay()
        existed = self.path.exists()
        engine = open_engine(self.path)
        try:
            self._connection = self._held.enter_context(engine.connect())
            if not existed:
                self.path.chmod(0o600)
            with self._connection.begin():
                _prepare_tables(self._connection, self.path)
                self._epoch = take_over(self._connection)
        except DBAPIError as error:
            raise translated(error, self.path) from None

    def _commit(self, body: Callable[[Connection], None]) -> None:
        try:
            return self._once(body)
        except DBAPIError as error:
            if not is_disk_full(error):
                raise
        self.full = True
        self._ballast.drop()
        return self._once(body)

    def _once(self, body: Callable[[Connection], None]) -> None:
        if self._connection is None:
            raise LedgerError("The ledger is closed.")
        with self._connection.begin():
            epoch = self._connection.exec_driver_sql("SELECT epoch FROM owner").scalar_one()
            if epoch != self._epoch:
                raise LedgerError("Another run has taken this folder over, so this one writes nothing more.")
            body(self._connection)


def ledger_in(folder: Path) -> Path:
    """The ledger of an output folder, or of the rehearsal in it if that is all there is.

    Raises:
        LedgerError: there is none.
    """
    if folder.is_file():
        return folder
    for path in (folder / LEDGER_NAME, folder / "rehearsal" / LEDGER_NAME):
        if path.is_file():
            return path
    raise LedgerError(f"There is no ledger in {folder}. Give the output folder of a run, such as outputs/<name>.")


class LedgerReader:
    """A look into a ledger without any right to change it, also while a run is writing."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise LedgerError(f"There is no ledger at {path}. Give the output folder of a run.")
        self.path = path
        self._engine: Engine = open_engine(path, read_only=True)

    def is_being_written(self) -> bool:
        """Whether a run is working on this ledger now."""
        return is_owned(self.path.with_name(_LOCK_NAME))

    def read(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` on one consistent state of the ledger.

        Raises:
            LedgerError: the file is not a ledger, is damaged, or was written by a newer version.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                _check_version(connection, self.path)
                return work(connection, *args, **kwargs)
        except DBAPIError as error:
            raise translated(error, self.path) from None


def _prepare_tables(connection: Connection, path: Path) -> None:
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        values = {"schema_version": SCHEMA_VERSION, "ledger_id": os.urandom(8).hex()}
        connection.execute(insert(meta), [{"key": key, "value": str(value)} for key, value in values.items()])
    _check_version(connection, path)


def _check_version(connection: Connection, path: Path) -> None:
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar_one_or_none()
    if found is None or not found.isdigit() or int(found) > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} was written by a newer reelbatch (schema {found}, this one knows {SCHEMA_VERSION}). "
            "Use that version."
        )


def cry_out(job_id: str, provider_job_id: str, error: LedgerError | DiskFull) -> None:
    """Last resort: the id of a paid job could not be written down, so a person must keep it."""
    record = json.dumps({"job": job_id, "provider_job_id": provider_job_id})
    print(f"PAID, AND NOT RECORDED ({error}). Keep this line: {record}", file=sys.stderr, flush=True)  # noqa: T201
