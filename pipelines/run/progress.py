"""Counts of a run while it runs: jobs by status, money, time left. Numbers for people, never for decisions."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.core.events import Event, JobChanged
from pipelines.core.money import Balance
from pipelines.core.status import FINAL, JobStatus
from pipelines.core.text.amounts import money_text
from pipelines.core.text.counts import statuses_text


@dataclass(slots=True)
class RunProgress:
    """What has become of the jobs of one run so far, from the events of their changes."""

    total: int = 0
    counts: Counter[JobStatus] = field(default_factory=Counter)
    held: dict[str, Balance] = field(default_factory=dict)  # by currency
    rehearsed: bool = False  # nothing is paid
    calls_turned_away: int = 0  # requests that the receiver inside this run has not let in
    started_at: float = field(default_factory=time.monotonic)
    done_before: int = 0  # done when this run began

    def begin(self, statuses: Iterable[JobStatus], balances: Iterable[Balance]) -> None:
        """Count anew: where the jobs stand, and what is committed, as a run begins or is tried again."""
        self.counts = Counter(statuses)
        self.total = self.counts.total()
        self.done_before = self.done
        self.held = {balance.currency: balance for balance in balances}

    def observe(self, event: Event) -> None:
        """Count one change."""
        if not isinstance(event, JobChanged):
            return
        if event.before is not None and event.counted_before:
            self.counts[event.before] -= 1
        if event.counted:
            self.counts[event.after] += 1
        self.total += event.counted - event.counted_before
        if (move := event.money) is not None:
            self.held[move.currency] = self.held.get(move.currency, Balance(move.currency)).after(move)

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
        """Say what is spent, reserved and uncertain: `spent 7.20 USD, reserved 0.40`; nothing where no price is known."""
        return money_text(self.held.values(), rehearsed=self.rehearsed)

    def words(self) -> str:
        """Say how far it is: `11 of 12 done, 1 failed`."""
        return statuses_text(self.counts, self.total)
