"""The ledger of one output folder: open it, write to it, read from it."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import DiskFull, LedgerError
from pipelines.core.job import RemoteJob
from pipelines.ledger.migrations import migrate
from pipelines.ledger.recovery import recover
from pipelines.ledger.storage.group_commit import GroupCommit
from pipelines.ledger.storage.lock import OwnerLock, is_owned
from pipelines.ledger.storage.schema import SCHEMA_VERSION, meta, metadata
from pipelines.ledger.storage.sqlite import ReservedSpace, in_memory_copy, open_engine, translated

P = ParamSpec("P")
R = TypeVar("R")

LEDGER_NAME = "ledger.sqlite3"
SANDBOX_BILL = "sandbox-bill.jsonl"  # beside the ledger of a rehearsal, and of no other
_LOCK_NAME = ".ledger-owner"
_SQLITE = b"SQLite format 3\0"  # how the file begins
_TRACE = "manifest.jsonl"  # what a run leaves in the folder of its ledger


class Ledger:
    """The only writer of a ledger, for the life of one run. Use as an async context manager.

    Every transaction begins IMMEDIATE, checks that no later run has taken over, and is on the disk when `write`
    returns. Those that are asked for at the same time share one commit.

    Args:
        path: the database file.
        folder: the output folder that it is the ledger of, if it lies elsewhere.
        remembered: what was paid in this folder is known elsewhere too, so that a ledger that is gone may be made anew.
    """

    def __init__(self, path: Path, *, folder: Path | None = None, remembered: bool = False) -> None:
        self.path = path
        self._folder = folder or path.parent
        self._remembered = remembered
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._held = ExitStack()
        self._group: GroupCommit | None = None
        self._reserved = ReservedSpace(path.with_name(".ledger-ballast"))
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
            connection = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._group = GroupCommit(connection, self._thread, check=self._check_owner, make_room=self._make_room)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, then give the lock back."""
        group, self._group = self._group, None
        if group is not None:
            await group.finish()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._held.close)
        self._thread.shutdown(wait=False)

    async def write(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` as one transaction and return when it is on the disk.

        Raises:
            LedgerError: it could not be written, or a later run has taken over. Nothing of it is kept.
            DiskFull: no space, even after the reserved space was given back.
        """
        if self._group is None:
            raise LedgerError("The ledger is closed.")
        try:
            return await self._group.run(lambda connection: work(connection, *args, **kwargs))
        except DBAPIError as error:
            raise translated(error, self.path) from None

    def _open(self) -> Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for place in dict.fromkeys((self._folder, self.path.parent)):  # of two runs into one folder one is too many
                self._held.enter_context(OwnerLock(place / _LOCK_NAME))
            self._reserved.take()
            if not self._remembered:
                refuse_lost(self.path, self._folder)
            _make_file(self.path)
        except OSError as error:
            raise LedgerError(f"The ledger {self.path} cannot be opened ({error.strerror}).") from None
        engine = open_engine(self.path)
        try:
            connection = self._held.enter_context(engine.connect())
            with connection.begin():
                _prepare_tables(connection, self.path)
                self._epoch = recover(connection)
        except DBAPIError as error:
            raise translated(error, self.path) from None
        else:
            return connection

    def _check_owner(self, connection: Connection) -> None:
        epoch = connection.exec_driver_sql("SELECT epoch FROM owner").scalar_one()
        if epoch != self._epoch:
            raise LedgerError("Another run has taken this folder over, so this one writes nothing more.")

    def _make_room(self) -> None:
        self.full = True
        self._reserved.give_back()


def ledger_in(folder: Path) -> Path:
    """The ledger of an output folder, or of the rehearsal in it if that is all there is.

    Raises:
        LedgerError: there is none.
    """
    if folder.is_file():
        return folder
    for path in (folder / LEDGER_NAME, folder / "rehearsal" / LEDGER_NAME):
        if path.is_file() and not (path.parent != folder and path.parent.is_symlink()):  # a planted one is not ours
            return path
    raise LedgerError(f"There is no ledger in {folder}. Give the output folder of a run, such as outputs/<name>.")


def is_rehearsal(folder: Path) -> bool:
    """Tell whether an output folder is a rehearsal's, in which nothing was paid."""
    return (folder / SANDBOX_BILL).is_file()


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
            LedgerError: the file is no ledger, is empty or damaged, or was written by a newer version.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                if not _has_tables(connection, self.path):
                    raise LedgerError(f"The ledger {self.path} is empty: no run has begun there. Start one first.")
                if (found := _version(connection, self.path)) == SCHEMA_VERSION:
                    return work(connection, *args, **kwargs)
            with in_memory_copy(self.path) as connection, connection.begin():
                migrate(connection, found)
                return work(connection, *args, **kwargs)
        except DBAPIError as error:
            raise translated(error, self.path) from None


@contextmanager
def trial_ledger(path: Path) -> Iterator[Connection]:
    """A ledger as a run would find it, in memory: what is done to it is forgotten, and the file stays as it is.

    Raises:
        LedgerError: the file is no ledger, is damaged, or was written by a newer version.
    """
    try:
        with in_memory_copy(path if holds_ledger(path) else None) as connection, connection.begin():
            _prepare_tables(connection, path)
            recover(connection)
            yield connection
    except sqlite3.Error as error:
        raise LedgerError(f"The ledger {path} cannot be used ({error}).") from None
    except DBAPIError as error:
        raise translated(error, path) from None


def holds_ledger(path: Path) -> bool:
    """Tell whether there is a file with something in it."""
    return path.is_file() and path.stat().st_size > 0


def is_ledger_owned(path: Path, folder: Path) -> bool:
    """Tell whether a run is working on a ledger, or on its output folder, now."""
    return any(is_owned(place / _LOCK_NAME) for place in (path.parent, folder))


def refuse_lost(path: Path, folder: Path) -> None:
    """Refuse to begin a ledger anew where there was one.

    Raises:
        LedgerError: there has been another ledger here, and what was paid for is written in that one.
    """
    if not holds_ledger(path) and (folder / _TRACE).exists():
        raise LedgerError(
            f"The ledger {path} is gone, and {folder / _TRACE} shows that there was one. A new one would buy everything "
            "again. Put it back, or choose another --out; only to buy everything again, move the manifest away."
        )


def _make_file(path: Path) -> None:
    """Make a new ledger, for the owner's eyes only from its first byte on; an old one is left as it is.

    Raises:
        LedgerError: it is no ledger, or a link.
    """
    if path.is_symlink():
        raise LedgerError(f"{path} is a symbolic link. Remove it, or give the file that it leads to by --ledger.")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    with path.open("rb") as file:
        if not _SQLITE.startswith(file.read(len(_SQLITE))):  # SQLite itself would overwrite a file of a few bytes
            raise LedgerError(f"{path} is no ledger. Choose another path.")


def _prepare_tables(connection: Connection, path: Path) -> None:
    if not _has_tables(connection, path):
        metadata.create_all(connection)
        values = {"schema_version": SCHEMA_VERSION, "ledger_id": os.urandom(8).hex()}
        connection.execute(insert(meta), [{"key": key, "value": str(value)} for key, value in values.items()])
    migrate(connection, _version(connection, path))


def _has_tables(connection: Connection, path: Path) -> bool:
    """Whether a run has begun here; False for a file that is still empty."""
    tables = inspect(connection).get_table_names()
    if tables and meta.name not in tables:
        raise LedgerError(f"{path} is a database, and no ledger. Choose another path.")
    return bool(tables)


def _version(connection: Connection, path: Path) -> int:
    """Read which schema a ledger has; one that a newer version wrote is refused."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar_one_or_none()
    if found is None or not found.isdigit() or int(found) > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {path} was written by a newer reelbatch (schema {found}, this one knows {SCHEMA_VERSION}). "
            "Use that version."
        )
    return int(found)


def last_resort_record(
    job_id: str, remote: RemoteJob, error: LedgerError | DiskFull, *, ledger: Path, provider: str, account: str
) -> None:
    """Print the id of a paid job that could not be written down, so that a person can keep it: `reelbatch adopt`.

    Args:
        job_id: the job.
        remote: what its provider calls it.
        error: why it could not be written down.
        ledger: where it belongs.
        provider: who has made it.
        account: with which it was bought.
    """
    known = {name: value for name, value in asdict(remote).items() if name != "id" and value}
    place = {"ledger": str(ledger), "provider": provider, "account": account}
    record = json.dumps({"job": job_id, "provider_job_id": remote.id, **place, **known})
    print(f"PAID, AND NOT RECORDED ({error}). Keep this line: {record}", file=sys.stderr, flush=True)  # noqa: T201 - the log may be gone with the disk
