from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.dependencies import children_of, held_up, in_turn, parents_first, roots_of
from pipelines.core.job import Job, Order
from pipelines.core.status import JobStatus, Readiness

_ORDER = Order(provider="qiniu", mode="video", model="sora-2", prompt="a cat")


def _job(name, parent=None):
    return Job(id=name, row=1, campaign="x", order=_ORDER, filename=f"{name}.mp4", parent=parent)


def _jobs(**parents):
    return [_job(name, parent) for name, parent in parents.items()]


def _ids(jobs):
    return [job.id for job in jobs]


def _planned_but(**others):
    """Every job is planned, except for these."""
    return lambda name: others.get(name, JobStatus.PLANNED)


@pytest.mark.parametrize(
    ("status", "turn"),
    [
        (JobStatus.PLANNED, Readiness.WAIT),
        (JobStatus.SUBMITTING, Readiness.WAIT),
        (JobStatus.IN_DOUBT, Readiness.WAIT),
        (JobStatus.WAITING, Readiness.WAIT),
        (JobStatus.PARKED, Readiness.WAIT),
        (JobStatus.READY, Readiness.GO),
        (JobStatus.DONE, Readiness.GO),
        (JobStatus.REJECTED, Readiness.SKIP),
        (JobStatus.FAILED, Readiness.SKIP),
        (JobStatus.EXPIRED, Readiness.SKIP),
        (JobStatus.CANCELLED, Readiness.SKIP),
        (JobStatus.SKIPPED, Readiness.SKIP),
    ],
)
def test_a_child_goes_when_its_parent_is_made(status, turn):
    """Every status of a parent lets its children go, makes them wait, or gives them up; a doubt makes them wait."""
    assert status.meaning.remixes is turn


def test_every_status_is_decided():
    """A status that is added later must be thought of here: whoever forgets it makes children wait for ever."""
    settled = {status for status in JobStatus if status.meaning.remixes is not Readiness.WAIT}
    assert set(JobStatus) - settled == {
        JobStatus.PLANNED,
        JobStatus.SUBMITTING,
        JobStatus.IN_DOUBT,
        JobStatus.WAITING,
        JobStatus.PARKED,
    }


def test_roots_wait_for_nobody_who_is_here():
    """A job whose parent is not among these, since it is made already, is a root too."""
    jobs = _jobs(b="a", a=None, c="gone")
    assert _ids(roots_of(jobs)) == ["a", "c"]
    assert {name: _ids(children) for name, children in children_of(jobs).items()} == {"a": ["b"], "gone": ["c"]}


def test_parents_come_first_whatever_the_file_says():
    """A child that stands before its parent moves behind it; nothing else changes its place."""
    assert _ids(parents_first(_jobs(c="b", x=None, b="a", a=None, d="b"))) == ["a", "b", "c", "x", "d"]


@st.composite
def _forests(draw):
    names = draw(st.permutations(range(draw(st.integers(1, 30)))))
    parents = [draw(st.none() | st.integers(0, place - 1)) if place else None for place in range(len(names))]
    jobs = [_job(str(place), None if parent is None else str(parent)) for place, parent in enumerate(parents)]
    return [jobs[name] for name in names]


@given(_forests())
def test_any_forest_is_put_in_order(jobs):
    """Every job once, and none before its parent."""
    found = _ids(parents_first(jobs))
    assert sorted(found) == sorted(_ids(jobs))
    assert all(found.index(job.parent) < found.index(job.id) for job in jobs if job.parent is not None)


@given(_forests(), st.data())
def test_what_is_in_turn_and_what_is_held_up_are_all_that_is_planned(jobs, data):
    """A planned job either may come to its turn in this run or waits in vain for the head of its chain, never both."""
    statuses = {job.id: data.draw(st.sampled_from(JobStatus)) for job in jobs}
    asked = [job for job in jobs if statuses[job.id] in (JobStatus.PLANNED, JobStatus.WAITING)]
    turns = set(_ids(in_turn(asked, statuses.__getitem__)))
    waiting = held_up(asked, statuses.__getitem__)
    stuck = {name for head, names in waiting.items() if head not in turns for name in names}
    assert turns.isdisjoint(stuck)
    assert turns | stuck == set(_ids(asked))
    for head, names in waiting.items():
        assert statuses[head].meaning.remixes is Readiness.WAIT
        assert head not in names


def test_a_run_takes_a_child_only_with_its_parent():
    """`--only c` alone does nothing for a chain whose start is not made; with it, or once it is made, c is taken."""
    a, b, c = _jobs(a=None, b="a", c="b")
    assert _ids(in_turn([c], _planned_but())) == []
    assert _ids(in_turn([c, b], _planned_but())) == []
    assert _ids(in_turn([c, b, a], _planned_but())) == ["a", "b", "c"]
    assert _ids(in_turn([c], _planned_but(b=JobStatus.DONE))) == ["c"]
    assert _ids(in_turn([c], _planned_but(b=JobStatus.FAILED))) == ["c"]
    assert _ids(in_turn([c], _planned_but(b=JobStatus.IN_DOUBT))) == []


def test_what_was_bought_waits_for_nobody():
    """A child that its provider already has goes on, whatever became of its parent."""
    [child] = _jobs(b="a")
    assert _ids(in_turn([child], _planned_but(a=JobStatus.IN_DOUBT, b=JobStatus.WAITING))) == ["b"]
    assert held_up([child], _planned_but(a=JobStatus.IN_DOUBT, b=JobStatus.WAITING)) == {}


def test_all_of_a_chain_wait_for_its_head():
    """Who asks why a great-grandchild waits is told of the one job that must come to its end."""
    jobs = _jobs(d="c", c="b", b="a", a=None, z="y", y=None)
    waiting = held_up(jobs, _planned_but(a=JobStatus.IN_DOUBT, y=JobStatus.PARKED))
    assert waiting == {"a": ["b", "c", "d"], "y": ["z"]}
    assert held_up(jobs, _planned_but(a=JobStatus.DONE, b=JobStatus.PARKED, y=JobStatus.DONE)) == {"b": ["c", "d"]}


@pytest.mark.long
def test_a_chain_may_be_of_any_depth():
    """A hundred thousand remixes of one another are ordered without a deep stack, from either end."""
    jobs = [_job(str(n), str(n - 1) if n else None) for n in range(100_000)]
    assert parents_first(jobs[::-1]) == jobs
    assert len(held_up(jobs, _planned_but(**{"0": JobStatus.IN_DOUBT}))["0"]) == 99_999
