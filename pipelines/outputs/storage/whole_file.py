"""Files that are there in their old or their new form, and never in between."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.core.failpoints import failpoint

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # as `whole_file` names them


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving without an error it takes the place of `path`, lastingly.

    A kill at any instant leaves the old file as it was, and a temporary one (`remove_abandoned`).
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
    failpoint("file.replaced")
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_abandoned(folder: Path) -> None:
    """Take away temporary files of processes that were killed; one that writes now holds a lock on its own."""
    for left in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(left.name):
            with suppress(OSError):
                handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
                finally:
                    os.close(handle)
