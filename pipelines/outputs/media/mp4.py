"""The boxes of an MP4 file: whether it is whole, and where its index is. Pure, nothing is decoded.

A file is whole when its top-level boxes end exactly where the file ends. That finds a cut download even when the
server never said how long the file is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: Bytes at an offset, at most so many; fewer only at the end. `os.pread` on a file, a slice on a memory.
Read = Callable[[int, int], bytes]

_HEADER = 8
_LONG_HEADER = 16
_TO_THE_END = 0  # as a size: this box goes on to the end of the file
_IS_LONG = 1  # as a size: the real one follows in 64 bits
_MOST_PADDING = 4096
_TOP_LEVEL = frozenset(
    {*(b"moof", b"mdat", b"moov", b"free", b"skip", b"udta", b"uuid", b"mfra"), *(b"sidx", b"styp", b"meta", b"emsg")}
)
_MOST_BOXES = 100_000  # an hour in fragments of a tenth of a second


class NotWhole(ValueError):
    """The file is cut, or is no MP4 file. The message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box, by its offsets in the file."""

    kind: bytes
    start: int
    body: int  # behind the header
    end: int


def begins_like_mp4(head: bytes) -> bool:
    """Tell whether eight bytes begin an MP4 file. Cheap enough to ask before the rest is downloaded."""
    return head[4:8] == b"ftyp"


def boxes(read: Read, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets, one after the other.

    Raises:
        NotWhole: a box does not fit, or the last one does not end at `end`.
    """
    count = 0
    while start < end:
        head = read(start, min(_LONG_HEADER, end - start))
        if len(head) < _HEADER:
            raise NotWhole(f"it ends within a box header at byte {start}")
        size, kind, body = int.from_bytes(head[:4]), head[4:8], start + _HEADER
        if size == _IS_LONG:
            if len(head) < _LONG_HEADER:
                raise NotWhole(f"it ends within a box header at byte {start}")
            size, body = int.from_bytes(head[8:16]), start + _LONG_HEADER
        elif size == _TO_THE_END:
            size = end - start
        if start + size < body:
            raise NotWhole(f"the box at byte {start} is shorter than its own header")
        if start + size > end:
            raise NotWhole(f"{start + size - end} bytes are missing at its end")
        count += 1
        if count > _MOST_BOXES:
            raise NotWhole("it is made of too many boxes")
        yield Box(kind, start, body, start + size)
        start += size


def whole(read: Read, length: int, *, padded: bool = False) -> tuple[Box, ...]:
    """The top-level boxes of a whole MP4 file.

    Args:
        read: gives bytes of the file.
        length: of the file.
        padded: the length is known to be right, so that a few bytes behind the last box may be padding.

    Raises:
        NotWhole: the file is cut, or is no MP4 file.
    """
    if not length:
        raise NotWhole("it is empty")
    if not begins_like_mp4(read(0, _HEADER)):
        raise NotWhole("it does not begin like an MP4 file")
    found: list[Box] = []
    try:
        found.extend(boxes(read, 0, length))
    except NotWhole:
        end = found[-1].end if found else 0
        if not (padded and {b"moov", b"mdat"} <= {box.kind for box in found} and _is_padding(read, end, length)):
            raise
    kinds = {box.kind for box in found}
    for kind, name in ((b"moov", "index (moov)"), (b"mdat", "media data (mdat)")):
        if kind not in kinds:
            raise NotWhole(f"it has no {name}")
    return tuple(found)


def _is_padding(read: Read, start: int, end: int) -> bool:
    """Tell whether the bytes behind the last whole box are few, and no box of a kind that could have been cut."""
    return end - start <= _MOST_PADDING and read(start, _HEADER)[4:] not in _TOP_LEVEL
