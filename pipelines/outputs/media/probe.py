"""Measure a file on disk: whole or not, how long, how large, with sound or without."""

from __future__ import annotations

import os
from typing import Any

from pipelines.outputs.media.moov import Media, Unusual, read_index
from pipelines.outputs.media.mp4 import NotWhole, whole

__all__ = ["Media", "NotWhole", "probe"]

_INDEX_CAP_BYTES = 32 << 20  # the index of a clip is some kilobytes; beyond this FFmpeg may read it
_QUARTER_TURNS = (90, 270)


def probe(descriptor: int, length: int, *, padded: bool = False) -> Media:
    """Measure a file. Blocks for a fraction of a millisecond, or some ten where FFmpeg is needed.

    Args:
        descriptor: of the file, open for reading.
        length: of the file.
        padded: it is as long as its server said, so that some bytes behind its last box are no sign of a cut.

    Raises:
        NotWhole: the file is cut, is no MP4 file, or has no picture.
    """
    found = whole(lambda offset, count: os.pread(descriptor, count, offset), length, padded=padded)
    box = next(box for box in found if box.kind == b"moov")
    try:
        if box.end - box.body > _INDEX_CAP_BYTES:
            raise Unusual("its index is very large")  # noqa: TRY301 - one more reason of several
        index = read_index(os.pread(descriptor, box.end - box.body, box.body))
    except Unusual:
        return _ask_ffmpeg(descriptor)
    if index.reach > length:
        raise NotWhole(f"{index.reach - length} bytes are missing at its end")
    return index.media


def _ask_ffmpeg(descriptor: int) -> Media:
    import av  # noqa: PLC0415 - 0.1 s of loading that nearly no run needs
    from av.error import FFmpegError  # noqa: PLC0415 - as above

    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            with av.open(file) as container:
                return media_of(container)
    except (FFmpegError, IndexError, StopIteration) as error:
        raise NotWhole(f"it cannot be read ({type(error).__name__})") from None


def media_of(container: Any) -> Media:
    """Measure what FFmpeg has opened. It decodes one frame: only there is said how the picture is turned."""
    picture = container.streams.video[0]
    width, height, rate = picture.width, picture.height, picture.average_rate
    has_audio = bool(container.streams.audio)
    if next(container.decode(picture)).rotation % 360 in _QUARTER_TURNS:
        width, height = height, width
    return Media(
        duration_s=round((container.duration or 0) / 1_000_000, 3),
        width=width,
        height=height,
        fps=round(float(rate), 3) if rate else None,
        has_audio=has_audio,
    )
