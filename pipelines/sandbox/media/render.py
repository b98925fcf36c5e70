"""Real MP4 files, cheaply: a template is encoded once per size and length, and each job swaps in its own first frame.

Every frame after the first says "as before" (H.264 P-skip), so it is the same few bytes whatever the picture shows.
A job encodes one frame with the template's settings and is muxed with the template's other packets.
"""

from __future__ import annotations

import array
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from pipelines.sandbox.media.picture import Caption, Planes, planes_of, still_of
from pipelines.sandbox.media.pixels import FRAMES_PER_SECOND

MOST_FRAMES = 1_440  # a clip of more than a minute has fewer frames a second, so that none takes long to make
SAMPLE_RATE = 48_000
SAMPLES_A_FRAME = 1024  # of AAC
TONE_HERTZ = 220
TONE_PERIOD = 2_400  # samples after which the tone repeats itself: 11 waves
LOUDNESS = 0.03
NUMBERS = 16  # a frame that says "as before" differs from the next in its number only, and x264 counts them to so many
#: One slice, one key frame, nothing that looks ahead: so that the first frame stands alone and all others can follow it.
X264 = {
    "preset": "ultrafast",
    "x264-params": "keyint=infinite:scenecut=0:bframes=0:rc-lookahead=0:sync-lookahead=0:threads=1:sliced-threads=0"
    ":qp=26:mbtree=0:aq-mode=0:cabac=0:ref=1:weightp=0",
}


class _Piece(NamedTuple):
    """One packet of the template, without its container."""

    is_video: bool
    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    is_keyframe: bool
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class _Template:
    file: bytes
    source: av.container.InputContainer  # keeps the streams alive that new files are modelled on
    pieces: tuple[_Piece, ...]


_templates_are_made = Lock()  # two threads that want the same first template wait for one encoding


def clip(caption: Caption, seconds: float) -> bytes:
    """The MP4 file of one job: the same bytes for the same caption and length, whenever it is made."""
    with _templates_are_made:
        template = _template(caption.width, caption.height, seconds)
    encoder = _encoder(caption.width, caption.height)
    frame = _frame(planes_of(caption), caption.width, caption.height, FRAMES_PER_SECOND)
    stream = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    units = [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]  # as MP4 has it: each behind its length
    own = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        video = output.add_stream_from_template(template.source.streams.video[0])
        audio = output.add_stream_from_template(template.source.streams.audio[0])
        for piece in template.pieces:
            is_first = piece.is_video and piece.is_keyframe
            packet = av.Packet(own if is_first else piece.data)
            packet.pts, packet.dts, packet.duration = piece.pts, piece.dts, piece.duration
            packet.is_keyframe, packet.time_base = piece.is_keyframe, piece.time_base
            packet.stream = video if piece.is_video else audio
            output.mux(packet)
    return file.getvalue()


def blank_clip(width: int, height: int, seconds: float) -> bytes:
    """The template itself: a clip that shows nothing, at no cost."""
    with _templates_are_made:
        return _template(width, height, seconds).file


def still(caption: Caption, kind: str) -> bytes:
    """The picture of a job as a `webp` thumbnail or a `jpeg`."""
    file = io.BytesIO()
    picture = still_of(caption)
    picture.thumbnail((480, 480))
    picture.save(file, kind, quality=75)
    return file.getvalue()


def frame_rate(seconds: float) -> int:
    """Frames a second of a clip of this length."""
    return max(1, min(FRAMES_PER_SECOND, int(MOST_FRAMES / seconds)))


@cache
def _template(width: int, height: int, seconds: float) -> _Template:
    file, rate = io.BytesIO(), frame_rate(seconds)
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        video: Any = output.add_stream("libx264", rate=rate, options=X264)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.thread_count = 1
        audio: Any = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        audio.bit_rate = 32_000
        blank = (b"\x40" * (width * height), b"\x80" * (width * height // 4), b"\x80" * (width * height // 4))
        frame = _frame(blank, width, height, rate)
        encoded, frames = [], round(seconds * rate)
        for number in range(min(frames, 1 + NUMBERS)):
            frame.pts = number
            encoded += video.encode(frame)
        encoded += video.encode(None)
        for number in range(frames):
            packet = av.Packet(bytes(encoded[number if number == 0 else 1 + (number - 1) % NUMBERS]))
            packet.pts = packet.dts = number
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, rate), number == 0, video
            output.mux(packet)
        for sound in _tone(seconds):
            output.mux(audio.encode(sound))
        output.mux(audio.encode(None))
    source = av.open(io.BytesIO(file.getvalue()), "r")
    picture = source.streams.video[0]
    pieces = []
    for p in (packet for packet in source.demux() if packet.size):
        timing = (p.pts, p.dts, int(p.duration or 0), bool(p.is_keyframe), Fraction(p.time_base))
        pieces.append(_Piece(p.stream is picture, bytes(p), *timing))
    return _Template(file.getvalue(), source, tuple(pieces))


def _encoder(width: int, height: int) -> VideoCodecContext:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FRAMES_PER_SECOND), Fraction(1, FRAMES_PER_SECOND)
    encoder.options = X264
    encoder.thread_count = 1
    encoder.flags |= 0x400000  # global header: SPS and PPS live in the container, as in the template
    return encoder  # type: ignore[no-any-return]


def _frame(planes: Planes, width: int, height: int, rate: int) -> VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, data, across in zip(frame.planes, planes, (width, width // 2, width // 2), strict=True):
        if plane.line_size == across:
            plane.update(data)
        else:  # the encoder wants rows that begin at aligned addresses
            rows = (data[start : start + across] for start in range(0, len(data), across))
            plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
    frame.pts = 0
    frame.time_base = Fraction(1, rate)
    return frame


def _tone(seconds: float) -> Iterator[Any]:
    total = round(seconds * SAMPLE_RATE)
    step = 2 * math.pi * TONE_HERTZ / SAMPLE_RATE
    wave = array.array("f", (LOUDNESS * math.sin(step * i) for i in range(TONE_PERIOD + SAMPLES_A_FRAME)))
    for start in range(0, total, SAMPLES_A_FRAME):
        count = min(SAMPLES_A_FRAME, total - start)
        frame = av.AudioFrame("fltp", "mono", count)
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        at = start % TONE_PERIOD
        samples = wave[at : at + count]
        frame.planes[0].update(samples.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        yield frame
