"""Opening the database: how SQLite is set up so that a commit survives a power cut, and what is kept for a full disk."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from pipelines.core.errors import DiskFull, LedgerError

#: From this version on, the write-ahead log is free of the bug that can corrupt it when two connections write.
_WAL_IS_SAFE = (3, 51, 3)
_BUSY_TIMEOUT_MS = 30_000
_RESERVED_BYTES = 4 << 20


def ledger_path(url: str) -> Path:
    """The file behind a SQLite URL such as `sqlite:////data/ledger.sqlite3`; a plain path is taken as it is.

    Raises:
        LedgerError: the URL is of another database, or of one in memory, which would forget what was paid.
    """
    if "://" not in url:
        return Path(url).expanduser().absolute()
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError("The ledger URL cannot be read. Give a path or sqlite:////absolute/path.") from None
    if parsed.get_backend_name() != "sqlite":
        raise LedgerError(f"A ledger on {parsed.get_backend_name()} is not supported. Give a path or a sqlite:/// URL.")
    if not parsed.database or parsed.database == ":memory:":
        raise LedgerError("A ledger in memory forgets what was paid. Give a path or a sqlite:/// URL.")
    return Path(parsed.database).absolute()


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
        f"sqlite:///file:{quote(path.as_posix())}?mode={mode}&uri=true",
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


@contextmanager
def in_memory_copy(path: Path | None) -> Iterator[Connection]:
    """A copy of a ledger, or an empty one, that may be changed at will and is forgotten; the file stays as it is."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as copy:
        if path is not None:
            with closing(sqlite3.connect(f"file:{quote(path.as_posix())}?mode=ro", uri=True)) as file:
                file.backup(cast("sqlite3.Connection", copy.connection.driver_connection))
        yield copy


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database could not write for want of space, judged by the error code and not by its text."""
    return getattr(error.orig, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def translated(error: DBAPIError, path: Path) -> LedgerError | DiskFull:
    """Our word for what the database says."""
    if is_disk_full(error):
        return DiskFull(f"No space is left for the ledger {path}. Free some and run the same command again.")
    return LedgerError(f"The ledger {path} cannot be used ({error.orig}). Nothing more is sent until it can.")


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
