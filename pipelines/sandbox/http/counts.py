"""What came by since the start: counts by route and status, and the last refusals."""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any

MOST_REFUSALS = 1_000


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
        return {
            "routes": self.routes,
            "statuses": self.statuses,
            "cuts": self.cuts,
            "callbacks": self.callbacks,
            "leaks": self.leaks,
            "refusals": list(self.refusals),
        }
