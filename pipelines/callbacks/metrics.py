"""Counts of a receiver, as Prometheus reads them, and its log: one line of JSON a call that was let in, never a token."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.callbacks.addresses import CallAddress

ACCESS = "reelbatch.callbacks"
_BOUNDS = (0.005, 0.025, 0.1, 0.25, 1.0, 5.0)  # seconds
_SUM_UP_EVERY_S = 10.0
_NOT_TAKEN = ("unknown", "unsigned", "too long")
log = logging.getLogger(ACCESS)


@dataclass(slots=True)
class ReceiverCounts:
    """What has come to a receiver since it started."""

    taken: Counter[str] = field(default_factory=Counter)  # by what became of it: new, again, unknown, unavailable, ...
    refused: Counter[str] = field(default_factory=Counter)  # by why it was turned away
    connections: int = 0  # open now
    answer_s: Counter[float] = field(default_factory=Counter)  # calls that were answered within so many seconds
    answered: int = 0
    answered_s: float = 0.0
    _unsaid: Counter[str] = field(default_factory=Counter)
    _said_at: float = 0.0

    def turned_away(self, why: str) -> None:
        """Count one that was not let in. It is logged in sums: whoever floods the door does not flood the log."""
        self.refused[why] += 1
        self._unsaid[why] += 1
        if time.monotonic() - self._said_at >= _SUM_UP_EVERY_S:
            self.sum_up()

    def sum_up(self) -> None:
        """Log how many were turned away since the last time."""
        if self._unsaid:
            log.info("%s", json.dumps({"at": _now(), "event": "refused", "counts": dict(self._unsaid)}))
            self._unsaid.clear()
        self._said_at = time.monotonic()

    def answered_in(self, seconds: float, what: str, address: CallAddress, status: int, size: int, client: str) -> None:
        """Count one that was let in, and log it.

        Args:
            seconds: from its first byte to the answer.
            what: became of it.
            address: whom it is about.
            status: of the answer.
            size: of the body in bytes.
            client: where it came from.
        """
        self.taken[what] += 1
        self.answered += 1
        self.answered_s += seconds
        self.answer_s.update(bound for bound in _BOUNDS if seconds <= bound)
        line = {
            "at": _now(),
            "event": "call",
            "came_to": what,
            "status": status,
            "ledger": address.ledger,
            "about": address.subject[:12],  # enough to find it in the ledger, and no part of the token
            "bytes": size,
            "ms": round(seconds * 1000, 1),
            "from": client,
        }
        log.info("%s", json.dumps(line))

    def refused_in_all(self) -> int:
        """How many requests came to nothing by their own fault: turned away at the door, or not taken behind it."""
        return self.refused.total() + sum(self.taken[what] for what in _NOT_TAKEN)

    def as_text(self) -> str:
        """In the text format of Prometheus."""
        lines = [
            *_family("reelbatch_callbacks_total", "counter", "Calls that were let in.", "result", self.taken),
            *_family("reelbatch_callbacks_refused_total", "counter", "Requests turned away.", "reason", self.refused),
            "# HELP reelbatch_callback_connections Open connections.",
            "# TYPE reelbatch_callback_connections gauge",
            f"reelbatch_callback_connections {self.connections}",
            "# HELP reelbatch_callback_seconds Time from the first byte of a call to its answer.",
            "# TYPE reelbatch_callback_seconds histogram",
            *(f'reelbatch_callback_seconds_bucket{{le="{bound}"}} {self.answer_s[bound]}' for bound in _BOUNDS),
            f'reelbatch_callback_seconds_bucket{{le="+Inf"}} {self.answered}',
            f"reelbatch_callback_seconds_sum {self.answered_s:.6f}",
            f"reelbatch_callback_seconds_count {self.answered}",
        ]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, help_text: str, label: str, counts: Mapping[str, int]) -> list[str]:
    samples = [f'{name}{{{label}="{value}"}} {count}' for value, count in sorted(counts.items())]
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *samples]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
