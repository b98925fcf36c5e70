from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.events import RowChange
from pipelines.core.outcome import Failed, Skipped
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import registration, views
from tests.pipelines.ledger.conftest import EVERYWHERE, tell


async def _statuses(ledger):
    return {name: standing.status for name, standing in (await ledger.write(views.states)).items()}


@EVERYWHERE
async def test_jobs_are_written_in_their_order(ledger, register, make_job):
    """A new batch is on record, row by row, before anything is sent; a switched-off row is skipped."""
    await register(ledger, make_job("b"), make_job("a", enabled=False), make_job("c"))
    records = await ledger.write(lambda connection: list(views.records(connection)))
    assert [(r.job.id, r.status) for r in records] == [
        ("b", JobStatus.PLANNED),
        ("a", JobStatus.SKIPPED),
        ("c", JobStatus.PLANNED),
    ]


@pytest.mark.parametrize(
    "status", [s for s in JobStatus if s not in (JobStatus.SUBMITTING, JobStatus.SKIPPED)], ids=str
)
async def test_the_same_rows_again_change_nothing(ledger, register, make_job, rows, bring_to, status):
    """Reading the same batch again leaves every job as it stands, whatever that is."""
    await register(ledger, make_job())
    await bring_to(ledger, make_job(), status)
    before = (await rows(ledger, "job"), await rows(ledger), await rows(ledger, "account"))
    await register(ledger, make_job())
    assert (await rows(ledger, "job"), await rows(ledger), await rows(ledger, "account")) == before
    assert await _statuses(ledger) == {"a": status}


@pytest.mark.parametrize(
    "status", [JobStatus.PLANNED, JobStatus.REJECTED, JobStatus.FAILED, JobStatus.CANCELLED], ids=str
)
async def test_an_edited_row_that_owes_nothing_is_planned_anew(
    ledger, register, make_job, rows, send, bring_to, status
):
    """Editing a row that was refused or failed asks for a new purchase, and its old story is forgotten."""
    await register(ledger, make_job())
    await bring_to(ledger, make_job(), status)
    edited = make_job(prompt="a dog")
    await register(ledger, edited, sha="s2")
    [job] = await rows(ledger, "job")
    assert (job["status"], job["fingerprint"], job["billed"]) == ("planned", edited.order.fingerprint(), "no")
    old = ("provider_job_id", "trace_id", "account", "submitted_at", "completed_at", "error_code", "failed_stage")
    assert [job[name] for name in old] == [None] * len(old)
    await send(ledger, edited)


BOUGHT = [JobStatus.IN_DOUBT, JobStatus.WAITING, JobStatus.READY, JobStatus.PARKED, JobStatus.DONE, JobStatus.EXPIRED]


@pytest.mark.parametrize("status", BOUGHT, ids=str)
async def test_an_edited_row_that_was_bought_stays_as_it_is(ledger, register, make_job, rows, bring_to, status):
    """Its order, status and money stay as they are, what it asks for now is known, and the rest of the batch goes on."""
    await register(ledger, make_job(row=7))
    await bring_to(ledger, make_job(row=7), status)
    money = (await rows(ledger), await rows(ledger, "account"))
    for _ in range(2):
        await register(ledger, make_job(prompt="a dog", row=9, tags=("x",)), make_job("new", row=8), sha="s2")
    [changed] = await ledger.write(views.changed_rows)
    assert changed.change == RowChange("a", 9, status, ("prompt",))
    assert (changed.bought.order.prompt, changed.bought.tags, changed.asked_for.order.prompt) == (
        "a cat",
        ("x",),
        "a dog",
    )
    assert (await rows(ledger), await rows(ledger, "account")) == money
    assert await _statuses(ledger) == {"a": status, "new": JobStatus.PLANNED}
    records = await ledger.write(lambda connection: {r.job.id: r.flags for r in views.records(connection)})
    assert ("row_changed" in records["a"], "row_changed" in records["new"]) == (True, False)
    assert [e["job_id"] for e in await rows(ledger, "event") if e["kind"] == "row_changed"] == ["a"]

    await register(ledger, make_job(row=7), sha="s1")
    assert await ledger.write(views.changed_rows) == []


@pytest.mark.parametrize(
    ("edit", "differs"),
    [
        ({"prompt": "a dog", "seconds": 12, "mode": "v3"}, ("prompt", "seconds")),
        ({"mode": "v3", "fixed": {"v": 3}}, ("mode", "fixed")),
        ({"fixed": {"v": 3}}, ("fixed",)),
    ],
)
async def test_what_a_bought_row_asks_for_now_is_named(ledger, register, make_job, accept, edit, differs):
    """The parts that differ; what a mode always sends is the profile's, and named only where the row is untouched."""
    job = make_job()
    await register(ledger, job)
    await accept(ledger, job, "p-1")
    await register(ledger, job.model_copy(update={"order": job.order.model_copy(update=edit)}), sha="s2")
    [changed] = await ledger.write(views.changed_rows)
    assert changed.change.differs == differs


