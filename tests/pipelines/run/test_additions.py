"""What a person orders while a run goes on is made by that run, within its own caps."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from pipelines.actions.collect import collect_folder
from pipelines.actions.redo import plan_redo, redo_in_run
from pipelines.actions.retry import plan_retry, retry_in_run
from pipelines.core.errors import FundsExhausted, SettlementRefused
from pipelines.core.money import Bucket
from pipelines.core.status import JobStatus
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.run import requests as of_run
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.options import RunOptions

FAILS = {"match": {"route": "submit", "nth": [1]}, "do": {"outcome": "generation_failed"}}


@pytest.fixture
def going_on(studio, monkeypatch):
    """A run that has done all but its row `slow`, which waits for the end of the block."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)

    @asynccontextmanager
    async def begun(*jobs, **options):
        gate = asyncio.Event()
        async with studio.opened(*jobs, studio.job("slow"), **options) as run:

            async def work(job):
                if job.id == "slow":
                    await gate.wait()
                await generate_job(job.id, run)

            heeding = asyncio.create_task(of_run.heed_requests(run))
            working = asyncio.create_task(dispatch(run, work))
            await studio.until(lambda: run.begin_also is not None)
            yield run
            gate.set()
            await asyncio.wait_for(working, 20)
            heeding.cancel()

    return begun


def _at(run, name, status):
    return lambda: name in run.states and run.states[name].status is status


async def test_a_new_take_is_made_at_once(studio, going_on):
    """It replaces the old one in counts and sums, and no later run buys anything."""
    jobs = [studio.job("a")]
    await studio.make(*jobs)
    async with going_on(*jobs) as run:
        owner = await redo_in_run(plan_redo(studio.folder / "out", "a", "clip another"))
        assert owner.pid == os.getpid()
        await studio.until(_at(run, "a-r2", JobStatus.DONE))
        assert (run.progress.total, run.progress.counts[JobStatus.DONE]) == (2, 1)
        assert [job.id for job in run.batch.jobs] == ["a", "a-r2", "slow"]
    assert studio.result.exit_code == 0
    records = studio.records()
    assert (records["a"].replaced_by, records["a-r2"].output["path"]) == ("a-r2", "videos/a-r2.mp4")
    assert studio.bought() == [("qiniu", "a"), ("qiniu", "another"), ("qiniu", "slow")]
    await studio.make(*jobs, studio.job("slow"))
    assert len(studio.bought()) == 3


async def test_what_has_failed_is_made_with_its_remixes(studio, going_on):
    """Also what failed in this very run a moment ago; each is bought once more and not twice."""
    jobs = [studio.job("a"), studio.job("r", parent="a"), studio.job("s", parent="r")]
    studio.sandbox.faults(FAILS)
    async with going_on(*jobs) as run:
        await studio.until(_at(run, "s", JobStatus.SKIPPED))
        studio.sandbox.faults()
        plan = plan_retry(studio.folder / "out")
        assert (plan.ids, plan.with_them) == (("a",), ("r", "s"))
        assert (await retry_in_run(plan)).pid == os.getpid()
        await studio.until(_at(run, "s", JobStatus.DONE))
    assert {record.status for record in studio.records().values()} == {JobStatus.DONE}
    assert sorted(studio.bought()) == [("qiniu", name) for name in ("a", "a", "r", "s", "slow")]


async def test_a_row_begins_again_with_what_it_asked_for_first(studio, going_on):
    """Though the failed one had been made by its fallback."""
    studio.sandbox.faults(
        {"match": {"route": "submit", "nth": [1]}, "do": {"status": 400}},
        {"match": {"route": "submit", "nth": [2]}, "do": {"outcome": "generation_failed"}},
    )
    job = studio.job("a", "openai")
    async with going_on(job) as run:
        await studio.until(_at(run, "a", JobStatus.FAILED))
        assert run.job("a").order.provider == "openai"
        studio.sandbox.faults()
        await retry_in_run(plan_retry(studio.folder / "out"))
        await studio.until(_at(run, "a", JobStatus.DONE))
    assert studio.bought() == [("openai", "a"), ("qiniu", "a"), ("qiniu", "slow")]


