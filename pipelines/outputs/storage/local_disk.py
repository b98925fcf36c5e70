"""One folder of the output tree, held by an open handle, so that no planted link leads a download elsewhere."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from pipelines.core.errors import DiskFull, OutputError, SetupError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ONLY_THIS_NAME = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST})
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME_CAP_BYTES = 160  # 255 is what file systems take, and a part file adds dots, the attempt and a suffix
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # non-blocking: a planted pipe must not hang us


@contextmanager
def disk_errors(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Translate what the disk says into what a person can do.

    Args:
        path: what is being worked on.
        shared: every other clip needs it too.

    Raises:
        DiskFull: no space, or the quota is used up.
        OutputError: this one name cannot be used: a link or a foreign object stands there, or it is too long.
        SetupError: the folder is read-only, has vanished, or is otherwise out of reach.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"No space is left at {path.parent}. Free some and run the same command again: "
                "what was paid for is remembered."
            ) from None
        if error.errno == errno.ELOOP and not shared:
            raise OutputError(
                f"{path} is, or lies below, a symbolic link. Links are not followed; remove it."
            ) from None
        if error.errno in _ONLY_THIS_NAME and not shared:
            raise OutputError(f"{path} cannot be used: {error.strerror}.") from None
        raise SetupError(f"{path} cannot be written: {error.strerror or error}.") from None


def not_there(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Those of some files, by whatever they are called, that are not in a folder; what is in them is not looked at."""
    return {name: path for name, path in files.items() if not os.path.lexists(folder / path)}


class ClipPlace:
    """The folder that a clip goes to, and the names that it uses there. Use as a context manager.

    Args:
        folder: the base; a link here is the operator's own wish, and is followed.
        filename: below the base, with "/" between sub-folders. These are made, and links among them are refused.
        attempt: tells two downloads of the same file apart.
    """

    def __init__(self, folder: Path, filename: str, attempt: str) -> None:
        inner = PurePosixPath(filename)
        if not inner.name or inner.is_absolute() or ".." in inner.parts or "\0" in filename or "\\" in filename:
            raise OutputError(f"{filename!r} is no file name below the output folder.")
        self.path = folder.absolute() / inner
        self.name = inner.name
        # A digest stands for what would be too long, or no file name.
        name = _digest(inner.name, 32) if len(inner.name.encode()) > _NAME_CAP_BYTES else inner.name
        self.part = f".{name}.{attempt if _PLAIN.fullmatch(attempt) else _digest(attempt, 16)}.part"
        self.sidecar = self.part + ".json"
        with disk_errors(folder, shared=True):
            folder.mkdir(parents=True, exist_ok=True)
            base = os.open(folder, _FOLDER_FLAGS)
        with disk_errors(self.path):
            self._handle = _descend(base, inner.parts[:-1])

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the folder."""
        os.close(self._handle)

    def candidates(self) -> Iterator[str]:
        """The name, and the names to use when it is taken: `clip.mp4`, `clip-1.mp4`, `clip-2.mp4`, ..."""
        yield self.name
        stem, suffix = PurePosixPath(self.name).stem, PurePosixPath(self.name).suffix
        for number in range(1, 1000):
            yield f"{stem}-{number}{suffix}"

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a plain file here; anything else under that name is refused."""
        descriptor = os.open(name, flags | _FILE_FLAGS, 0o600, dir_fd=self._handle)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OutputError(f"{self.path.with_name(name)} is no plain file.")
        return descriptor

    def find(self, name: str) -> os.stat_result | None:
        """The entry under a name, or None; a link is not followed."""
        try:
            return os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def link(self, name: str, other: str) -> None:
        """Give a file a second name. Fails where the name is taken."""
        os.link(name, other, src_dir_fd=self._handle, dst_dir_fd=self._handle, follow_symlinks=False)

    def rename(self, name: str, other: str) -> None:
        """Move a file over another name."""
        os.rename(name, other, src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """Take a name away; none is needed to be there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)

    def sync(self) -> None:
        """Make the names in this folder last."""
        os.fsync(self._handle)


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _descend(handle: int, names: tuple[str, ...]) -> int:
    """Open sub-folder after sub-folder, each below the handle of the one before it. Missing ones are made to last."""
    for name in names:
        try:
            try:
                inner = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=handle)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handle)
                os.fsync(handle)
                inner = os.open(name, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=handle)
            except NotADirectoryError as error:
                # What Linux says of a link here; it is worth the clearer words.
                if stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
                raise
        finally:
            os.close(handle)
        handle = inner
    return handle
