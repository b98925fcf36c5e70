"""Poll schedule: ask about a job late enough to ask rarely, early enough to lose little time.

The rule, all of it pure: learn how long jobs of a kind take; ask first when four in ten of them are usually ready,
but never so late that a fast one has waited for most of its time again; then in steps of 1 to 5.6 % of the job's age,
by how much its kind varies; in steps of 15 % once nine in ten would be ready. As long as nothing is known of a kind,
one job of it is the scout, which asks often; the others keep to what the profile expects. Later, when many in a row
were ready at the first question, the provider may have become faster: one job is sent as a scout again.

Simulated, 1,000 jobs, 50 in flight, once warm (tests/pipelines/pacing/test_poll_schedule.py): all of 1 s: 2 requests a
job, median lag 0.5 %; lognormal with sigma 0.1: 2.9 and 2.4 %; with sigma 0.3: 3.9 and 4.9 % (mean lag 14 %). For the
last, a rule that knows the distribution beforehand needs as many: to be earlier is to ask more often.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field

_REMEMBERED = 64  # jobs a kind; old ones make room, so that a provider's mood of today wins
_POINTS = 4  # a job is remembered as so many moments at which it may have become ready
_EARLIER = 0.99  # a job that was ready at the first question may have been so a little before anyone we know
_SCOUT_FIRST_SHARE = 1 / 300  # of the expected time
_SCOUT_GROWTH = 1.2
_FIRST_SHARE = 0.4  # ask first when so many are ready
_FAST_SHARE, _FAST_PATIENCE = 0.1, 1.8  # but at the latest at so many times what the fast ones take
_LATE_SHARE = 0.9
_FINEST_STEP, _COARSEST_STEP, _LATE_STEP = 0.01, 0.056, 0.15  # of the age
_STEP_OF_SPREAD = 0.15
_SCOUT_AGAIN_AFTER = 16  # jobs in a row that were ready at the first question
_SCOUT_AGAIN_SHARE, _SCOUT_AGAIN_GROWTH = 0.5, 1.1  # of the age at which others are asked about first
_MUCH_FASTER = 0.9  # times what the fast ones took: then most of what is remembered is no longer true
_KEPT = 8
_NET_FIRST, _NET_GROWTH = 1.5, 1.25  # times what all but the slowest take, then times the age
_COLD_STEP = 0.1
_LONGEST_COLD_STEP = 0.25  # of the expected time
_FEWEST_LOOKS, _FIRST_LOOK_S, _LONGEST_LOOK_S = 3, 5.0, 40.0  # at a finished job that shows no clip
_PATIENCE_S, _LATER_PATIENCE_S = 120.0, 15.0


@dataclass(slots=True)
class Durations:
    """Durations of the latest jobs of one kind, in seconds."""

    _jobs: deque[tuple[float, ...]] = field(default_factory=deque)
    _sorted: list[float] = field(default_factory=list)
    _at_once: int = 0  # jobs in a row that were ready at the first question

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, not_ready_at_s: float, ready_at_s: float) -> None:
        """Learn from one finished job. The truth lies between the two ages.

        Args:
            not_ready_at_s: its age when it was last seen unfinished; 0 if it never was: then what is known of its kind
                says where in between.
            ready_at_s: its age when it was seen finished.
        """
        self._at_once = 0 if not_ready_at_s > 0 else self._at_once + 1
        much_faster = bool(self._sorted) and ready_at_s < _MUCH_FASTER * self.quantile(_FAST_SHARE)
        points = self._points(not_ready_at_s, ready_at_s)
        while len(self._jobs) >= (_KEPT if much_faster else _REMEMBERED):
            for point in self._jobs.popleft():
                del self._sorted[bisect_left(self._sorted, point)]
        self._jobs.append(points)
        for point in points:
            insort(self._sorted, point)

    def _points(self, not_ready_at_s: float, ready_at_s: float) -> tuple[float, ...]:
        """Moments at which the job may have become ready, each as likely as the next."""
        shares = [(number + 0.5) / _POINTS for number in range(_POINTS)]
        if not_ready_at_s <= 0 and (below := self._sorted[: bisect_left(self._sorted, ready_at_s)]):
            return tuple(_EARLIER * below[int(share * len(below))] for share in shares)
        start = not_ready_at_s if not_ready_at_s > 0 else ready_at_s / 2
        return tuple(start + share * (ready_at_s - start) for share in shares)

    @property
    def want_a_scout(self) -> bool:
        """Tell whether one job should find out how long its kind takes now."""
        return not self._jobs or self._at_once >= _SCOUT_AGAIN_AFTER

    def quantile(self, share: float) -> float:
        """The duration that `share` of the remembered jobs stayed below."""
        return self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]

    def first(self) -> float:
        """The age at which the first question is worth its while."""
        return min(self.quantile(_FIRST_SHARE), _FAST_PATIENCE * self.quantile(_FAST_SHARE))

    def step(self, age_s: float) -> float:
        """Seconds between two questions about a job of this age."""
        late = self.quantile(_LATE_SHARE)
        spread = (self.quantile(0.8) - self.quantile(0.2)) / self.quantile(0.5)
        share = min(_COARSEST_STEP, max(_FINEST_STEP, _STEP_OF_SPREAD * spread))
        if age_s >= late:  # gently where jobs of a kind are alike: a little late is not lost yet
            share = _LATE_STEP if share == _COARSEST_STEP else max(share, min(_LATE_STEP, 2 * (age_s / late - 1)))
        return min(share * age_s, late)


def look_again(since_s: float, looks: int, *, long_over: bool) -> float | None:
    """Seconds until a finished job that shows no clip is asked about again. None: it was asked about often enough.

    Some vendors show the link a little later than the word. That passes within minutes; a job that had ended long
    before it was asked about first shows its link by then, or not at all.

    Args:
        since_s: for so long it is seen finished without a clip.
        looks: how often it was, this time included.
        long_over: it had ended long before.
    """
    if looks >= _FEWEST_LOOKS and since_s >= (_LATER_PATIENCE_S if long_over else _PATIENCE_S):
        return None
    return float(min(_FIRST_LOOK_S * 2 ** min(looks - 1, _FEWEST_LOOKS), _LONGEST_LOOK_S))


def net_poll(age_s: float, durations: Durations, *, expected_s: float) -> float:
    """The age at which to ask next about a job whose end somebody is to tell: late, and then ever later.

    Args:
        age_s: its age when it was last asked about; 0 if it never was.
        durations: what is known of its kind.
        expected_s: what the profile expects, used as long as nothing is known.
    """
    late = durations.quantile(_LATE_SHARE) if len(durations) else expected_s
    return max(_NET_FIRST * late, _NET_GROWTH * age_s)


def next_poll(age_s: float, durations: Durations, *, expected_s: float, scout: bool, every_s: float | None) -> float:
    """The age, in seconds, at which to ask next about a job.

    Args:
        age_s: its age when it was last asked about; 0 if it never was.
        durations: what is known of its kind.
        expected_s: what the profile expects, used as long as nothing is known.
        scout: this job finds out how long its kind takes.
        every_s: a fixed rhythm that the user asked for; nothing else counts then.
    """
    if every_s is not None:
        return age_s + every_s
    if len(durations):
        first = durations.first()
        if scout and age_s < first:
            return max(_SCOUT_AGAIN_SHARE * first, _SCOUT_AGAIN_GROWTH * age_s)
        return first if age_s * (1 + _FINEST_STEP) < first else age_s + durations.step(age_s)
    if age_s >= expected_s * 0.5:
        return age_s + min(max(_COLD_STEP * age_s, expected_s * 0.05), _LONGEST_COLD_STEP * expected_s)
    return max(age_s * _SCOUT_GROWTH, expected_s * _SCOUT_FIRST_SHARE) if scout else expected_s * 0.5
