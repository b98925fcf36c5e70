"""One clip comes home: downloaded or resumed, checked, measured, and published under its name.

One call is one try. Whatever may pass is raised as such, and the part file stays, so that the next call goes on.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pipelines.core.errors import DownloadInterrupted, NotAVideo
from pipelines.core.failpoints import failpoint
from pipelines.net.addresses import Origin
from pipelines.net.http import Http, Incoming
from pipelines.outputs.download.part import Part, read_sidecar, write_sidecar
from pipelines.outputs.download.publish import file_digest, find_published, publish
from pipelines.outputs.download.reply import Next, Reply, understand
from pipelines.outputs.download.sidecar import Sidecar, link_digest
from pipelines.outputs.download.unpacking import Unpacking
from pipelines.outputs.media.mp4 import begins_like_mp4
from pipelines.outputs.media.probe import Media, NotWhole, probe
from pipelines.outputs.storage.local_disk import ClipPlace, disk_errors

_T = TypeVar("_T")

_BLOCK_BYTES = 1 << 20  # a clip below this takes one hop to a thread, for everything that blocks
_HEAD_BYTES = 8
_KEPT = re.compile(r"\.([A-Za-z0-9_-]+)\.part(\.json)?$")


@dataclass(frozen=True, slots=True)
class ClipSource:
    """The link to a clip, and what is needed to open it."""

    url: str = field(repr=False)  # signed: a secret
    key_header: Mapping[str, str] | None = field(default=None, repr=False)  # only for files served by the API itself
    expires_at: datetime | None = None
    trusted: frozenset[Origin] = frozenset()  # the API's own, if the operator set its address: it may be private
    data: bytes | None = field(default=None, repr=False)  # the clip itself, where an answer held it: nothing is fetched


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Limits at which a download is given up. What has come stays, and the next call goes on from there."""

    most_bytes: int = 2 << 30
    slow_bytes_per_s: int = 10_000
    slow_window_s: float = 60
    deadline_s: float = 1800


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip at home."""

    path: Path  # absolute; not always the name that was asked for: another file may have had it
    bytes: int
    sha256: str
    media: Media
    source_host: str
    resumed: bool  # some or all bytes were here already


_DEFAULT_LIMITS = DownloadLimits()


async def bring_home(
    http: Http,
    source: ClipSource,
    *,
    folder: Path,
    filename: str,
    attempt: str,
    limits: DownloadLimits = _DEFAULT_LIMITS,
) -> Clip:
    """Bring one clip home. Call `settle` once the result is recorded.

    Args:
        http: the connections of the run.
        source: the link.
        folder: the base of `filename`. It is made if need be.
        filename: with "/" between sub-folders.
        attempt: a part file is only resumed by the same attempt.
        limits: when to give up.

    Raises:
        LinkExpired: ask the provider for a fresh link.
        DownloadInterrupted: call again.
        NotAVideo: something came that is no whole MP4 file; it was thrown away.
        AddressRefused: the link leads where reelbatch does not go.
        ClipRefused: it is in an encoding that nobody here reads, or too large for this disk, where others may fit.
        DiskFull: stop downloading, and submitting as well.
        SetupError: the folder cannot be written.
        OutputError: the server refuses for good, or a link or a foreign object stands in the way.
    """
    with ClipPlace(folder, filename, attempt) as place, disk_errors(place.path):
        if published := find_published(place):
            clip = await _in_thread(lambda: _readopt(place, *published, source))
            if clip:
                return clip
        with Part.open(place) as part:
            sidecar = read_sidecar(place)
            resumed = sidecar is not None and sidecar.resumes(source.url, part.size)
            if sidecar is None or not resumed:
                sidecar = Sidecar(link_digest(source.url))
                part.reset()
            elif part.size > _BLOCK_BYTES:
                await _in_thread(part.digest_what_is_there)
            else:
                part.digest_what_is_there()
            host = _host(source.url)
            if part.size != sidecar.total and source.data is not None:
                sidecar, resumed = _laid_down(source.data, part, sidecar), False
            elif part.size != sidecar.total:
                sidecar, host, resumed = await _download(http, source, part, sidecar, limits)
            return await _in_thread(lambda: _finish(part, sidecar, host, resumed=resumed))


def settle(folder: Path, filename: str, attempt: str) -> None:
    """Take away what `bring_home` keeps for a restart: call it once the clip is recorded, or given up for good."""
    with ClipPlace(folder, filename, attempt) as place, suppress(OSError):
        place.remove(place.sidecar)
        place.remove(place.part)


def unsettled(folder: Path) -> dict[str, list[Path]]:
    """Find what is kept for a restart in a folder of clips: part files and what is remembered of them, by attempt."""
    found: dict[str, list[Path]] = {}
    for path in folder.rglob(".*.part*"):
        if match := _KEPT.search(path.name):
            found.setdefault(match[1], []).append(path)
    return found


async def _download(
    http: Http, source: ClipSource, part: Part, sidecar: Sidecar, limits: DownloadLimits
) -> tuple[Sidecar, str, bool]:
    """Fill the part file. Gives what is known of the file, who served it, and whether it was continued."""
    try:
        async with asyncio.timeout(limits.deadline_s):
            for _ in range(2):
                headers = {"range": f"bytes={part.size}-", "if-range": sidecar.etag or ""} if part.size else {}
                async with http.fetch(
                    source.url, headers=headers, key_header=source.key_header, trusted=source.trusted
                ) as incoming:
                    reply = understand(
                        incoming.status,
                        incoming.headers,
                        have=part.size,
                        earlier=sidecar,
                        cap=limits.most_bytes,
                        server=incoming.origin.host,
                    )
                    if reply.next is not Next.CONTINUE:
                        part.reset()
                    if reply.next is not Next.ASK_AGAIN:
                        sidecar = Sidecar(sidecar.link, reply.etag, reply.total)
                        await _receive(incoming, part, sidecar, reply, limits)
                        if reply.packed:  # its end was seen, which is as good as a promised length
                            sidecar = replace(sidecar, total=part.size)
                        return sidecar, incoming.origin.host, reply.next is Next.CONTINUE
    except TimeoutError:
        raise DownloadInterrupted(f"The download took longer than {limits.deadline_s:.0f} s.") from None
    raise DownloadInterrupted(f"{_host(source.url)} sends parts where the whole file was asked for.")


def _laid_down(data: bytes, part: Part, sidecar: Sidecar) -> Sidecar:
    """Put a clip that is here already into the part file; it is written when it is finished."""
    part.reset()
    part.remember(replace(sidecar, total=len(data)), len(data))
    part.take(data)
    return replace(sidecar, total=len(data))


async def _receive(incoming: Incoming, part: Part, sidecar: Sidecar, reply: Reply, limits: DownloadLimits) -> None:
    """Stream the body into the part file. What has come is written even when it breaks off."""
    failpoint("download.answered")
    part.remember(sidecar, (reply.total or part.size) - part.size)
    watch = _Watch(limits, reply.total, incoming.origin.host, part.size)
    unpacking = Unpacking() if reply.packed else None
    try:
        async for chunk in incoming.chunks:
            for piece in (chunk,) if unpacking is None else unpacking.pieces(chunk):
                part.take(piece)
                watch.look(part)
                if len(part.buffer) >= _BLOCK_BYTES:
                    await _in_thread(part.flush)
        if unpacking is not None and not unpacking.whole:
            raise DownloadInterrupted(f"{incoming.origin.host} broke off before the end of the file.")  # noqa: TRY301 - as others
    except NotAVideo:
        part.discard()
        raise
    except BaseException:
        # The first error is the one to tell; a disk that takes no more says so again at the next try.
        with suppress(OSError):
            part.flush()
        raise


class _Watch:
    """Looks at a body on its way in, and stops one that is too slow, too long or no video."""

    def __init__(self, limits: DownloadLimits, total: int | None, host: str, have: int) -> None:
        self._limits, self._host = limits, host
        self._most = limits.most_bytes if total is None else total
        self._clock = asyncio.get_running_loop().time
        self._mark, self._counted = self._clock(), have
        self._head_seen = have > 0

    def look(self, part: Part) -> None:
        """Judge what has come so far."""
        if part.size > self._most:
            raise NotAVideo(f"{self._host} sends more than the {self._most:,} bytes that were to be expected.")
        if not self._head_seen and part.size >= _HEAD_BYTES:
            self._head_seen = True
            if not begins_like_mp4(bytes(part.buffer[:_HEAD_BYTES])):
                raise NotAVideo(f"{self._host} sent a file that does not begin like an MP4 file.")
        if self._clock() - self._mark >= self._limits.slow_window_s:
            if part.size - self._counted < self._limits.slow_bytes_per_s * self._limits.slow_window_s:
                raise DownloadInterrupted(f"{self._host} sends too slowly.")
            self._mark, self._counted = self._clock(), part.size


def _finish(part: Part, sidecar: Sidecar, host: str, *, resumed: bool) -> Clip:
    """Everything that blocks, in one go: write the rest, check, measure, sync, publish."""
    part.flush(last=sidecar.total in (None, part.size))
    if sidecar.total is not None and part.size != sidecar.total:
        raise DownloadInterrupted(f"{part.size:,} of {sidecar.total:,} bytes came from {host}.")
    try:
        media = probe(part.descriptor, part.size, padded=sidecar.total is not None)
    except NotWhole as error:
        part.discard()
        message = f"What came from {host} is no whole MP4 file: {error}."
        # Without a promised length a broken line looks like the end of the file.
        raise (DownloadInterrupted(message) if sidecar.total is None else NotAVideo(message)) from None
    name = publish(part, sidecar)
    return Clip(part.place.path.with_name(name), part.size, part.digest(), media, host, resumed)


def _readopt(place: ClipPlace, name: str, sha256: str | None, source: ClipSource) -> Clip | None:
    """Check what an earlier run published as if it had just come; None where it is not, or no longer, the clip."""
    descriptor = place.open(name, os.O_RDONLY)
    try:
        length, found = os.fstat(descriptor).st_size, file_digest(descriptor)
        media = probe(descriptor, length, padded=True)  # as it was when it was published
    except NotWhole:
        return None
    finally:
        os.close(descriptor)
    if sha256 is None:
        write_sidecar(place, Sidecar(link_digest(source.url), name=name, sha256=found))
    elif sha256 != found:
        return None
    return Clip(place.path.with_name(name), length, found, media, _host(source.url), resumed=True)


def _host(url: str) -> str:
    try:
        return Origin.of(url).host
    except ValueError:
        return ""


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Run in a thread that is waited for in any case: one that went on would write to a closed descriptor."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
