"""One request as a handler sees it, one answer as the endpoint sends it, and the counts of both."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import parse_qsl

from pipelines.sandbox.faults.scripts import NOTHING, Effect

MOST_REFUSALS = 1_000
MOST_BODY = 64 * 2**20
JSON_TYPE = (b"content-type", b"application/json")
Header = tuple[bytes, bytes]


@dataclass(slots=True)
class Visit:
    """One request: what was asked, by whom, when, and what is to go wrong with it."""

    method: str
    path: str
    query_string: bytes
    headers: dict[bytes, bytes]
    named: dict[str, str]  # the parts of the path that have a name
    body: bytes
    now: float
    account: str = ""
    effect: Effect = field(default=NOTHING)

    @property
    def base(self) -> str:
        """Where the client reached us, so that links also work after a restart on another port."""
        return f"http://{self.headers.get(b'host', b'127.0.0.1').decode('latin-1')}"

    @property
    def query(self) -> dict[str, str]:
        """The query of the address, last value of each name."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    def header(self, name: bytes) -> str:
        """The text of a header, or nothing."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """Status, headers and body. `Content-Length` is added when it is sent."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    @classmethod
    def of(cls, document: Any, status: int = 200, *headers: Header) -> Self:
        """A JSON answer."""
        return cls(status, (JSON_TYPE, *headers), json.dumps(document).encode())


Handler = Callable[[Visit], Awaitable[VendorAnswer]]
#: (method, path below the prefix, kind of route for the faults, handler)
ApiRoute = tuple[str, str, str, Handler]


class RequestCounts:
    """Counts, for tests and for the curious."""

    def __init__(self) -> None:
        self.routes: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.cuts: Counter[str] = Counter()
        self.callbacks: Counter[str] = Counter()
        self.leaks: Counter[str] = Counter()  # requests that brought a key to a link, which works for anybody
        self.refusals: deque[dict[str, Any]] = deque(maxlen=MOST_REFUSALS)

    def refused(self, route: str, status: int, code: str | None, message: str) -> None:
        """Remembers a refusal that the client brought on itself."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.refusals.append({"at": at, "route": route, "status": status, "code": code, "message": message})

    def document(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {**vars(self), "refusals": list(self.refusals)}
