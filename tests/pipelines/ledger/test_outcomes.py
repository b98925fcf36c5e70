from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest

from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Accepted, Done, Failed, Outcome, Parked, Ready, Unsent
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import attempts, outcomes
from pipelines.ledger.job_state import state_of
from tests.pipelines.ledger.conftest import EVERYWHERE, tell

OUTPUT = {"path": "videos/a.mp4", "bytes": 3, "sha256": "00"}
END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": datetime(2026, 1, 8, tzinfo=UTC)}
PARK = {"stage": "generate", "code": "deadline", "message": "still running"}


@pytest.fixture
async def waiting(ledger, register, accept, make_job):
    """A ledger with one accepted job of 0.40 USD."""
    await register(ledger, make_job())
    await accept(ledger, make_job())
    return ledger


async def _only_job(ledger, rows):
    [job] = await rows(ledger, "job")
    return job


@EVERYWHERE
async def test_ready_is_paid(waiting, rows, buckets):
    """What the provider has finished is paid for, also before it is home."""
    await tell(waiting, "a", Ready(**END))
    job = await _only_job(waiting, rows)
    assert (job["status"], job["billed"], job["url_expires_at"]) == ("ready", "yes", "2026-01-08T00:00:00.000Z")
    assert await buckets(waiting) == (0, 40, 0)


@EVERYWHERE
async def test_done_records_the_clip(waiting, rows, buckets):
    """A clip on disk is spent money, and its row says where the file is and what it cost."""
    await tell(waiting, "a", Done(output=OUTPUT, flags=("shorter",), **END))
    job = await _only_job(waiting, rows)
    assert (job["status"], job["billed"], job["cost_actual_micros"]) == ("done", "yes", 400_000)
    assert ('"videos/a.mp4"' in job["output"], job["flags"]) == (True, '["shorter"]')
    assert await buckets(waiting) == (0, 40, 0)


@pytest.mark.parametrize(
    ("billed", "expected"),
    [(Billed.YES, (0, 40, 0)), (Billed.NO, (0, 0, 0)), (Billed.UNKNOWN, (0, 0, 40))],
    ids=str,
)
async def test_w14_a_failure_costs_what_the_profile_says(waiting, rows, buckets, billed, expected):
    """A job that fails at the provider counts as the provider charges for failures, or as uncertain."""
    await tell(waiting, "a", Failed(status=JobStatus.FAILED, stage="generate", code="x", message="y", billed=billed))
    job = await _only_job(waiting, rows)
    assert (job["status"], job["error_code"], job["billed"]) == ("failed", "x", billed)
    assert await buckets(waiting) == expected
    assert [a["state"] for a in await rows(waiting)] == ["closed"]


async def test_w10_parked_stays_alive_and_reserved(waiting, rows, buckets):
    """A deadline parks: the attempt stays live, its price reserved, and a later answer is taken as ever."""
    await tell(waiting, "a", Parked(**PARK))
    assert (await _only_job(waiting, rows))["status"] == "parked"
    assert await buckets(waiting) == (40, 0, 0)
    await tell(waiting, "a", Ready(**END))
    job = await _only_job(waiting, rows)
    assert (job["status"], job["error_code"], job["error_message"]) == ("ready", None, None)


async def _ended(ledger, how):
    if how is JobStatus.DONE:
        await tell(ledger, "a", Done(output=OUTPUT, flags=(), **END))
    else:
        await tell(ledger, "a", Failed(status=how, stage="generate", code="c", message="m", billed=Billed.NO))


@pytest.mark.parametrize("late", ["ready", "done", "failed", "parked"])
@pytest.mark.parametrize("how", [JobStatus.DONE, JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED], ids=str)
async def test_w08_what_has_ended_stays_ended(waiting, rows, buckets, how, late):
    """No later word changes a job that has ended, nor moves its money."""
    await _ended(waiting, how)
    before = (await rows(waiting), await rows(waiting, "job"), await buckets(waiting), await rows(waiting, "event"))
    if late == "ready":
        await tell(waiting, "a", Ready(**END))
    elif late == "done":
        await tell(waiting, "a", Done(output=OUTPUT, flags=("late",), **END))
    elif late == "parked":
        await tell(waiting, "a", Parked(**PARK))
    else:
        await _ended(waiting, JobStatus.FAILED)
    after = (await rows(waiting), await rows(waiting, "job"), await buckets(waiting), await rows(waiting, "event"))
    assert after == before


async def test_a_job_that_was_never_accepted_has_no_ending(ledger, register, make_job, rows):
    """Endings are for accepted jobs: a planned one is not touched by them."""
    await register(ledger, make_job())
    await tell(ledger, "a", Ready(**END))
    await tell(ledger, "a", Done(output=OUTPUT, flags=(), **END))
    await tell(ledger, "a", Parked(**PARK))
    assert (await ledger.write(state_of, "a")).status is JobStatus.PLANNED
    assert await rows(ledger, "account") == []


async def test_a_later_trace_id_is_kept(ledger, register, send, make_job, rows):
    """What support asks for, where the provider says it only at the end; what was there is not taken away."""
    await register(ledger, make_job())
    await tell(ledger, await send(ledger, make_job()), Accepted(RemoteJob("p-1", "video")))
    await tell(ledger, "a", Ready(**END, trace_id="at the end"))
    change = await tell(ledger, "a", Done(output=OUTPUT, **END))
    assert (change.state.trace_id, (await _only_job(ledger, rows))["trace_id"]) == ("at the end", "at the end")


@EVERYWHERE
async def test_a_change_says_all_that_it_changed(ledger, register, claim, make_job):
    """From one return follow the new state, the move of money, and whether anything was written at all."""
    await register(ledger, make_job())
    reserved = await ledger.write(outcomes.reserve, make_job(), "account-a", None)
    assert (reserved.state.status, reserved.money.committed) == (JobStatus.SUBMITTING, Decimal("0.4"))
    assert await ledger.write(attempts.mark_sending, reserved.claim)
    accepted = await tell(ledger, reserved.claim, Accepted(RemoteJob("p-1", "video")))
    assert (accepted.changed, accepted.state.status, accepted.state.provider_job_id) == (True, JobStatus.WAITING, "p-1")
    assert accepted.money is None
    failed = await tell(ledger, "a", Failed("generate", "c", "m", Billed.NO))
    assert (failed.state.status, failed.money.committed) == (JobStatus.FAILED, Decimal("-0.4"))


async def test_an_acceptance_that_changes_nothing_is_not_taken_for_one(ledger, register, claim, make_job):
    """Who comes too late, as after a take-over, hears where the job stands now, and not that it waits."""
    await register(ledger, make_job())
    claimed = await claim(ledger, make_job())
    await tell(ledger, claimed, Unsent("no route"))
    change = await tell(ledger, claimed, Accepted(RemoteJob("p-1", "video")))
    assert (change.changed, change.state.status, change.outcome, change.money) == (False, JobStatus.PLANNED, None, None)


async def test_any_words_of_a_provider_can_be_kept(waiting, rows):
    """Emoji, quotes and SQL in a provider's message are data."""
    message = "🎬 \"';DROP TABLE job;--"
    await tell(waiting, "a", Parked(stage="generate", code="'", message=message))
    assert (await _only_job(waiting, rows))["error_message"] == message


def test_every_outcome_has_a_step():
    """A kind of outcome that is added later cannot be forgotten; what is none is a bug of ours."""
    registered = {kind for kind in outcomes.step_of.registry if kind is not object}
    assert registered == set(get_args(Outcome))
    with pytest.raises(TypeError, match="str is no outcome"):
        outcomes.step_of("accepted", None)
