"""Files that are there in their old or their new form, and never in between."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.core.failpoints import failpoint


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving without an error it takes the place of `path`, lastingly.

    A kill at any instant leaves the old file as it was, and a temporary one that the next time takes away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        held = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            with suppress(OSError):  # a file system without locks: nothing is taken away there
                fcntl.flock(held, fcntl.LOCK_EX)
            yield temporary
            _sync(temporary)
            failpoint("file.written")
            temporary.replace(path)
        finally:
            os.close(held)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _remove_abandoned(path)
    failpoint("file.replaced")
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_abandoned(path: Path) -> None:
    """Take away what processes that were killed have left beside a file; one that writes now holds a lock on its own."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)
