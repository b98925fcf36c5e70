"""The unfinished file: bytes go in, their digest comes out, and what is there survives a kill."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from types import TracebackType
from typing import Self

from pipelines.core.errors import ClipRefused, DiskFull, DownloadInterrupted
from pipelines.core.failpoints import failpoint
from pipelines.outputs.download.sidecar import Sidecar
from pipelines.outputs.storage.local_disk import ClipPlace

_SIDECAR_CAP_BYTES = 4096
_READ_BYTES = 1 << 20
_USUAL_BYTES = 256 << 20  # whoever announces more may mean it or not: that is no reason to stop every other clip


class Part:
    """A part file, open and locked. Use as a context manager.

    Bytes are collected in `buffer`, and counted in `size`, before `flush` writes and digests them.
    """

    def __init__(self, place: ClipPlace, descriptor: int) -> None:
        self.place = place
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.buffer = bytearray()
        self._digest = hashlib.sha256()
        self._unsaved: Sidecar | None = None

    @classmethod
    def open(cls, place: ClipPlace) -> Self:
        """Open the part file of an earlier run, or a new one.

        Raises:
            DownloadInterrupted: somebody else is writing to it at this moment.
        """
        while True:
            descriptor = place.open(place.part, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise DownloadInterrupted(f"{place.path} is being downloaded by someone else.") from None
            links = os.fstat(descriptor).st_nlink
            if links == 1:
                return cls(place, descriptor)
            # Published (two names) or removed (none) by whoever held the lock: writing here could spoil a clip.
            os.close(descriptor)
            if links:
                place.remove(place.part)

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the file; it stays where it is."""
        os.close(self.descriptor)

    def reset(self) -> None:
        """Start again from nothing."""
        self.buffer.clear()
        self._digest = hashlib.sha256()
        if self.size:
            os.ftruncate(self.descriptor, 0)
            self.size = 0

    def digest_what_is_there(self) -> None:
        """Read the bytes of an earlier run into the digest: the disk is trusted, a remembered digest is not."""
        offset = 0
        while offset < self.size and (block := os.pread(self.descriptor, _READ_BYTES, offset)):
            self._digest.update(block)
            offset += len(block)

    def remember(self, sidecar: Sidecar, still_to_come: int) -> None:
        """Keep what is needed to resume. It is written with the first bytes: a small clip never needs it.

        Raises:
            ClipRefused: the disk has no room for the rest of a file that is far larger than clips usually are.
            DiskFull: it has none for a usual clip.
        """
        self._unsaved = sidecar
        disk = os.fstatvfs(self.descriptor)
        free = disk.f_bavail * disk.f_frsize
        if still_to_come > free:
            words = (
                f"{self.place.path.name} needs {still_to_come:,} bytes of space and {free:,} are free at "
                f"{self.place.path.parent}. Free some and run the same command again: what was paid for is remembered."
            )
            raise ClipRefused(words, "no_room") if still_to_come > _USUAL_BYTES else DiskFull(words)

    def take(self, chunk: bytes) -> None:
        """Add bytes."""
        self.buffer += chunk
        self.size += len(chunk)

    def flush(self, *, last: bool = False) -> None:
        """Write and digest what has been collected.

        Args:
            last: nothing is left to resume, so that no sidecar is needed for it.
        """
        if self._unsaved and not last:
            write_sidecar(self.place, self._unsaved)
            failpoint("download.sidecar")
        self._unsaved = None
        offset, written = self.size - len(self.buffer), 0
        with memoryview(self.buffer) as view:
            self._digest.update(view)
            while written < len(view):
                written += os.pwrite(self.descriptor, view[written:], offset + written)
        self.buffer.clear()
        failpoint("download.part")

    def digest(self) -> str:
        """SHA-256 of everything that was flushed, in hexadecimal digits."""
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Take the file and its sidecar away."""
        with suppress(OSError):
            self.place.remove(self.place.part)
            self.place.remove(self.place.sidecar)


def read_sidecar(place: ClipPlace) -> Sidecar | None:
    """The sidecar of an earlier run, if there is a sound one."""
    try:
        descriptor = place.open(place.sidecar, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return Sidecar.from_bytes(os.read(descriptor, _SIDECAR_CAP_BYTES))
    finally:
        os.close(descriptor)


def write_sidecar(place: ClipPlace, sidecar: Sidecar) -> None:
    """Write it in one go, without a sync: one that is lost or torn costs a download, which is free."""
    descriptor = place.open(place.sidecar, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(descriptor, sidecar.to_bytes())
    finally:
        os.close(descriptor)
