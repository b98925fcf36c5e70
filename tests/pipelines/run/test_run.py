"""What a run remembers and tells: a cache that every write corrects, and events from which all words follow."""

from __future__ import annotations

import logging
import time
from decimal import Decimal

import pytest

from pipelines.core.errors import BudgetReached, FundsExhausted, SetupError
from pipelines.core.events import JobChanged, ProviderClosed, ProviderSlowed, SubmissionsClosed
from pipelines.core.job import RemoteJob
from pipelines.core.money import Balance, Bucket, BucketMove
from pipelines.core.outcome import Accepted, Parked, Unsent
from pipelines.core.status import JobStatus
from pipelines.ledger import outcomes
from pipelines.run.observers import SAID
from pipelines.run.run import current_run


@pytest.fixture
async def run(studio):
    """A run of two jobs in which nothing has begun, and what its observers were told."""
    async with studio.opened(studio.job("a"), studio.job("b")) as opened:
        opened.told = []
        opened.observers = (*opened.observers, opened.told.append)
        yield opened


async def test_memory_counts_and_observers_learn_from_the_write(run):
    """A reservation that was written is in the run's memory, in its counts, in its sums, and told once."""
    forty = Decimal("0.40")
    change = await run.reserve(run.job("a"), "account")
    assert run.status_of("a") is change.state.status is JobStatus.SUBMITTING
    assert (run.progress.counts[JobStatus.SUBMITTING], run.progress.held) == (
        1,
        {"USD": Balance("USD", reserved=forty)},
    )
    assert [(event.job.id, event.before, event.after, event.money) for event in run.told] == [
        ("a", JobStatus.PLANNED, JobStatus.SUBMITTING, BucketMove("USD", forty, None, Bucket.RESERVED))
    ]


async def test_what_somebody_else_wrote_corrects_the_memory(run):
    """An outcome that comes too late changes nothing, is taken for nothing, and leaves the truth in the memory."""
    job = run.job("a")
    claim = (await run.reserve(job, "account")).claim
    await run.ledger.write(outcomes.record, "a", Unsent("a person gave it back"), claim)
    assert run.status_of("a") is JobStatus.SUBMITTING  # a cache, until the next write
    change = await run.record(job, Accepted(RemoteJob("p-1", "video")), claim)
    assert (change.changed, run.status_of("a"), run.progress.counts[JobStatus.WAITING]) == (False, JobStatus.PLANNED, 0)
    assert run.told[-1] == JobChanged(job, JobStatus.SUBMITTING, JobStatus.PLANNED)


async def test_what_changes_nothing_is_not_told(run):
    """A job that is parked before it was accepted: no write, no count, no word."""
    change = await run.record(run.job("a"), Parked("generate", "deadline", "m"))
    assert (change.changed, run.told, run.progress.counts[JobStatus.PLANNED]) == (False, [], 2)


async def test_a_provider_is_closed_aloud_once(run):
    """The same reason from ten orders that were on their way together is one sentence; another reason is another."""
    session = run.sessions["qiniu"]
    for reason in ("no balance", "no balance", "forbidden"):
        run.close_provider(session, FundsExhausted(reason))
    assert [str(event.reason) for event in run.told if isinstance(event, ProviderClosed)] == ["no balance", "forbidden"]
    for _ in range(2):
        run.close(BudgetReached("spent"))
    assert sum(isinstance(event, SubmissionsClosed) for event in run.told) == 1


async def test_what_comes_again_and_again_is_told_rarely(run, monkeypatch):
    """At most once a minute of each topic."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for later, name in ((0, "qiniu"), (1, "qiniu"), (1, "acedata"), (57, "qiniu"), (2, "qiniu")):
        now += later
        run.emit_rarely(name, ProviderSlowed(name, now))
    monkeypatch.undo()
    assert [event.hold_s for event in run.told] == [1000, 1002, 1061]


async def test_the_log_hears_what_is_said(run, caplog):
    """Prefect shows this logger: each sentence once, as serious as it is."""
    caplog.set_level(logging.INFO, logger="reelbatch")
    run.close_provider(run.sessions["qiniu"], FundsExhausted("no balance"))
    run.leave_out(run.job("a"), BudgetReached("too dear"))
    assert caplog.record_tuples == [(SAID, logging.ERROR, "no balance"), (SAID, logging.WARNING, "too dear")]


def test_a_task_by_itself_is_told_where_it_belongs():
    """Outside the flow there is no run; the message says what to call."""
    with pytest.raises(SetupError, match="inside the flow `campaign`"):
        current_run()
