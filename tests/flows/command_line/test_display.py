from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

import flows.command_line.display as module
from flows.command_line.display import display
from pipelines.core.errors import ReelbatchError
from pipelines.core.events import JobChanged, JobLeftOut, RunBegan
from pipelines.core.job import Job, Order
from pipelines.core.money import Bucket, BucketMove
from pipelines.core.status import JobStatus
from pipelines.run.progress import RunProgress


@pytest.fixture
def heard(capsys):
    """Wait until a number of lines was said, and give them."""
    lines = []

    async def wait(number):
        while len(lines) < number:
            lines.extend(capsys.readouterr().err.splitlines())
            await asyncio.sleep(0.01)
        return lines

    return wait


@pytest.fixture
def quick(monkeypatch):
    """Lines may follow each other closely."""
    monkeypatch.setattr(module, "_PLAIN_EVERY_S", 0.05)
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)


ORDER = Order(provider="qiniu", model="sora-2", prompt="x")
JOB = Job(id="job-1", row=1, campaign="x", order=ORDER, filename="job-1.mp4")


@pytest.fixture
def run():
    """What a run does to its counts and to an observer, one event after the other."""

    def tell(progress, observe, *events):
        for event in events:
            progress.observe(event)
            observe(event)

    return tell


async def test_without_a_terminal_it_is_plain_lines(heard, run):
    """In a log what is said comes at once, in full; changes that come together are one line of where it stands."""
    progress = RunProgress()
    progress.begin([JobStatus.DONE, JobStatus.PLANNED], [])
    with display(progress, plain=True) as (show, observe):
        show("Starting ...")
        price = {"money": BucketMove("USD", Decimal("0.40"), None, Bucket.RESERVED, assumed=True)}
        run(progress, observe, RunBegan(), JobChanged(JOB, JobStatus.PLANNED, JobStatus.SUBMITTING, **price))
        run(progress, observe, JobLeftOut("job-1", ReelbatchError("[bold]job-1[/bold]: rejected")))
        line = "1/2 done · 0 in flight · spent 0.00 USD, reserved 0.40 (assumed)"
        assert await heard(3) == ["Starting ...", "[bold]job-1[/bold]: rejected", line]


async def test_the_last_change_is_shown(heard, quick, run):
    """A change that comes close upon a line is shown a little later, without another change."""
    progress = RunProgress()
    progress.begin([JobStatus.PLANNED], [])
    with display(progress, plain=True) as (_, observe):
        run(progress, observe, JobChanged(JOB, JobStatus.PLANNED, JobStatus.SUBMITTING))
        await heard(1)
        run(progress, observe, JobChanged(JOB, JobStatus.SUBMITTING, JobStatus.WAITING))
        assert await heard(2) == ["0/1 done · 0 in flight", "0/1 done · 1 in flight"]


async def test_when_nothing_changes_it_still_says_where_it_stands(heard, quick, run, monkeypatch):
    """A run that only waits says so again and again."""
    monkeypatch.setattr(module, "_STILL_EVERY_S", 0.05)
    progress = RunProgress()
    progress.begin([JobStatus.WAITING], [])
    with display(progress, plain=True) as (_, observe):
        run(progress, observe, RunBegan())
        assert set(await heard(4)) == {"0/1 done · 1 in flight"}


async def test_it_is_silent_when_the_run_is_over(capsys):
    """What an observer hears after the end is not shown in the midst of other words."""
    with display(RunProgress(), plain=True) as (_, observe):
        pass
    observe(JobLeftOut("job-1", ReelbatchError("late")))
    await asyncio.sleep(0.15)
    assert capsys.readouterr().err == ""
