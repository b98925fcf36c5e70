"""The thumbnails of an output folder. Made after the clips, at leisure; a missing one harms nothing."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.outputs.media.thumbnail import make_thumbnail

FOLDER = "thumbs"
_AT_ONCE = 2  # decoding takes whole cores: enough to go on beside the downloads
# Lower case only: on some file systems `A.jpg` and `a.jpg` are one file.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


def thumbnail_name(job_id: str) -> str:
    """The file name of a job's thumbnail. An id that is no safe file name gets a slug and a digest."""
    if _PLAIN.fullmatch(job_id):
        return f"{job_id}.jpg"
    slug = _NOT_PLAIN.sub("-", job_id.lower()).strip("-")[:40]
    digest = hashlib.sha256(job_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{slug}.{digest}.jpg".lstrip(".")


def thumbnail_of(folder: Path, job_id: str, path: str) -> bytes | None:
    """The thumbnail of a clip, made if it is missing; None where there is none to be had. Blocks some 10 ms.

    Args:
        folder: the output folder.
        job_id: whose clip it is.
        path: of the clip, below the folder.
    """
    thumbnail = folder / FOLDER / thumbnail_name(job_id)
    return None if _refresh(folder / path, thumbnail) else thumbnail.read_bytes()


def _refresh(video: Path, thumbnail: Path) -> str | None:
    """Make a thumbnail that is missing or older than its clip. Says why it could not, or None."""
    try:
        made = video.stat().st_mtime_ns
        if thumbnail.is_file() and not thumbnail.is_symlink() and thumbnail.stat().st_mtime_ns >= made:
            return None
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror}"
    return make_thumbnail(video, thumbnail)


async def write_thumbnails(folder: Path, clips: Mapping[str, str]) -> dict[str, str]:
    """Make the thumbnails that are missing, or older than their clip, in threads.

    Args:
        folder: the output folder.
        clips: by job id, the path of each clip, below the folder.

    Returns:
        By job id, why a thumbnail could not be made.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look_after(job_id: str, path: str) -> tuple[str, str | None]:
        async with gate:
            return job_id, await asyncio.to_thread(_refresh, folder / path, folder / FOLDER / thumbnail_name(job_id))

    found = await asyncio.gather(*(look_after(job_id, path) for job_id, path in clips.items()))
    return {job_id: reason for job_id, reason in found if reason}
