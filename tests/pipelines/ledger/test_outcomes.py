from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.core.job import RemoteJob
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import attempts, outcomes

OUTPUT = {"path": "videos/a.mp4", "bytes": 3, "sha256": "00"}
END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": datetime(2026, 1, 8, tzinfo=UTC)}
PARK = {"stage": "generate", "code": "deadline", "message": "still running"}


@pytest.fixture
async def waiting(ledger, enrol, accept, make_job):
    """A ledger with one accepted job of 0.40 USD."""
    await enrol(ledger, make_job())
    await accept(ledger, make_job())
    return ledger


async def _only_job(ledger, rows):
    [job] = await rows(ledger, "job")
    return job


async def test_ready_is_paid(waiting, rows, pots):
    """What the provider has finished is paid for, also before it is home."""
    await waiting.write(outcomes.ready, "a", **END)
    job = await _only_job(waiting, rows)
    assert (job["status"], job["billed"], job["url_expires_at"]) == ("ready", "yes", "2026-01-08T00:00:00.000Z")
    assert await pots(waiting) == (0, 40, 0)


async def test_done_records_the_clip(waiting, rows, pots):
    """A clip on disk is spent money, and its row says where the file is and what it cost."""
    await waiting.write(outcomes.done, "a", output=OUTPUT, flags=["shorter"], **END)
    job = await _only_job(waiting, rows)
    assert (job["status"], job["billed"], job["cost_actual_micros"]) == ("done", "yes", 400_000)
    assert ('"videos/a.mp4"' in job["output"], job["flags"]) == (True, '["shorter"]')
    assert await pots(waiting) == (0, 40, 0)


@pytest.mark.parametrize(
    ("billed", "expected"),
    [(Billed.YES, (0, 40, 0)), (Billed.NO, (0, 0, 0)), (Billed.UNKNOWN, (0, 0, 40))],
    ids=str,
)
async def test_w14_a_failure_costs_what_the_profile_says(waiting, rows, pots, billed, expected):
    """A job that fails at the provider counts as the provider charges for failures, or as uncertain."""
    await waiting.write(
        outcomes.failed, "a", status=JobStatus.FAILED, stage="generate", code="x", message="y", billed=billed
    )
    job = await _only_job(waiting, rows)
    assert (job["status"], job["error_code"], job["billed"]) == ("failed", "x", billed)
    assert await pots(waiting) == expected
    assert [a["state"] for a in await rows(waiting)] == ["closed"]


async def test_w10_parked_stays_alive_and_reserved(waiting, rows, pots):
    """A deadline parks: the attempt stays live, its price reserved, and a later answer is taken as ever."""
    await waiting.write(outcomes.parked, "a", **PARK)
    assert (await _only_job(waiting, rows))["status"] == "parked"
    assert await pots(waiting) == (40, 0, 0)
    await waiting.write(outcomes.ready, "a", **END)
    job = await _only_job(waiting, rows)
    assert (job["status"], job["error_code"], job["error_message"]) == ("ready", None, None)


async def _ended(ledger, how):
    if how is JobStatus.DONE:
        await ledger.write(outcomes.done, "a", output=OUTPUT, flags=[], **END)
    else:
        await ledger.write(outcomes.failed, "a", status=how, stage="generate", code="c", message="m", billed=Billed.NO)


@pytest.mark.parametrize("late", ["ready", "done", "failed", "parked"])
@pytest.mark.parametrize("how", [JobStatus.DONE, JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED], ids=str)
async def test_w08_what_has_ended_stays_ended(waiting, rows, pots, how, late):
    """No later word changes a job that has ended, nor moves its money."""
    await _ended(waiting, how)
    before = (await rows(waiting), await rows(waiting, "job"), await pots(waiting), await rows(waiting, "event"))
    if late == "ready":
        await waiting.write(outcomes.ready, "a", **END)
    elif late == "done":
        await waiting.write(outcomes.done, "a", output=OUTPUT, flags=["late"], **END)
    elif late == "parked":
        await waiting.write(outcomes.parked, "a", **PARK)
    else:
        await _ended(waiting, JobStatus.FAILED)
    after = (await rows(waiting), await rows(waiting, "job"), await pots(waiting), await rows(waiting, "event"))
    assert after == before


async def test_a_job_that_was_never_accepted_has_no_ending(ledger, enrol, make_job, rows):
    """Endings are for accepted jobs: a planned one is not touched by them."""
    await enrol(ledger, make_job())
    await ledger.write(outcomes.ready, "a", **END)
    await ledger.write(outcomes.done, "a", output=OUTPUT, flags=[], **END)
    await ledger.write(outcomes.parked, "a", **PARK)
    assert (await ledger.write(attempts.standing_of, "a")).status is JobStatus.PLANNED
    assert await rows(ledger, "account") == []


async def test_a_later_trace_id_fills_a_gap_only(ledger, enrol, send, make_job, rows):
    """What support asks for is kept when the job ends, unless the acceptance has said it already."""
    await enrol(ledger, make_job())
    await ledger.write(attempts.accepted, await send(ledger, make_job()), RemoteJob("p-1", "video"), None)
    for trace_id in ("at the end", "later still"):
        await ledger.write(outcomes.traced, "a", trace_id)
    assert (await _only_job(ledger, rows))["trace_id"] == "at the end"


async def test_any_words_of_a_provider_can_be_kept(waiting, rows):
    """Emoji, quotes and SQL in a provider's message are data."""
    message = "🎬 \"';DROP TABLE job;--"
    await waiting.write(outcomes.parked, "a", stage="generate", code="'", message=message)
    assert (await _only_job(waiting, rows))["error_message"] == message
