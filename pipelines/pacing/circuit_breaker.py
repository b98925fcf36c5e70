"""Circuit breakers: stop sending to a provider that does not answer, or whose answers leave money in doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass

_IN_A_ROW = 3
_SHARE = 0.02


@dataclass(slots=True)
class DoubtBreaker:
    """Opens after three submissions in a row, or more than 2 % of all, that ended in doubt. It never closes by itself."""

    sent: int = 0
    in_doubt: int = 0
    in_a_row: int = 0

    def record(self, *, in_doubt: bool) -> None:
        """Count one submission."""
        self.sent += 1
        self.in_doubt += in_doubt
        self.in_a_row = self.in_a_row + 1 if in_doubt else 0

    @property
    def open(self) -> bool:
        """Tell whether nothing more may be sent."""
        many = self.in_doubt >= _IN_A_ROW and self.in_doubt > _SHARE * self.sent
        return self.in_a_row >= _IN_A_ROW or many


@dataclass(slots=True)
class Outage:
    """An outage of a provider: how long it lasts, and whether it is time to give up on it for this run."""

    patience_s: float
    since: float | None = None
    failures: int = 0

    def failed(self) -> None:
        """One more try did not reach it."""
        self.since = time.monotonic() if self.since is None else self.since
        self.failures += 1

    def reached(self) -> bool:
        """It answered. Returns whether it had been away."""
        was_away, self.since, self.failures = self.since is not None, None, 0
        return was_away

    def ongoing(self) -> bool:
        """Tell whether the last try failed."""
        return self.since is not None

    @property
    def lasts_s(self) -> float:
        """Seconds since the first failed try."""
        return 0.0 if self.since is None else time.monotonic() - self.since

    @property
    def too_long(self) -> bool:
        """Tell whether patience has run out."""
        return self.since is not None and self.lasts_s >= self.patience_s
