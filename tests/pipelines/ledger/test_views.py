from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pipelines.core.money import Balance
from pipelines.core.outcome import Done, InDoubt, Rejected, Unsent
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import views
from tests.pipelines.ledger.conftest import EVERYWHERE, tell

END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": datetime(2026, 1, 8, tzinfo=UTC)}


@EVERYWHERE
async def test_attempts_are_orders_that_were_sent(ledger, register, claim, accept, make_job):
    """A row that waited for its turn when a run ended, or could not be sent, was not ordered then."""
    await register(ledger, make_job("a"), make_job("b"))
    await tell(ledger, await claim(ledger, make_job("a")), Unsent("the run is stopping"))
    await accept(ledger, make_job("a"), "p-1")
    await tell(ledger, await claim(ledger, make_job("b")), Rejected("row", "image_unusable", "it is gone"))
    records = await ledger.write(lambda connection: list(views.records(connection)))
    assert {record.job.id: record.attempts for record in records} == {"a": 1, "b": 0}


@EVERYWHERE
async def test_a_record_tells_all_of_a_job(ledger, register, accept, make_job):
    """One record holds what was ordered, what came of it, and what it cost."""
    job = make_job(own={"shot": "12"}, tags=("hero",))
    await register(ledger, job)
    await accept(ledger, job, "p-1")
    await tell(ledger, "a", Done(output={"path": "videos/a.mp4"}, flags=("shorter",), **END))
    [record] = await ledger.write(lambda connection: list(views.records(connection)))
    assert record.job == job
    assert (record.status, record.in_batch, record.attempts) == (JobStatus.DONE, True, 1)
    assert (record.provider_job_id, record.trace_id) == ("p-1", "t-1")
    assert (record.completed_at, record.url_expires_at) == (END["completed_at"], END["url_expires_at"])
    assert (record.output, record.flags) == ({"path": "videos/a.mp4"}, ("shorter",))
    assert (record.cost_actual, record.billed) == (Decimal("0.4"), Billed.YES)
    assert (record.error_code, record.error_message, record.failed_stage) == (None, None, None)
    assert record.submitted_at is not None
    assert record.downloaded_at >= record.submitted_at


@EVERYWHERE
async def test_records_come_in_the_order_of_the_file(ledger, register, make_job):
    """The file's order is kept, and rows that left it come last."""
    await register(ledger, *[make_job(name) for name in "dacb"])
    await register(ledger, make_job("b"), make_job("c"))
    records = await ledger.write(lambda connection: list(views.records(connection)))
    assert [record.job.id for record in records] == ["b", "c", "d", "a"]


@EVERYWHERE
async def test_the_overview_counts_jobs_and_money(ledger, register, accept, send, make_job):
    """Counts and buckets of the whole ledger, as data that a program can read without losing a cent."""
    jobs = [make_job(name) for name in "abc"]
    await register(ledger, *jobs)
    await accept(ledger, jobs[0])
    await tell(ledger, await send(ledger, jobs[1]), InDoubt(reason="reset"))
    overview = await ledger.write(views.overview)
    assert overview.counts == {JobStatus.PLANNED: 1, JobStatus.IN_DOUBT: 1, JobStatus.WAITING: 1}
    assert overview.money == [Balance("USD", Decimal("0.4"), Decimal(0), Decimal("0.4"))]
    shown = overview.as_dict()
    assert (shown["campaign"], shown["total"]) == ("spring", 3)
    assert shown["money"] == [{"currency": "USD", "spent": "0", "reserved": "0.4", "uncertain": "0.4", "assumed": {}}]


@EVERYWHERE
async def test_an_empty_ledger_has_a_view(ledger):
    """Before the first batch there is nothing, and saying so is no error."""
    assert await ledger.write(views.states) == {}
    assert await ledger.write(views.orphans) == []
    overview = await ledger.write(views.overview)
    assert (overview.campaign, overview.counts, overview.money) == ("", {}, [])