@pytest.mark.parametrize("billed", [Billed.UNKNOWN, Billed.YES], ids=str)
async def test_an_edited_row_whose_failure_may_cost_is_not_bought_anew(ledger, register, make_job, accept, billed):
    """What has failed and may have been charged is settled by a person: an edit alone buys nothing."""
    await register(ledger, make_job())
    await accept(ledger, make_job())
    await tell(ledger, "a", Failed("generate", "c", "m", billed))
    await register(ledger, make_job(prompt="a dog"), sha="s2")
    assert await _statuses(ledger) == {"a": JobStatus.FAILED}
    assert len(await ledger.write(views.changed_rows)) == 1


async def test_a_mode_may_be_renamed(ledger, register, make_job, accept, rows):
    """What a profile calls its mode is no part of what was bought, so that no new name buys a row again."""
    job = make_job()
    await register(ledger, job)
    await accept(ledger, job, "p-1")
    await register(ledger, job.model_copy(update={"order": job.order.model_copy(update={"mode": "clips"})}), sha="s2")
    assert [(row["status"], row["provider_job_id"]) for row in await rows(ledger, "job")] == [("waiting", "p-1")]


@EVERYWHERE
async def test_removed_rows_stay_and_what_was_paid_is_brought_home(ledger, register, make_job, accept, rows):
    """A row that left the file keeps its job; it is no longer made, but what was bought of it is an orphan to fetch."""
    await register(ledger, make_job("a"), make_job("b"), make_job("c"))
    await accept(ledger, make_job("a"))
    await register(ledger, make_job("c"), sha="s2")
    assert {job["id"]: bool(job["in_batch"]) for job in await rows(ledger, "job")} == {
        "a": False,
        "b": False,
        "c": True,
    }
    assert [job.id for job in await ledger.write(views.orphans)] == ["a"]
    records = await ledger.write(lambda connection: list(views.records(connection)))
    marked = {r.job.id: (r.counts, "removed" in r.flags) for r in records}
    assert marked == {"c": (True, False), "a": (False, True), "b": (False, True)}
    overview = await ledger.write(views.overview)
    assert (overview.counts, overview.removed) == ({JobStatus.PLANNED: 1}, 2)
    assert [e["job_id"] for e in await rows(ledger, "event") if e["kind"] == "removed"] == ["a", "b"]
    await register(ledger, make_job("a"), make_job("b"), make_job("c"))
    assert await ledger.write(views.orphans) == []


async def test_enabled_switches_between_planned_and_skipped(ledger, register, make_job, accept):
    """Switching a planned row off skips it, switching it on plans it; what was bought is not touched by it."""
    await register(ledger, make_job("a"), make_job("b"))
    await accept(ledger, make_job("b"))
    await register(ledger, make_job("a", enabled=False), make_job("b", enabled=False))
    assert await _statuses(ledger) == {"a": JobStatus.SKIPPED, "b": JobStatus.WAITING}
    await register(ledger, make_job("a"), make_job("b"))
    assert await _statuses(ledger) == {"a": JobStatus.PLANNED, "b": JobStatus.WAITING}


async def test_a_row_that_was_skipped_for_its_parent_is_planned_again(ledger, register, make_job, rows):
    """A child that was skipped when its parent failed gets a new chance with every run, and its old error is gone."""
    jobs = [make_job("a"), make_job("b", parent="a")]
    await register(ledger, *jobs)
    assert (await tell(ledger, "b", Skipped(code="parent_failed", message="it is a remix of a"))).changed
    await register(ledger, *jobs)
    assert await _statuses(ledger) == {"a": JobStatus.PLANNED, "b": JobStatus.PLANNED}
    assert [(job["error_code"], job["error_message"], job["failed_stage"]) for job in await rows(ledger, "job")] == [
        (None, None, None)
    ] * 2


async def test_an_edited_and_disabled_row_is_skipped(ledger, register, make_job):
    """An edit does not bring a row back that is switched off."""
    await register(ledger, make_job())
    await register(ledger, make_job(prompt="a dog", enabled=False))
    assert await _statuses(ledger) == {"a": JobStatus.SKIPPED}


async def test_the_plan_of_a_known_row_is_kept_up_to_date(ledger, register, make_job):
    """What does not change the purchase, such as row, tags or file name, follows the file."""
    await register(ledger, make_job())
    await register(ledger, make_job(row=5, tags=("hero",)), sha="s2")
    [record] = await ledger.write(lambda connection: list(views.records(connection)))
    assert (record.job.row, record.job.tags) == (5, ("hero",))


async def test_the_campaign_is_that_of_the_file_read_last(ledger, register, make_job):
    """Going back to an earlier file makes it the current one again."""
    for sha, campaign in (("s1", "spring"), ("s2", "autumn"), ("s1", "spring")):
        await register(ledger, make_job(), sha=sha, campaign=campaign)
    assert (await ledger.write(views.overview)).campaign == "spring"


async def test_a_large_batch_is_written_in_one_go(ledger, make_job):
    """Ten thousand rows, more than one chunk, are enrolled together, and again."""
    model = make_job()
    jobs = [model.model_copy(update={"id": f"j{n}"}) for n in range(10_001)]
    for _ in range(2):
        await ledger.write(registration.register, jobs, campaign="x", path=Path("x.csv"), source_sha256="s")
    assert (await ledger.write(views.overview)).counts == {JobStatus.PLANNED: 10_001}
