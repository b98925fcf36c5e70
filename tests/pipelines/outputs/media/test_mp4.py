from __future__ import annotations

import pytest

from pipelines.outputs.media.mp4 import NotWhole, boxes, whole


def box(kind: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4) + kind + body


def long_box(kind: bytes, body: bytes = b"") -> bytes:
    return (1).to_bytes(4) + kind + (16 + len(body)).to_bytes(8) + body


def check(data: bytes, *, padded: bool = False):
    return [
        found.kind for found in whole(lambda offset, count: data[offset : offset + count], len(data), padded=padded)
    ]


SOUND = box(b"ftyp", b"isom") + box(b"moov", b"x" * 9) + box(b"mdat", b"y" * 9)


def test_boxes_that_fit_are_whole():
    """The boxes of a whole file are given in their order."""
    assert check(SOUND) == [b"ftyp", b"moov", b"mdat"]


def test_64_bit_sizes_are_read():
    """A box with a 64-bit size is as good as any."""
    assert check(box(b"ftyp") + box(b"moov") + long_box(b"mdat", b"yy"))[-1] == b"mdat"


def test_size_zero_goes_to_the_end():
    """A size of zero means the rest of the file."""
    assert check(box(b"ftyp") + box(b"moov") + bytes(4) + b"mdat" + b"y" * 50)[-1] == b"mdat"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"<html>not found</html>", "it does not begin like an MP4 file"),
        (box(b"moov") + box(b"ftyp") + box(b"mdat"), "it does not begin like an MP4 file"),
        (box(b"ftyp") + box(b"mdat"), "it has no index (moov)"),
        (box(b"ftyp") + box(b"moov"), "it has no media data (mdat)"),
        (SOUND[:-1], "1 bytes are missing at its end"),
        (SOUND + b"\0\0\0", "it ends within a box header at byte 46"),
        (SOUND + b"\0\0\0\1free", "it ends within a box header at byte 46"),
        (SOUND + b"\0\0\0\3free", "the box at byte 46 is shorter than its own header"),
        (SOUND + b"\0\0\0\1free" + bytes(8), "the box at byte 46 is shorter than its own header"),
    ],
)
def test_d06_d07_what_is_not_whole_says_why(data, reason):
    """Every way not to be a whole MP4 file has its own words."""
    with pytest.raises(NotWhole) as caught:
        check(data)

    assert reason == str(caught.value)


def test_a_million_tiny_boxes_are_refused():
    """A file cannot keep us busy by being all headers."""
    data = box(b"free") * 100_001
    with pytest.raises(NotWhole, match="too many"):
        list(boxes(lambda offset, count: data[offset : offset + count], 0, len(data)))


@pytest.mark.parametrize(
    "tail", [b"\0", b"\n", b"\r\n", b"\0" * 7, b"\0\0\0\1\0\0\0\0", b"\r\n--boundary--\r\n", b"\xff" * 4096]
)
def test_a_paid_clip_lost_to_bytes_behind_its_last_box(tail):
    """A few bytes of padding are none of the file's, where its length is known to be right."""
    assert check(SOUND + tail, padded=True) == [b"ftyp", b"moov", b"mdat"]
    with pytest.raises(NotWhole):
        check(SOUND + tail)


@pytest.mark.parametrize(
    "data",
    [
        SOUND + b"\0\1\0\0moof....",
        SOUND[:-1],
        SOUND + b"\xff" * 4097,
        box(b"ftyp") + box(b"moov") + b"\xff",
        b"\xff" * 9,
    ],
)
def test_what_is_cut_is_no_padding(data):
    """A box that is cut, too much behind the last one, or a part that is missing: not whole, whatever the length."""
    with pytest.raises(NotWhole):
        check(data, padded=True)
