"""Small clips, and how to spoil them."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def make_clip(
    *,
    width: int = 64,
    height: int = 36,
    frames: int = 6,
    picture: bool = True,
    audio: bool = True,
    movflags: str = "",
    shade: int = 40,
) -> bytes:
    """An MP4 of H.264 and AAC at 12 frames a second."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        with av.open(file.name, "w", options={"movflags": movflags} if movflags else {}) as container:
            images = _images(container, width, height) if picture else None
            sound = container.add_stream("aac", rate=8000, layout="mono") if audio else None
            if images is not None:
                for number in range(frames):
                    frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), shade, np.uint8), format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 12)
                    container.mux(images.encode(frame))
                container.mux(images.encode(None))
            if sound is not None:
                _add_silence(container, sound, seconds=frames / 12)
        return Path(file.name).read_bytes()


def _images(container, width: int, height: int):
    stream = container.add_stream("libx264", rate=12)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    return stream


def _add_silence(container, stream, *, seconds: float) -> None:
    for start in range(0, int(8000 * seconds), 1024):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 8000, start, Fraction(1, 8000)
        container.mux(stream.encode(silence))
    container.mux(stream.encode(None))


def boxes_of(data: bytes | bytearray) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the top-level boxes of a sound file with short headers."""
    start = 0
    while start < len(data):
        (size,) = struct.unpack_from(">I", data, start)
        yield bytes(data[start + 4 : start + 8]), start, start + size
        start += size


def open_ended(clip: bytes) -> bytes:
    """The same file, with media data last that says "to the end of the file" instead of its size."""
    data = bytearray(clip)
    kind, start, _ = list(boxes_of(data))[-1]
    assert kind == b"mdat"
    data[start : start + 4] = bytes(4)
    return bytes(data)


def turned(clip: bytes) -> bytes:
    """The same file, with a quarter turn in the header of its picture track."""
    data = bytearray(clip)
    body = data.index(b"tkhd") + 4
    struct.pack_into(">9i", data, body + 40, 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return bytes(data)
