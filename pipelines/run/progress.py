"""Counts of a run while it runs: jobs by status, money, time left. Numbers for people, never for decisions."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from pipelines.core.events import Event, JobChanged
from pipelines.core.outcome import Archived
from pipelines.core.status import FINAL, JobStatus
from pipelines.core.text.amounts import price_text
from pipelines.core.text.counts import statuses_text
from pipelines.ledger.balances import Balance


@dataclass(slots=True)
class RunProgress:
    """What has become of the jobs of one run so far, from the events of their changes."""

    total: int = 0
    counts: Counter[JobStatus] = field(default_factory=Counter)
    committed: dict[str, Decimal] = field(default_factory=dict)  # by currency: reserved, spent and uncertain
    started_at: float = field(default_factory=time.monotonic)
    done_before: int = 0  # done when this run began

    def begin(self, statuses: Iterable[JobStatus], balances: Iterable[Balance]) -> None:
        """Count anew: where the jobs stand, and what is committed, as a run begins or is tried again."""
        self.counts = Counter(statuses)
        self.total = self.counts.total()
        self.done_before = self.done
        self.committed = {balance.currency: balance.committed for balance in balances}

    def observe(self, event: Event) -> None:
        """Count one change."""
        if not isinstance(event, JobChanged):
            return
        if event.before is not None:
            self.counts[event.before] -= 1
        if isinstance(event.outcome, Archived):
            self.total -= 1
        else:
            self.counts[event.after] += 1
        if event.currency is not None and event.committed:
            self.committed[event.currency] = self.committed.get(event.currency, Decimal(0)) + event.committed

    @property
    def done(self) -> int:
        """How many are on disk."""
        return self.counts[JobStatus.DONE]

    @property
    def in_flight(self) -> int:
        """How many are at the provider or being brought home."""
        return self.counts[JobStatus.WAITING] + self.counts[JobStatus.READY]

    @property
    def open(self) -> int:
        """How many may still become done in this run."""
        return self.in_flight + self.counts[JobStatus.SUBMITTING] + self.counts[JobStatus.PLANNED]

    @property
    def ended(self) -> int:
        """How many have come to an end, good or bad."""
        return sum(self.counts[status] for status in FINAL)

    def seconds_left(self) -> float | None:
        """Guess from the pace so far, or None while there is none."""
        made = self.done - self.done_before
        elapsed = time.monotonic() - self.started_at
        return None if made < 1 else self.open * elapsed / made

    def money(self) -> str:
        """Say what is committed: `7.20 USD`, or nothing where no price is known."""
        return ", ".join(price_text(amount, currency) for currency, amount in self.committed.items())

    def words(self) -> str:
        """Say how far it is: `11 of 12 done, 1 failed`."""
        return statuses_text(self.counts, self.total)