async def test_the_budget_of_the_run_holds(studio, going_on):
    """What does not fit is refused with what is left; the run and its rows are not concerned."""
    await studio.make(studio.job("a"))
    plan = plan_redo(studio.folder / "out", "a")
    async with going_on(studio.job("a"), budget=Decimal("0.80")) as run:
        run.progress.held["USD"] = run.progress.held["USD"].plus(Bucket.RESERVED, Decimal("0.10"), assumed=False)
        with pytest.raises(
            SettlementRefused, match=r"has 0.30 USD left of its budget of 0.80 USD, and a-r2 costs 0.40"
        ):
            await redo_in_run(plan)
        assert run.closed is None
    assert (studio.result.exit_code, len(studio.bought())) == (0, 2)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"budget": Decimal("0.39")}, "0.40 USD, which --budget does not cover"),
        ({"budget_per_day": Decimal(9)}, "its own caps of a day"),
    ],
)
async def test_caps_of_the_person_are_kept_or_refused(studio, going_on, options, why):
    """A budget that was named for the new take is looked at before it is asked for; caps of a day are the run's own."""
    await studio.make(studio.job("a"))
    async with going_on(studio.job("a")):
        with pytest.raises(SettlementRefused, match=why):
            await redo_in_run(plan_redo(studio.folder / "out", "a"), RunOptions(**options))
    assert len(studio.bought()) == 2


async def test_a_run_that_orders_nothing_more_says_why(studio, going_on):
    """Its provider is closed, it is being stopped, or it only brings clips home: nothing is changed, and it can be asked for later."""
    await studio.make(studio.job("a"))
    plan = plan_redo(studio.folder / "out", "a")
    async with going_on(studio.job("a")) as run:
        begin, run.begin_also = run.begin_also, None
        with pytest.raises(SettlementRefused, match="at its beginning or its end, or only brings home"):
            await redo_in_run(plan)
        run.begin_also = begin
        run.sessions["qiniu"].closed = FundsExhausted("There is no balance left.")
        with pytest.raises(SettlementRefused, match="orders nothing more: There is no balance left"):
            await redo_in_run(plan)
        run.sessions["qiniu"].closed = None
        session = run.sessions.pop("qiniu")
        with pytest.raises(SettlementRefused, match="no account open at qiniu"):
            await redo_in_run(plan)
        run.sessions["qiniu"] = session
    assert studio.records()["a"].replaced_by is None
    assert len(studio.bought()) == 2


async def test_who_brings_clips_home_orders_nothing(studio):
    """`collect` has no caps that anybody has agreed to."""
    await studio.make(studio.job("a"))
    studio.sandbox.faults({"match": {"route": "status"}, "do": {"status": 503}})
    jobs, folder = (studio.job("a"), studio.job("b")), studio.folder / "out"
    await studio.interrupt(*jobs, when=lambda run: run.status_of("b") is JobStatus.WAITING)
    collecting = asyncio.create_task(collect_folder(folder, RunOptions(poll_every=0.05)))
    await studio.until(LedgerReader(ledger_in(folder)).is_being_written)
    with pytest.raises(SettlementRefused, match="only brings home what is paid for"):
        await redo_in_run(plan_redo(folder, "a"))
    studio.sandbox.faults()
    assert (await collecting).recovered == ("b",)
    assert len(studio.bought()) == 2


async def test_what_was_bought_elsewhere_is_not_bought_again(studio, going_on):
    """A row that failed here and was made in another folder meanwhile is refused, unless the person says again."""
    job = studio.job("a")
    studio.sandbox.faults(FAILS)
    async with going_on(job) as run:
        await studio.until(_at(run, "a", JobStatus.FAILED))
        studio.sandbox.faults()
        said, result = list(studio.said), studio.result
        await studio.make(job, out=studio.folder / "elsewhere", again=True)
        studio.said[:], studio.result = said, result
        plan = plan_retry(studio.folder / "out")
        with pytest.raises(SettlementRefused, match="bought before: a"):
            await retry_in_run(plan)
        await retry_in_run(plan, RunOptions(again=True))
        await studio.until(_at(run, "a", JobStatus.DONE))
    assert sorted(studio.bought()) == [("qiniu", name) for name in ("a", "a", "a", "slow")]


async def test_where_no_run_goes_on_nobody_is_asked(studio):
    """Then the command begins a run of its own."""
    await studio.make(studio.job("a"))
    folder = studio.folder / "out"
    assert await redo_in_run(plan_redo(folder, "a")) is None
    assert await retry_in_run(plan_retry(folder, ["a"])) is None
