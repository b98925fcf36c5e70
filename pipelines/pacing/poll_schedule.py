"""When to ask a provider about a job: late enough to ask rarely, early enough to lose little time.

The rule, all of it pure: learn how long jobs of a kind take; ask first when one in five of them is usually ready; then
in steps of about a third of the usual spread, never more than a tenth of the job's age. As long as nothing is known
of a kind, one job of it is the scout, which asks often; the others keep to what the profile expects.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field

_REMEMBERED = 64  # durations a kind; old ones make room, so that a provider's mood of today wins
_SCOUT_FIRST_SHARE = 1 / 300  # of the expected time
_SCOUT_GROWTH = 1.4
_STEP_OF_AGE = 0.1
_FINEST_STEP_OF_AGE = 0.012
_STEP_OF_SPREAD = 0.35
_LONGEST_STEP = 0.25  # of the expected time, so that a job that is long overdue is still looked after


@dataclass(slots=True)
class Durations:
    """How long jobs of one kind took lately, in seconds."""

    _recent: deque[float] = field(default_factory=deque)
    _sorted: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, not_ready_at_s: float, ready_at_s: float) -> None:
        """Learn from one finished job.

        Args:
            not_ready_at_s: its age when it was last seen unfinished; 0 if it never was.
            ready_at_s: its age when it was seen finished. The truth lies between the two.
        """
        step = _step(ready_at_s, self.spread())
        estimate = ready_at_s - min(ready_at_s - not_ready_at_s, 2 * step) / 2
        if len(self._recent) == _REMEMBERED:
            self._sorted.remove(self._recent.popleft())
        self._recent.append(estimate)
        insort(self._sorted, estimate)

    def quantile(self, share: float) -> float:
        """The duration that `share` of the remembered jobs stayed below."""
        return self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]

    def spread(self) -> float:
        """From the fastest fifth to the slowest fifth."""
        return self.quantile(0.8) - self.quantile(0.2) if self._sorted else 0.0


def _step(age_s: float, spread_s: float) -> float:
    """Seconds between two questions about a job of this age."""
    return min(_STEP_OF_AGE * age_s, max(_FINEST_STEP_OF_AGE * age_s, _STEP_OF_SPREAD * spread_s))


def next_poll(age_s: float, durations: Durations, *, expected_s: float, scout: bool, every_s: float | None) -> float:
    """The age, in seconds, at which to ask next about a job.

    Args:
        age_s: its age now.
        durations: what is known of its kind.
        expected_s: what the profile expects, used as long as nothing is known.
        scout: this job finds out how long its kind takes.
        every_s: a fixed rhythm that the user asked for; nothing else counts then.
    """
    if every_s is not None:
        return age_s + every_s
    if len(durations):
        first = durations.quantile(0.2)
        step = _step(max(age_s, first), durations.spread())
        return max(first, age_s + min(step, _LONGEST_STEP * max(first, durations.quantile(0.8))))
    if scout and age_s < expected_s * 0.5:
        return max(age_s * _SCOUT_GROWTH, expected_s * _SCOUT_FIRST_SHARE)
    if age_s < expected_s * 0.5:
        return expected_s * 0.5
    return age_s + min(max(_STEP_OF_AGE * age_s, expected_s * 0.05), _LONGEST_STEP * expected_s)
