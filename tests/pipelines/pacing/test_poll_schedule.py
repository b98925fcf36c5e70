from __future__ import annotations

import heapq
import random
import statistics
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pacing.poll_schedule import Durations, look_again, net_poll, next_poll

IN_FLIGHT = 50


@dataclass
class Outcome:
    """What 1,000 jobs came to, without the first hundred, in which the kind is learned."""

    requests: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)  # as a share of the job's own time

    @property
    def mean_requests(self):
        """Status requests a job."""
        return statistics.mean(self.requests[100:])

    @property
    def median_lag(self):
        """From ready to seen."""
        return statistics.median(self.lags[100:])


class _Simulation:
    """Jobs of one kind in virtual time, each asked about when the rule says."""

    def __init__(self, duration, expected_s, seed, jobs=1000):
        chance = random.Random(seed)
        self.durations = [duration(chance) for _ in range(jobs)]
        self.expected_s = expected_s
        self.known = Durations()
        self.outcome = Outcome([0] * jobs, [0.0] * jobs)
        self.began, self.asked_at = {}, dict.fromkeys(range(jobs), 0.0)
        self.scout = None
        self.queue = []
        self.entries = {}

    def run(self):
        fresh = iter(range(len(self.durations)))
        for _ in range(IN_FLIGHT):
            self.begin(next(fresh), 0.0)
        while self.queue:
            now, entry, job = heapq.heappop(self.queue)
            if self.entries.get(job) != entry:
                continue
            age = now - self.began[job]
            if age < self.due(job) - 1e-9:  # what was learned meanwhile has moved the time
                self.plan(job, now)
                continue
            self.outcome.requests[job] += 1
            if age < self.durations[job]:
                self.asked_at[job] = age
                self.plan(job, now)
                continue
            self.finish(job, age, now)
            if (another := next(fresh, None)) is not None:
                self.begin(another, now)
        return self.outcome

    def begin(self, job, now):
        self.began[job] = now
        if self.scout is None and self.known.want_a_scout:
            self.scout = job
        self.plan(job, now)

    def due(self, job):
        return next_poll(
            self.asked_at[job], self.known, expected_s=self.expected_s, scout=self.scout == job, every_s=None
        )

    def plan(self, job, now):
        self.entries[job] = self.entries.get(job, 0) + 1
        heapq.heappush(self.queue, (max(now, self.began[job] + self.due(job)), self.entries[job], job))

    def finish(self, job, age, now):
        self.outcome.lags[job] = age / self.durations[job] - 1
        was_cold = not len(self.known)
        self.known.add(self.asked_at[job], age)
        self.scout = None if self.scout == job else self.scout
        del self.entries[job], self.began[job]
        if was_cold:
            for other in self.began:
                self.plan(other, now)


def _simulated(duration, expected_s=120.0, seeds=range(1, 7)):
    outcomes = [_Simulation(duration, expected_s, seed).run() for seed in seeds]
    return (
        statistics.mean(outcome.mean_requests for outcome in outcomes),
        statistics.mean(outcome.median_lag for outcome in outcomes),
    )


def _lognormal(sigma):
    return lambda chance: 120.0 * chance.lognormvariate(0, sigma)


@pytest.mark.parametrize(
    ("duration", "expected_s", "most_requests", "most_lag"),
    [
        pytest.param(lambda _: 1.0, 1.0, 2.2, 0.02, id="all of 1 s, as expected"),
        pytest.param(lambda _: 1.0, 150.0, 2.2, 0.02, id="all of 1 s, 150 s expected"),
        pytest.param(lambda _: 120.0, 2.5, 2.2, 0.02, id="all of 120 s, 2.5 s expected"),
        pytest.param(_lognormal(0.1), 120.0, 3.2, 0.03, id="lognormal, sigma 0.1"),
        pytest.param(_lognormal(0.3), 120.0, 4.0, 0.05, id="lognormal, sigma 0.3"),
        pytest.param(lambda c: c.uniform(60, 120), 120.0, 4.0, 0.055, id="uniform"),
        pytest.param(lambda c: c.choice((60.0, 180.0)), 120.0, 12.0, 0.05, id="two lengths"),
    ],
)
def test_jobs_are_asked_about_rarely_and_in_time(duration, expected_s, most_requests, most_lag):
    """Once a kind is known, a job costs at most four status requests, and waits at most 5 % of its time to be seen."""
    requests, lag = _simulated(duration, expected_s)
    assert requests <= most_requests
    assert lag <= most_lag


