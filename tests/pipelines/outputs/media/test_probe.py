from __future__ import annotations

import io
import os
from contextlib import contextmanager, suppress

import av
import pytest

from pipelines.outputs.media import probe as probe_module
from pipelines.outputs.media.moov import Media, Unusual, read_index
from pipelines.outputs.media.probe import NotWhole, media_of, probe
from tests.pipelines.outputs.clips import make_clip, open_ended, turned


@contextmanager
def on_disk(tmp_path, data: bytes):
    path = tmp_path / "probed.mp4"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def measured(tmp_path, data: bytes) -> Media:
    with on_disk(tmp_path, data) as descriptor:
        return probe(descriptor, len(data))


def by_ffmpeg(data: bytes) -> Media:
    with av.open(io.BytesIO(data)) as container:
        return media_of(container)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"movflags": "faststart"},
        {"audio": False},
        {"width": 36, "height": 64, "frames": 25},
        {"frames": 1},
    ],
    ids=str,
)
def test_we_measure_what_ffmpeg_measures(tmp_path, options):
    """Our reading of the index agrees with FFmpeg's in every figure."""
    data = make_clip(**options)

    ours, theirs = measured(tmp_path, data), by_ffmpeg(data)

    assert ours == Media(pytest.approx(theirs.duration_s, abs=0.002), *list_of(theirs)[1:])


def list_of(media: Media) -> list[object]:
    return [getattr(media, name) for name in media.__slots__]


def test_a_quarter_turn_swaps_width_and_height(tmp_path, clip):
    """A picture that players turn is measured as it is seen, and FFmpeg agrees."""
    data = turned(clip)

    ours = measured(tmp_path, data)

    assert (ours.width, ours.height) == (36, 64)
    assert (ours.width, ours.height) == (by_ffmpeg(data).width, by_ffmpeg(data).height)


def test_an_unusual_index_is_left_to_ffmpeg(tmp_path, fragmented_clip):
    """A fragmented file is measured too."""
    media = measured(tmp_path, fragmented_clip)

    assert (media.width, media.height, media.has_audio) == (64, 36, True)
    assert media.duration_s == pytest.approx(0.5, abs=0.2)


def test_ffmpeg_is_not_asked_about_a_plain_clip(tmp_path, monkeypatch, clip, fast_clip):
    """The dear way is not taken where the cheap one will do."""
    monkeypatch.setattr(probe_module, "_ask_ffmpeg", lambda _: pytest.fail("asked"))

    assert measured(tmp_path, clip) == measured(tmp_path, fast_clip)


@pytest.mark.parametrize("layout", ["index last", "index first", "open ended"])
def test_d07_a_clip_cut_at_any_byte_is_never_accepted(tmp_path, clip, fast_clip, layout):
    """However a clip is cut, it is found out, also when its last box says "to the end of the file"."""
    data = {"index last": clip, "index first": fast_clip, "open ended": open_ended(fast_clip)}[layout]
    accepted = []

    with on_disk(tmp_path, data) as descriptor:
        assert probe(descriptor, len(data))
        for length in range(len(data) - 1, -1, -1):
            os.ftruncate(descriptor, length)
            try:
                probe(descriptor, length)
            except NotWhole:
                continue
            accepted.append(length)

    assert accepted == []


def test_a_file_without_a_picture_is_refused(tmp_path):
    """Sound alone is no video."""
    with pytest.raises(NotWhole, match="cannot be read"):
        measured(tmp_path, make_clip(picture=False))


@pytest.mark.parametrize("position", range(0, 600, 7))
def test_a_damaged_index_is_unusual_and_no_crash(clip, position):
    """Whatever stands in the index, reading it ends in an answer or in `Unusual`."""
    start = clip.index(b"moov") + 4
    moov = bytearray(clip[start : clip.index(b"udta") - 4])
    moov[position % len(moov)] ^= 0xFF
    with suppress(Unusual):
        read_index(bytes(moov))
