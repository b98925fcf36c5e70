from __future__ import annotations

import time
from decimal import Decimal

import pytest

from pipelines.core.events import JobChanged, RunStopping
from pipelines.core.job import Job, Order
from pipelines.core.money import Balance, Bucket, BucketMove
from pipelines.core.status import JobStatus as S
from pipelines.run.progress import RunProgress

JOB = Job(id="a", row=1, campaign="x", order=Order(provider="qiniu", model="sora-2", prompt="x"), filename="a.mp4")


@pytest.fixture
def progress():
    """Two planned jobs, and 7 yuan that are committed already."""
    progress = RunProgress()
    progress.begin(
        [S.PLANNED, S.PLANNED], [Balance("CNY", reserved=Decimal(2), spent=Decimal(4), uncertain=Decimal(1))]
    )
    return progress


def test_a_job_is_counted_once_wherever_it_stands(progress):
    """Every change takes it from one count to another."""
    progress.observe(JobChanged(JOB, S.PLANNED, S.SUBMITTING))
    assert (progress.in_flight, progress.open, progress.ended, progress.done) == (0, 2, 0, 0)
    for before, after in ((S.SUBMITTING, S.WAITING), (S.WAITING, S.READY), (S.READY, S.DONE), (S.PLANNED, S.REJECTED)):
        progress.observe(JobChanged(JOB, before, after))
    assert (progress.in_flight, progress.open, progress.ended, progress.done) == (0, 0, 2, 1)
    assert progress.counts.total() == progress.total == 2


def test_money_is_added_by_currency(progress):
    """Reserved and released amounts balance exactly, and what has no price changes nothing."""
    tenth = Decimal("0.1")
    moves = [BucketMove("USD", tenth, None, Bucket.RESERVED)] * 10
    moves += [BucketMove("USD", tenth, Bucket.RESERVED, None)] * 3
    moves += [BucketMove("USD", tenth, Bucket.RESERVED, Bucket.UNCERTAIN, assumed=True)]
    for move in (*moves, None):
        progress.observe(JobChanged(JOB, S.PLANNED, S.PLANNED, money=move))
    assert (progress.held["USD"].reserved, progress.held["USD"].uncertain) == (6 * tenth, tenth)
    words = "4.00 CNY, reserved 2.00, uncertain 1.00"
    assert progress.money().startswith(f"spent {words}; 0.00 USD, reserved 0.60")
    assert progress.money().endswith("uncertain 0.10 (assumed)")
    progress.rehearsed = True
    assert progress.money().startswith(f"would have cost {words}")


def test_what_is_set_aside_is_not_counted(progress):
    """A removed row is brought home without changing the counts; one that a person archives leaves them."""
    progress.observe(JobChanged(JOB, S.WAITING, S.DONE, counted_before=False, counted=False))
    assert progress.words() == "0 of 2 done, 2 planned"
    progress.observe(JobChanged(JOB, S.PLANNED, S.PLANNED, counted=False))
    assert progress.words() == "0 of 1 done, 1 planned"


def test_other_events_count_nothing(progress):
    """What is only said changes no number."""
    progress.observe(RunStopping())
    assert (progress.counts[S.PLANNED], progress.words()) == (2, "0 of 2 done, 2 planned")


def test_the_guess_of_the_time_left_comes_from_this_run():
    """What was done before this run began says nothing of its pace."""
    progress = RunProgress(started_at=time.monotonic() - 60)
    progress.begin([S.DONE] * 4 + [S.WAITING] * 6, [])
    assert progress.seconds_left() is None
    for _ in range(2):
        progress.observe(JobChanged(JOB, S.WAITING, S.DONE))
    assert 115 < progress.seconds_left() < 130


def test_a_flow_that_is_tried_again_counts_anew(progress):
    """The second begin forgets what the first try counted."""
    progress.observe(JobChanged(JOB, S.PLANNED, S.DONE, money=BucketMove("USD", Decimal(1), None, Bucket.SPENT)))
    progress.begin([S.DONE, S.PLANNED], [])
    assert (progress.words(), progress.held, progress.done_before) == ("1 of 2 done, 1 planned", {}, 1)
