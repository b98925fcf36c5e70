"""Who may write: one process at a time, by a lock that the kernel frees when the process dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.core.errors import LedgerError, LedgerOwned


class OwnerLock:
    """An exclusive lock on a file beside the ledger, held for the life of a run. Use as a context manager.

    The lock saves work; it is not what prevents double payment. That is the live-attempt index and the epoch.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            LedgerOwned: another process holds it; the message says which and since when.
            LedgerError: a link, or no plain file, stands in its place: what it leads to would be written over.
        """
        descriptor = _opened(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 500).decode("utf-8", "replace")
            os.close(descriptor)
            raise LedgerOwned(_occupied(self._path.parent, holder)) from None
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat("T", "seconds")}
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(note).encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _opened(path: Path) -> int:
    """Open the file of the lock, and nothing else under its name: neither a link, nor a second name of another file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
        raise LedgerError(f"{path} is a link, or no file of ours. Remove it.") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise LedgerError(f"{path} is a link, or no file of ours. Remove it.")
    return descriptor


def is_owned(path: Path) -> bool:
    """Whether a run holds the lock at this moment. Takes and gives it back, so it never disturbs for long."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _occupied(folder: Path, holder: str) -> str:
    try:
        note = json.loads(holder)
        who = f"process {note['pid']} on {note['host']} since {note['since']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return f"{folder} is being worked on by {who}. Wait for it, or stop it, then run the same command again."
