"""A server on a raw socket that does what servers should not do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int:
        """The first byte asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


@dataclass
class Reply:
    """What goes out. A `cut` sends only so many bytes of the body; a `pause` comes between pieces of ten."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = -1  # -1: the true one; None: none is said, and the end of the line is the end
    cut: int | None = None
    pause: float = 0


Answer = Callable[[Request], Reply]


def ranged(body: bytes, etag: str | None = '"v1"', **changes: object) -> Answer:
    """A good server: it honours Range, if If-Range fits."""

    def answer(request: Request) -> Reply:
        tag = {"etag": etag} if etag else {}
        start = request.start if request.headers.get("if-range") == etag else 0
        if start >= len(body):
            return Reply(status=416, headers={"content-range": f"bytes */{len(body)}"})
        if start:
            place = {"content-range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return Reply(body[start:], 206, {"content-type": "video/mp4", **tag, **place}, **changes)
        return Reply(body, 200, {"content-type": "video/mp4", **tag}, **changes)

    return answer


class FileServer:
    """Answers as `answer` says, and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Answer = lambda _: Reply(status=404)
        self.port = 0

    def url(self, path: str = "/clip.mp4?signature=secret") -> str:
        """A link to here."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            request = Request(lines[0].split(" ")[1], headers)
            self.requests.append(request)
            await _send(writer, self.answer(request))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    length = len(reply.body) if reply.length == -1 else reply.length
    head = [f"HTTP/1.1 {reply.status} x", *(f"{name}: {value}" for name, value in reply.headers.items())]
    head += [f"content-length: {length}"] if length is not None else []
    writer.write(("\r\n".join([*head, "connection: close"]) + "\r\n\r\n").encode())
    body = reply.body[: reply.cut]
    step = 10 if reply.pause else max(1, len(body))
    for start in range(0, len(body), step):
        writer.write(body[start : start + step])
        await writer.drain()
        await asyncio.sleep(reply.pause)