@pytest.mark.parametrize(("before", "after"), [(120.0, 60.0), (60.0, 120.0), (120.0, 10.0)])
def test_a_change_of_mood_is_learned(before, after):
    """When a provider becomes faster or slower, the last jobs of the run are again seen within 10 % of their time."""
    times = iter([before] * 300 + [after] * 700)
    outcome = _Simulation(lambda _: next(times), 120.0, 1).run()
    assert statistics.median(outcome.lags[-200:]) <= 0.1


def test_the_scout_asks_often_and_the_others_wait():
    """As long as nothing is known, one job finds out, and the others keep to what the profile expects."""
    nothing = Durations()
    ages = [0.0]
    while ages[-1] < 60:
        ages.append(next_poll(ages[-1], nothing, expected_s=120, scout=True, every_s=None))
    assert 0 < ages[1] <= 1
    assert all(later / earlier <= 1.21 for earlier, later in pairwise(ages[1:]))
    assert next_poll(0.0, nothing, expected_s=120, scout=False, every_s=None) == 60


def test_a_rhythm_that_was_asked_for_is_kept():
    """`--poll-every 5` asks every five seconds, whatever is known."""
    known = Durations()
    known.add(9, 10)
    for durations in (known, Durations()):
        assert next_poll(7, durations, expected_s=120, scout=True, every_s=5) == 12


def test_w10_an_overdue_job_is_asked_about_at_a_slow_pace():
    """A job that never ends is asked about less and less, and still at least once in each usual time."""
    known = Durations()
    for _ in range(10):
        known.add(99, 101)
    age, steps = 100.0, []
    while age < 86_400:
        steps.append(next_poll(age, known, expected_s=100, scout=False, every_s=None) - age)
        age += steps[-1]
    assert len(steps) < 900
    assert max(steps) <= 102


@given(
    st.lists(st.tuples(st.floats(0, 1e5), st.floats(0.001, 1e5)), max_size=100),
    st.floats(0, 1e6),
    st.floats(0.001, 1e4),
    st.booleans(),
)
def test_the_next_question_is_always_later(finished, age, expected_s, scout):
    """Whatever was learned, the rule moves forward, so that nobody asks in a tight loop."""
    known = Durations()
    for first, second in finished:
        known.add(min(first, second), max(first, second))
    following = next_poll(age, known, expected_s=expected_s, scout=scout, every_s=None)
    assert following >= age * 1.005 or following >= age + 0.05 * min(expected_s, known.quantile(0.9) if known else 1e9)
    assert following > age


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=300))
def test_only_the_latest_jobs_are_remembered(durations):
    """Old jobs make room, so memory stays small and a provider's mood of today wins."""
    known = Durations()
    for seconds in durations:
        known.add(seconds * 0.99, seconds)
    assert 1 <= len(known) <= min(64, len(durations))
    assert len(known._sorted) == 4 * len(known)
    assert known._sorted == sorted(known._sorted)


def test_w10_the_net_beneath_callbacks_asks_late_and_ever_later():
    """Where somebody is to call: first when nearly every job of its kind has ended, then in steps of a quarter of the age."""
    known = Durations()
    assert net_poll(0.0, known, expected_s=100.0) == 150.0
    for _ in range(10):
        known.add(9.0, 10.0)
    assert 14.0 < net_poll(0.0, known, expected_s=100.0) <= 15.0
    assert net_poll(40.0, known, expected_s=100.0) == 50.0


@pytest.mark.parametrize(("long_over", "patience"), [(False, 120.0), (True, 15.0)])
def test_t27_a_clip_that_comes_a_little_later_is_waited_for(long_over, patience):
    """A finished job without its clip is asked about at least three times, ever later, for minutes; an old one shorter."""
    since, asked = 0.0, 1
    while (pause := look_again(since, asked, long_over=long_over)) is not None:
        assert 5.0 <= pause <= 40.0
        since, asked = since + pause, asked + 1
    assert asked >= 3
    assert patience <= since <= patience + 40.0


def test_t27_slow_questions_are_few_and_at_least_three():
    """Who asks seldom, as a person may want it, still asks three times."""
    assert look_again(960.0, 2, long_over=False) is not None
    assert look_again(1960.0, 3, long_over=False) is None
