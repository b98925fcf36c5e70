"""Opening the database: how SQLite is set up so that a commit survives a power cut, and what is kept for a full disk."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Transaction, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from pipelines.core.errors import DiskFull, LedgerError, LedgerOwned
from pipelines.ledger.storage.file_system import network_file_system
from pipelines.ledger.storage.lock import OwnerLock, is_owned
from pipelines.ledger.storage.place import FileLedger, refuse_lost

#: From this version on, the write-ahead log is free of the bug that can corrupt it when two connections write.
_WAL_IS_SAFE = (3, 51, 3)
_BUSY_TIMEOUT_MS = 30_000
_RESERVED_BYTES = 4 << 20
_LOCK_NAME = ".ledger-owner"
_SQLITE = b"SQLite format 3\0"  # how the file begins


def journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """The journal mode that is safe with this SQLite: the write-ahead log only where its known bug is mended."""
    return "WAL" if version >= _WAL_IS_SAFE else "TRUNCATE"


def open_engine(path: Path, *, read_only: bool = False) -> Engine:
    """An engine whose writing transactions begin IMMEDIATE and are synced to the disk when they commit.

    Args:
        path: the database file; its folder must exist.
        read_only: open without the right to write, and begin transactions that only read.
    """
    # A reader may write nothing either, but it must be able to undo the half of a commit that a crash has left.
    mode = "rw" if read_only else "rwc"
    engine = create_engine(
        f"sqlite:///{_uri(path, mode)}&uri=true",
        poolclass=NullPool,
        connect_args={"check_same_thread": False},  # one at a time all the same: see group_commit.py
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver thinks
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(f"PRAGMA journal_mode={journal_mode()}")
            connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database could not write for want of space, judged by the error code and not by its text."""
    return getattr(error.orig, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


class ReservedSpace:
    """A few megabytes beside the ledger, given back when the disk is full, so that the id of a paid job still fits."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> None:
        """Reserve the space, in a file of its own: a link in its place is removed, and what it leads to left alone.

        Raises:
            DiskFull: there is too little left to start a run that costs money.
            LedgerError: a folder stands in its place.
        """
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISREG(found.st_mode) and (found.st_size, found.st_nlink) == (_RESERVED_BYTES, 1):
                return
        try:
            self._path.unlink(missing_ok=True)
            with self._path.open("xb") as file:  # follows no link
                file.write(bytes(_RESERVED_BYTES))  # written, since macOS cannot reserve what is not
                file.flush()
        except IsADirectoryError:
            raise LedgerError(f"{self._path} is a folder, and no file of ours. Remove it.") from None
        except OSError as error:
            self._path.unlink(missing_ok=True)
            raise DiskFull(f"There is no space for {self._path.parent} ({error.strerror}). Free some first.") from None

    def give_back(self) -> None:
        """Give the space back."""
        self._path.unlink(missing_ok=True)


class SqliteStorage:
    """A ledger in a file: who may write is settled by a lock that the kernel keeps, and by the epoch."""

    statements_wait = False
    beat_every_s = None

    def __init__(self, place: FileLedger) -> None:
        self.place = place
        self.full = False
        self._path = place.file
        # Of two runs into one folder one is too many, wherever their ledgers lie.
        self._locks = [at / _LOCK_NAME for at in dict.fromkeys((place.folder, place.file.parent))]
        self._reserved = ReservedSpace(place.file.with_name(".ledger-ballast"))
        self._held = ExitStack()
        self._connection: Connection | None = None
        self._epoch = 0

    @property
    def connection(self) -> Connection:
        """The connection of the owner."""
        assert self._connection is not None
        return self._connection

    def take_over(self, prepare: Callable[[Connection], int], *, remembered: bool = False) -> None:
        """Lock, make the file or look whether it is whole, and raise the epoch."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if (kind := network_file_system(self._path.parent)) is not None:
                raise LedgerError(
                    f"The ledger {self._path} would lie on a network file system ({kind}), where SQLite cannot keep two "
                    "runs apart. Give a path on a local disk, or a database that machines may share: "
                    "--ledger postgresql://host/database."
                )
            locks = [self._held.enter_context(OwnerLock(lock)) for lock in self._locks]
            self._reserved.take()
            if not remembered and not self._has_something():
                refuse_lost(self.place)
            _make_file(self._path)
        except OSError as error:
            raise LedgerError(f"The ledger {self._path} cannot be opened ({error.strerror}).") from None
        try:
            self._connection = self._held.enter_context(open_engine(self._path).connect())
            with self._connection.begin():
                if any(lock.left_behind for lock in locks):
                    self._check_whole(self._connection)
                self._epoch = prepare(self._connection)
        except DBAPIError as error:
            raise self.translated(error) from None

    def close(self) -> None:
        """Close the connection, then give the lock back."""
        self._held.close()

    def begin(self) -> Transaction:
        """Begin, and look whether the epoch is still ours."""
        transaction = self.connection.begin()
        try:
            self._check_epoch()
        except BaseException:
            transaction.close()
            raise
        return transaction

    def _check_epoch(self) -> None:
        if self.connection.exec_driver_sql("SELECT epoch FROM owner").scalar_one() != self._epoch:
            raise LedgerOwned("Another run has taken this folder over, so this one writes nothing more.")

    def ends_group(self, error: DBAPIError) -> bool:
        """A full disk ends the whole group."""
        return is_disk_full(error)

    def mend(self, error: DBAPIError) -> bool:
        """Give the reserved space back when the disk is full, once."""
        if self.full or not is_disk_full(error):
            raise error
        self.full = True
        self._reserved.give_back()
        return False

    def is_owned(self, *, for_sure: bool = False) -> bool:
        """Whether somebody holds a lock: the kernel knows it for sure."""
        del for_sure
        return any(is_owned(lock) for lock in self._locks)

    def table_names(self, connection: Connection) -> list[str]:
        """The tables of the file."""
        return inspect(connection).get_table_names()

    def back_up(self, connection: Connection, version: int) -> None:
        """Copy the file beside itself, as `ledger.schema-3.sqlite3`; a copy that is there already stays."""
        del connection  # the copy is read by a connection of its own, behind the same lock
        path = self._path.with_name(f"{self._path.stem}.schema-{version}{self._path.suffix}")
        if path.exists():
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with (
                closing(sqlite3.connect(_uri(self._path, "ro"), uri=True)) as file,
                closing(sqlite3.connect(part)) as copy,
            ):
                file.backup(copy)
            part.replace(path)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(
                f"The ledger {self._path} is of an older version, and no copy of it can be made ({error}). Free some space "
                "and run the same command again; nothing was changed."
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction without the right to write."""
        if not self._path.is_file():
            raise LedgerError(f"There is no ledger at {self._path}. Give the output folder of a run.")
        with open_engine(self._path, read_only=True).connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """A transaction beside the owner's."""
        with open_engine(self._path).connect() as connection, connection.begin():
            yield connection

    def guest(self) -> Connection:
        """A connection beside the owner's, that stays."""
        return open_engine(self._path).connect()

    @contextmanager
    def draft(self) -> Iterator[Connection]:
        """A copy in memory, empty where there is no file."""
        with create_engine("sqlite://", poolclass=NullPool).connect() as copy:
            if self._has_something():
                try:
                    with closing(sqlite3.connect(_uri(self._path, "rw"), uri=True)) as file:
                        file.backup(cast("sqlite3.Connection", copy.connection.driver_connection))
                except sqlite3.Error as error:
                    raise LedgerError(f"The ledger {self._path} cannot be used ({error}).") from None
            with copy.begin():
                yield copy

    def translated(self, error: DBAPIError) -> LedgerError | DiskFull:
        """Our word for what SQLite says."""
        if is_disk_full(error):
            return DiskFull(f"No space is left for the ledger {self._path}. Free some and run the same command again.")
        return LedgerError(f"The ledger {self._path} cannot be used ({error.orig}). Nothing more is sent until it can.")

    def _has_something(self) -> bool:
        return self._path.is_file() and self._path.stat().st_size > 0

    def _check_whole(self, connection: Connection) -> None:
        """Refuse a file that is damaged; asked after a run that has not ended in order."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise LedgerError(
                f"The ledger {self._path} is damaged ({found}), since a run has not ended in order. Nothing was sent. Put "
                "back a copy of it, or choose another --out; what was paid for stands in the manifest as well."
            )


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(path.as_posix())}?mode={mode}"


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
