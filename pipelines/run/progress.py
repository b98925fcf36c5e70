"""What a run shows while it runs: counts, spend, time left. Numbers for people, never for decisions."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal

from pipelines.core.errors import BudgetReached, ProviderUnavailable, ReelbatchError
from pipelines.core.status import FINAL, JobStatus
from pipelines.core.text.amounts import amount_text

#: What is said here is heard by whoever watches, so a handler that shows it to the same person leaves this logger out.
SAID = "reelbatch.said"
log = logging.getLogger(SAID)

_RARELY_S = 60.0
_LAST_SAID = 16  # more than a run has reasons


@dataclass(slots=True)
class Tally:
    """Counts of one run, changed as jobs move."""

    total: int = 0
    counts: Counter[JobStatus] = field(default_factory=Counter)
    spent: dict[str, Decimal] = field(default_factory=dict)  # by currency: reserved, spent and uncertain
    started_at: float = field(default_factory=time.monotonic)
    done_before: int = 0  # done when this run began
    begun: Callable[[], None] | None = None  # called when the run begins, inside the flow
    interrupt: Callable[[], None] | None = None  # asks the run to end in order
    exit_code: int | None = None  # set when the run has ended
    reasons: tuple[str, ...] = ()  # why it did less than everything
    status_requests: int = 0  # free questions to the providers
    generating_cpu_s: float = 0.0  # CPU time of this process while jobs were generated
    listener: Callable[[Tally], None] | None = None
    listener_of_words: Callable[[str], None] | None = None
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_SAID))
    _said_at: dict[str, float] = field(default_factory=dict)  # by topic, what is said rarely

    def move(self, before: JobStatus | None, after: JobStatus) -> None:
        """A job went from one status to another."""
        if before is not None:
            self.counts[before] -= 1
        self.counts[after] += 1
        self._tell()

    def price(self, currency: str | None, amount: Decimal | None) -> None:
        """Money was reserved (positive) or released (negative)."""
        if currency and amount:
            self.spent[currency] = self.spent.get(currency, Decimal(0)) + amount
            self._tell()

    def say(self, words: str, level: int = logging.INFO) -> None:
        """Tell the person who watches something that counts cannot, on the terminal and in the logs of the run.

        Args:
            words: one sentence or two.
            level: of the log line: ERROR where money may be gone or nothing more is bought, WARNING for what failed.
        """
        log.log(level, words)
        self._said.append(words)
        if self.listener_of_words is not None:
            self.listener_of_words(words)

    def say_rarely(self, topic: str, words: str, level: int = logging.INFO) -> None:
        """Say what comes again and again: at most once a minute of each topic."""
        now = time.monotonic()
        if now - self._said_at.get(topic, -_RARELY_S) >= _RARELY_S:
            self._said_at[topic] = now
            self.say(words, level)

    def unheard_reasons(self) -> tuple[str, ...]:
        """The reasons without those that were the last words of the run: they need not be said again."""
        heard: set[str] = set()
        for words in reversed(self._said):
            if words not in self.reasons:
                break
            heard.add(words)
        return tuple(reason for reason in self.reasons if reason not in heard)

    def _tell(self) -> None:
        if self.listener is not None:
            self.listener(self)

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
        """A guess from the pace so far, or None while there is none."""
        made = self.done - self.done_before
        elapsed = time.monotonic() - self.started_at
        return None if made < 1 else self.open * elapsed / made

    def money(self) -> str:
        """`7.20 USD`, or nothing where no price is known."""
        return ", ".join(f"{amount_text(amount)} {currency}" for currency, amount in self.spent.items())

    def words(self) -> str:
        """`11 of 12 done, 1 failed`."""
        parts = [f"{self.done} of {self.total} done"]
        parts += [
            f"{self.counts[status]} {status.label}"
            for status in JobStatus
            if status is not JobStatus.DONE and self.counts[status]
        ]
        return ", ".join(parts)


#: The tally that the next run of this context shall fill; the command line puts its own here to watch it.
watched_tally: ContextVar[Tally | None] = ContextVar("watched_tally", default=None)


def level_of(reason: ReelbatchError) -> int:
    """The level at which a reason to stop is logged: a cap, or a provider that will be back, is no error."""
    return logging.WARNING if isinstance(reason, BudgetReached | ProviderUnavailable) else logging.ERROR
