from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from pipelines.core.errors import BudgetReached, FundsExhausted
from pipelines.core.status import JobStatus
from pipelines.ledger.job_state import JobState
from pipelines.run.dispatch import dispatch


@dataclass
class Workshop:
    """Work that takes a moment and makes each job; counts who came, and how many at once."""

    run: object
    begun: Counter = field(default_factory=Counter)
    order: list = field(default_factory=list)
    inside: int = 0
    peak: int = 0

    async def work(self, job):
        """Make one job."""
        self.begun[job.id] += 1
        self.order.append(job.id)
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        await asyncio.sleep(0.005)
        self.inside -= 1
        self.run.states[job.id] = JobState(JobStatus.DONE)


@pytest.fixture
def worked(studio):
    """Dispatch jobs to a workshop, in a run that is made ready first."""

    async def work(*jobs, prepare=lambda _: None, **options):
        async with studio.opened(*jobs, **options) as run:
            prepare(run)
            shop = Workshop(run)
            await asyncio.wait_for(dispatch(run, shop.work), 10)
        return shop

    return work


async def test_every_job_is_begun_once(studio, worked):
    """Those that stand far behind their parents too, and those that go to another provider than their parents."""
    others = [studio.job(f"x{n}") for n in range(60)]
    children = [
        studio.job("b", parent="a"),
        studio.job("c", parent="b", provider="openai"),
        studio.job("d", parent="c"),
    ]
    shop = await worked(studio.job("a"), *others, *children)
    assert shop.begun == Counter(job.id for job in (studio.job("a"), *others, *children))
    assert [name for name in shop.order if name in "abcd"] == ["a", "b", "c", "d"]


async def test_so_many_at_once_as_the_session_has_workers(studio, worked):
    """Each provider's jobs are begun by that session's workers, however many jobs there are."""
    shop = await worked(*(studio.job(f"x{n}") for n in range(60)), in_flight=2)
    assert shop.peak == 2 + 16


@pytest.mark.parametrize("why", ["budget", "no balance", "stop"])
async def test_nothing_new_is_begun_when_nothing_may_be_sent(studio, worked, why):
    """When the run is closed, the provider closed or the day over, no planned job is begun; what is bought is brought home."""

    def prepare(run):
        run.states["bought"] = JobState(JobStatus.WAITING)
        if why == "budget":
            run.close(BudgetReached())
        elif why == "no balance":
            run.sessions["qiniu"].closed = FundsExhausted()
        else:
            run.interrupt()

    jobs = [studio.job("a"), studio.job("bought"), studio.job("b", parent="a"), studio.job("turns", "acedata")]
    shop = await worked(*jobs, prepare=prepare)
    assert set(shop.begun) == {"budget": {"bought"}, "no balance": {"bought", "turns"}, "stop": set()}[why]


async def test_children_of_what_failed_are_begun_to_be_skipped(studio, worked):
    """Also when nothing may be sent any more: to skip a job costs nothing."""

    def prepare(run):
        run.states["a"] = JobState(JobStatus.FAILED)
        run.close(BudgetReached())

    shop = await worked(studio.job("a"), studio.job("b", parent="a"), prepare=prepare)
    assert set(shop.begun) == {"b"}


async def test_a_failure_of_the_work_ends_everything(studio):
    """An exception is a bug of the work: it is not swallowed, and nothing more is begun."""

    async def work(_job):
        raise ZeroDivisionError

    async with studio.opened(*(studio.job(f"x{n}") for n in range(3))) as run:
        with pytest.raises(ExceptionGroup) as caught:
            await dispatch(run, work)
    assert caught.group_contains(ZeroDivisionError)


async def test_what_is_added_is_begun_at_once_or_with_what_it_waits_for(studio):
    """As long as somebody works; a remix that had come too early is not forgotten, and nothing is begun twice."""
    jobs = [studio.job("a"), studio.job("r", parent="a"), studio.job("z"), studio.job("s", parent="z")]
    async with studio.opened(*jobs) as run:
        shop, added = Workshop(run), []

        async def work(job):
            if job.id == "a" and not added:  # it fails, and is to be made once more before its remix has looked
                added.append(job)
                run.states["a"] = JobState(JobStatus.FAILED)
                await asyncio.sleep(0)
                run.states["a"] = JobState(JobStatus.PLANNED)
                run.begin_also(job)
            else:
                await shop.work(job)

        await asyncio.wait_for(dispatch(run, work), 10)
    assert shop.begun == Counter("arzs")
    assert shop.order.index("a") < shop.order.index("r")
    assert run.begin_also is None


async def test_who_takes_no_more_takes_none(studio):
    """Where only clips are brought home, nobody can add an order."""
    async with studio.opened(studio.job("a")) as run:

        async def work(job):
            assert run.begin_also is None
            run.states[job.id] = JobState(JobStatus.DONE)

        await dispatch(run, work, takes_more=False)


async def test_nothing_ends_while_something_is_added(studio):
    """A person's word that is just being written down is heeded by this run, though its last job has ended meanwhile."""
    async with studio.opened(studio.job("a"), studio.job("b")) as run:
        shop, taken = Workshop(run), asyncio.Event()

        async def work(job):
            await shop.work(job)
            if not taken.is_set() and len(shop.order) == 2:
                taken.set()

        async def add():
            async with run.adding:
                await taken.wait()
                await asyncio.sleep(0.05)  # by now nobody works any more
                run.states["a"] = JobState(JobStatus.PLANNED)
                run.begin_also(studio.job("a"))

        adding = asyncio.create_task(add())
        await asyncio.wait_for(dispatch(run, work), 10)
        await adding
    assert shop.begun == Counter("aab")
