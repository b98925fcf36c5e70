"""A file that was packed on its way, though nobody asked for it: unpacked piece by piece, so that no bomb fills the memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pipelines.core.errors import NotAVideo
from pipelines.outputs.media.mp4 import begins_like_mp4

_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 8
_EITHER, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS  # gzip or zlib; or deflate without any header, as some mean it
_GZIP = b"\x1f\x8b"


class Unpacking:
    """Unpacks a body that is said to be gzip or deflate; what is none of these, but an MP4 file, is passed on as it is."""

    def __init__(self) -> None:
        self._head = b""
        self._plain = False
        self._unpack: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        """Whether everything has come, as far as the packing tells."""
        return self._plain or (self._unpack is not None and self._unpack.eof)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What is in the next bytes, a mebibyte at most at a time.

        Raises:
            NotAVideo: it is not packed as it says.
        """
        if self._unpack is None and not self._plain:
            chunk = self._head = self._head + chunk
            if len(chunk) < _HEAD_BYTES:
                return
            self._plain = begins_like_mp4(chunk)
            self._unpack = None if self._plain else _opened(chunk)
        if self._unpack is None:
            yield chunk
            return
        try:
            while chunk:
                if self._unpack.eof:  # padding, or a further member
                    if not chunk.startswith(_GZIP):
                        return
                    self._unpack = zlib.decompressobj(_EITHER)
                if piece := self._unpack.decompress(chunk, _PIECE_BYTES):
                    yield piece
                chunk = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
        except zlib.error:
            raise NotAVideo("The file is not packed as its server says.") from None


def _opened(head: bytes) -> zlib._Decompress:
    """What unpacks a body that begins so."""
    try:
        zlib.decompressobj(_EITHER).decompress(head, 1)
    except zlib.error:
        return zlib.decompressobj(_BARE)
    return zlib.decompressobj(_EITHER)
