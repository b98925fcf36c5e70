"""The last step home: a finished part file gets its name, lastingly, and never over another file.

Order: sync the file, link, receipt, unlink, sync the folder. A kill between any two of them is found by `find_published`.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace

from pipelines.core.errors import DiskFull, DownloadInterrupted, OutputError
from pipelines.core.failpoints import failpoint
from pipelines.outputs.download.part import Part, read_sidecar, write_sidecar
from pipelines.outputs.download.sidecar import Sidecar
from pipelines.outputs.storage.local_disk import ClipPlace

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})


def publish(part: Part, sidecar: Sidecar) -> str:
    """Give the finished file its name, and say which one it got.

    A name that is taken by the same content is adopted; one taken by other content is left alone, and the clip is
    published as `clip-1.mp4` and so on.

    Raises:
        DownloadInterrupted: the disk could not keep the file; it is gone and must be downloaded again.
        DiskFull: as above, for want of space.
    """
    place = part.place
    failpoint("publish.begin")
    try:
        os.fsync(part.descriptor)
    except OSError as error:  # the system may have thrown the pages away, and will not say so again: the file is lost
        part.discard()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from None
        raise DownloadInterrupted(
            f"The disk could not keep {place.path} ({error.strerror}). It will be downloaded again."
        ) from None
    failpoint("publish.synced")
    os.fchmod(part.descriptor, 0o644)
    name = _claim(part)
    failpoint("publish.named")
    write_sidecar(place, replace(sidecar, name=name, sha256=part.digest()))
    failpoint("publish.receipt")
    place.remove(place.part)
    place.sync()
    failpoint("publish.done")
    return name


def find_published(place: ClipPlace) -> tuple[str, str | None] | None:
    """Find what an earlier run published before it was killed: its name, and the digest that its receipt says."""
    earlier = read_sidecar(place)
    if earlier and earlier.name and earlier.sha256 and place.find(earlier.name):
        place.remove(place.part)
        return earlier.name, earlier.sha256
    part = place.find(place.part)
    if part is None or part.st_nlink == 1:
        return None
    for name in place.candidates():
        found = place.find(name)
        if found is None:
            return None
        if (found.st_ino, found.st_dev) == (part.st_ino, part.st_dev):
            place.remove(place.part)
            place.sync()
            return name, None
    return None


def file_digest(descriptor: int) -> str:
    """SHA-256 of an open file, in hexadecimal digits."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _claim(part: Part) -> str:
    for name in part.place.candidates():
        try:
            _name(part.place, name)
        except FileExistsError:
            if _same_content(part, name):
                return name
        else:
            return name
    raise OutputError(f"{part.place.path} and all its substitutes are taken by other files.")


def _name(place: ClipPlace, name: str) -> None:
    """Name the part file without replacing anything."""
    try:
        place.link(place.part, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here: claim the name with an empty file, which fails where it is taken, and replace only that.
        os.close(place.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            place.rename(place.part, name)
        except BaseException:
            place.remove(name)
            raise


def _same_content(part: Part, name: str) -> bool:
    """Tell whether the file that has the name already is this very clip, and can be kept in its place."""
    try:
        descriptor = part.place.open(name, os.O_RDONLY)
    except (OSError, OutputError):
        return False
    try:
        same = os.fstat(descriptor).st_size == part.size and file_digest(descriptor) == part.digest()
        if same:
            os.fsync(descriptor)
        return same
    finally:
        os.close(descriptor)
