"""Decide what to do with a server's answer to a download. Pure: status and headers in, a decision out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pipelines.core.errors import ClipRefused, DownloadInterrupted, LinkExpired, NotAVideo, OutputError
from pipelines.core.text.printable import printable
from pipelines.net.headers import server_time
from pipelines.outputs.download.sidecar import Sidecar

_OK, _PARTIAL, _NOT_SATISFIABLE, _SERVER_ERRORS = 200, 206, 416, 500
_GONE = frozenset({401, 403, 404, 410})
_PASSING = frozenset({408, 425, 429})
_PAGES = re.compile(r"text/html|(application|text)/(\w[\w.-]*\+)?(json|xml)|application/xhtml\+xml")
_AS_IT_IS = frozenset({"", "identity", "aws-chunked"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_STRONG = re.compile(r'".+"', re.DOTALL)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Next(Enum):
    """The next step after an answer."""

    FROM_START = auto()  #: the body is the file from its first byte
    CONTINUE = auto()  #: the body goes on where the part file ends
    ASK_AGAIN = auto()  #: the part cannot be continued: ask for the whole file


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer, understood."""

    next: Next
    total: int | None = None  # bytes of the whole file, as far as the server says
    etag: str | None = None  # only a strong one
    packed: bool = False  # the body is to be unpacked, and its length says nothing of the file's


def understand(
    status: int, headers: Mapping[str, str], *, have: int, earlier: Sidecar | None, cap: int, server: str
) -> Reply:
    """Decide about an answer.

    Args:
        status: the HTTP status.
        headers: names in lower case.
        have: bytes that the request asked to continue from; 0 asked for everything.
        earlier: what is remembered of the part file; given whenever `have` is not 0.
        cap: most bytes of a file.
        server: for messages.

    Raises:
        LinkExpired: the link no longer leads to the file.
        DownloadInterrupted: it may work later.
        NotAVideo: a page, or a picture.
        ClipRefused: an encoding that nobody here reads.
        OutputError: any other refusal, and a file beyond the cap.
    """
    if status == _NOT_SATISFIABLE and have:
        return Reply(Next.ASK_AGAIN)  # a complete part is not asked about, so the file must have become shorter
    refuse_unless_video(status, headers, server)
    packed = is_packed(headers, server)
    etag = headers.get("etag", "")
    strong = etag if _STRONG.fullmatch(etag) else None
    if status == _OK:
        length = headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else None
        reply = Reply(Next.FROM_START, announced, strong)
    else:
        # Only the right bytes of the very same file may be appended; anything else would be a silent mixture.
        found = _RANGE.fullmatch(headers.get("content-range", ""))
        if not found or packed or earlier is None or (int(found[1]), int(found[2])) != (have, earlier.total):
            return Reply(Next.ASK_AGAIN)
        if strong not in (None, earlier.etag):
            return Reply(Next.ASK_AGAIN)
        reply = Reply(Next.CONTINUE, earlier.total, earlier.etag)
    if reply.total is not None and reply.total > cap:
        raise OutputError(f"{server} sends {reply.total:,} bytes; no more than {cap:,} are taken for one clip.")
    return Reply(reply.next, packed=True) if packed else reply


def is_packed(headers: Mapping[str, str], server: str) -> bool:
    """Tell whether a body has to be unpacked. Nobody is asked to pack, but some stores do.

    `aws-chunked` is what S3 calls a way of sending a file to it; what was stored like that comes back as it is.

    Raises:
        ClipRefused: an encoding that nobody here reads.
    """
    names = (name.strip() for name in headers.get("content-encoding", "").lower().split(","))
    encodings = [name for name in names if name not in _AS_IT_IS]
    if len(encodings) > 1 or not set(encodings) <= _PACKED:
        said = printable(", ".join(encodings), 40)
        raise ClipRefused(f"{server} sends the file in {said} encoding, which was not asked for.", "encoding")
    return bool(encodings)


def refuse_unless_video(status: int, headers: Mapping[str, str], server: str) -> None:
    """Raise unless a video may be what comes; see `understand`.

    Raises:
        LinkExpired: the link no longer leads to the file.
        DownloadInterrupted: it may work later.
        NotAVideo: a page, or a picture.
        OutputError: any other refusal.
    """
    kind = headers.get("content-type", "").split(";", 1)[0].strip().lower()
    is_page = _PAGES.fullmatch(kind) is not None
    if status not in (_OK, _PARTIAL):
        if status >= _SERVER_ERRORS or status in _PASSING:
            raise DownloadInterrupted(f"{server} answered {status}.")
        if status in _GONE or (status > _PARTIAL and is_page):
            said_at = server_time(headers)
            raise LinkExpired(f"{server} answered {status}: the link has expired, or was withdrawn.", said_at)
        raise OutputError(f"{server} answered {status} to a download.")
    if is_page or kind.startswith("image/"):
        raise NotAVideo(f"{server} sent {kind} instead of a video.")
