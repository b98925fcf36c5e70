from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import insert

from pipelines.core.errors import BudgetReached, LedgerError, NotCovered
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected, Unsent
from pipelines.core.status import JobStatus
from pipelines.ledger import attempts, outcomes
from pipelines.ledger.attempts import Budget, Claim
from pipelines.ledger.job_state import state_of
from pipelines.ledger.storage.schema import attempt
from tests.pipelines.ledger.conftest import EVERYWHERE, tell


def _insert(connection, job_id, state, provider_job_id=None):
    values = {"id": str(uuid4()), "job_id": job_id, "state": state, "provider_job_id": provider_job_id}
    fixed = {"n": 9, "provider": "qiniu", "account": "account-a", "fingerprint": "f", "epoch": 1, "claimed_at": "now"}
    connection.execute(insert(attempt).values(**values, **fixed))


@pytest.fixture
async def sending(ledger, register, send, make_job):
    """A ledger, and an attempt that is on its way."""
    await register(ledger, make_job())
    return ledger, await send(ledger, make_job())


@EVERYWHERE
async def test_a_claim_reserves_slot_and_money(ledger, register, claim, make_job, rows, buckets):
    """A claim writes one attempt, moves the job to submitting, and reserves its price."""
    await register(ledger, make_job())
    claimed = await claim(ledger, make_job())
    [attempt] = await rows(ledger)
    assert (attempt["id"], attempt["state"], attempt["n"], attempt["bucket"]) == (
        claimed.attempt_id,
        "claimed",
        1,
        "reserved",
    )
    assert (await ledger.write(state_of, "a")).status is JobStatus.SUBMITTING
    assert await buckets(ledger) == (40, 0, 0)


async def test_i06_a_second_claim_is_told_where_the_job_stands(ledger, register, claim, make_job, rows, buckets):
    """A job that is not planned cannot be claimed, and nothing is reserved for the try."""
    await register(ledger, make_job())
    await claim(ledger, make_job())
    again = await ledger.write(outcomes.reserve, make_job(), "account-a", None)
    assert again.claim is None
    assert again.state.status is JobStatus.SUBMITTING
    assert len(await rows(ledger)) == 1
    assert await buckets(ledger) == (40, 0, 0)


@EVERYWHERE
@pytest.mark.parametrize("state", ["claimed", "sending", "in_doubt", "accepted"])
async def test_i06_the_index_refuses_a_second_live_attempt(ledger, register, claim, make_job, rows, state):
    """Whatever writes, by whatever way, a job has at most one live attempt."""
    await register(ledger, make_job())
    await claim(ledger, make_job())
    with pytest.raises(LedgerError, match=r"(?i)unique"):
        await ledger.write(_insert, "a", state)
    assert len(await rows(ledger)) == 1


@pytest.mark.parametrize("state", ["not_sent", "rejected", "closed"])
async def test_the_index_lets_ended_attempts_pile_up(ledger, register, claim, make_job, rows, state):
    """Attempts that ended without a payment do not stand in the way of the next."""
    await register(ledger, make_job())
    await claim(ledger, make_job())
    await ledger.write(_insert, "a", state)
    await ledger.write(_insert, "a", state)
    assert len(await rows(ledger)) == 3


async def test_a_claim_of_an_unknown_job_is_a_bug(ledger):
    """Enrolment comes first: claiming what the ledger does not know is an error of ours."""
    with pytest.raises(KeyError):
        await ledger.write(state_of, "nobody")


@EVERYWHERE
async def test_mark_sending_is_compare_and_set(ledger, register, claim, make_job):
    """Only the first `mark_sending` of a claim may send; a second, or a stranger's, is told no."""
    await register(ledger, make_job())
    claimed = await claim(ledger, make_job())
    assert await ledger.write(attempts.mark_sending, claimed)
    assert not await ledger.write(attempts.mark_sending, claimed)
    assert not await ledger.write(attempts.mark_sending, Claim("no such attempt", "a"))


async def test_i01_not_sent_frees_the_job_and_the_money(ledger, register, claim, make_job, rows, buckets):
    """A claim that never left is released, and the job can be claimed again with the next number."""
    await register(ledger, make_job())
    await tell(ledger, await claim(ledger, make_job()), Unsent("no route"))
    assert await buckets(ledger) == (0, 0, 0)
    await claim(ledger, make_job())
    assert [(a["n"], a["state"]) for a in await rows(ledger)] == [(1, "not_sent"), (2, "claimed")]


async def test_what_is_sending_never_becomes_not_sent(ledger, register, send, make_job, rows):
    """After the commit before the first byte nobody can say that nothing was sent."""
    await register(ledger, make_job())
    await tell(ledger, await send(ledger, make_job()), Unsent("so they say"))
    assert [a["state"] for a in await rows(ledger)] == ["sending"]


async def test_t26_a_job_is_known_as_its_provider_told(ledger, register, send, make_job):
    """The protocol and the addresses of an accepted job are kept with its id, for any later run that asks about it."""
    remote = RemoteJob("qvideo-1", "kling", "https://x/status/1", "https://x/result/1", "fal")
    await register(ledger, make_job())
    await tell(ledger, await send(ledger, make_job()), Accepted(remote))
    assert (await ledger.write(state_of, "a")).remote == remote


async def test_accepted_gives_the_job_its_id(ledger, register, accept, make_job, buckets):
    """An accepted job waits under the provider's id, with its price still reserved."""
    await register(ledger, make_job())
    await accept(ledger, make_job(), "p-1")
    standing = await ledger.write(state_of, "a")
    assert (standing.status, standing.provider_job_id, standing.account) == (JobStatus.WAITING, "p-1", "account-a")
    assert standing.submitted_at is not None
    assert await buckets(ledger) == (40, 0, 0)


@EVERYWHERE
async def test_a_late_id_settles_a_doubt(ledger, register, send, make_job, buckets, rows):
    """An attempt in doubt that turns out to be accepted is waited for, and its error is forgotten."""
    await register(ledger, make_job())
    claimed = await send(ledger, make_job())
    await tell(ledger, claimed, InDoubt(reason="no answer came back"))
    assert await buckets(ledger) == (0, 0, 40)
    await tell(ledger, claimed, Accepted(RemoteJob("p-1")))
    assert await buckets(ledger) == (40, 0, 0)
    [job] = await rows(ledger, "job")
    assert (job["status"], job["error_code"], job["failed_stage"]) == ("waiting", None, None)


@pytest.mark.parametrize(
    ("again", "status"), [(False, JobStatus.REJECTED), (True, JobStatus.PLANNED)], ids=["the row's fault", "not its"]
)
async def test_s30_a_rejection_costs_nothing(sending, buckets, rows, again, status):
    """A sure refusal frees the money, and the job is open again only if the fault was not the row's."""
    ledger, claimed = sending
    await tell(ledger, claimed, Rejected("slow_down" if again else "row", code="bad", message="no", http_status=400))
    assert await buckets(ledger) == (0, 0, 0)
    [job] = await rows(ledger, "job")
    assert (job["status"], job["billed"]) == (status, "no")


@pytest.mark.parametrize(("again", "kept"), [(False, "t-9"), (True, None)])
async def test_s30_a_refusal_keeps_what_support_asks_for(sending, rows, again, kept):
    """The history has the trace id of every refusal; the job has it where the refusal is its end."""
    ledger, claimed = sending
    why = {"code": "bad", "message": "no", "http_status": 400, "trace_id": "t-9"}
    await tell(ledger, claimed, Rejected("slow_down" if again else "row", **why))
    assert [job["trace_id"] for job in await rows(ledger, "job")] == [kept]
    assert ["t-9" in event["detail"] for event in await rows(ledger, "event") if event["kind"] == "rejected"] == [True]


async def test_s11_a_doubt_counts_as_uncertain_and_is_kept(ledger, register, send, make_job, buckets, rows):
    """What may have been paid is never sent again by itself, and its evidence is kept."""
    await register(ledger, make_job())
    claimed = await send(ledger, make_job())
    await tell(ledger, claimed, InDoubt(reason="HTTP 502", http_status=502, excerpt="<html>"))
    assert await buckets(ledger) == (0, 0, 40)
    again = await ledger.write(outcomes.reserve, make_job(), "account-a", None)
    assert again.claim is None
    assert again.state.status is JobStatus.IN_DOUBT
    [job] = await rows(ledger, "job")
    assert (job["billed"], job["error_message"], job["failed_stage"]) == ("unknown", "HTTP 502", "submit")
    [attempt] = await rows(ledger)
    assert (attempt["http_status"], attempt["excerpt"]) == (502, "<html>")


@EVERYWHERE
async def test_s39_a_replayed_id_leaves_the_second_job_in_doubt(
    ledger, register, accept, send, make_job, rows, buckets
):
    """An id that another job owns is never attached twice: the caller hears whose it is, and the job is in doubt."""
    first, second = make_job("a"), make_job("b")
    await register(ledger, first, second)
    await accept(ledger, first, "p-1")
    change = await tell(ledger, await send(ledger, second), Accepted(RemoteJob("p-1"), http_status=200))
    assert change.outcome.replay_of == "a"
    found = {job["id"]: job for job in await rows(ledger, "job")}
    assert (found["a"]["status"], found["a"]["provider_job_id"]) == ("waiting", "p-1")
    assert (found["b"]["status"], found["b"]["provider_job_id"]) == ("in_doubt", None)
    assert "p-1, which belongs to job a" in found["b"]["error_message"]
    assert await buckets(ledger) == (40, 0, 40)


async def test_s39_an_id_is_also_not_given_twice_to_one_job(ledger, register, accept, send, make_job, rows):
    """A second purchase of the same job that gets the id of the first is a replay too."""
    await register(ledger, make_job())
    await accept(ledger, make_job(), "p-1")
    await ledger.write(lambda c: c.exec_driver_sql("UPDATE attempt SET state = 'closed', bucket = NULL"))
    await ledger.write(lambda c: c.exec_driver_sql("UPDATE job SET status = 'planned'"))
    change = await tell(ledger, await send(ledger, make_job()), Accepted(RemoteJob("p-1")))
    assert change.outcome.replay_of == "a"
    assert [a["state"] for a in await rows(ledger)] == ["closed", "in_doubt"]


async def test_equal_ids_of_two_accounts_are_two_jobs(ledger, register, accept, make_job):
    """Ids are unique within an account only: another account may count from one as well."""
    await register(ledger, make_job("a"), make_job("b"))
    await accept(ledger, make_job("a"), "1", account="account-a")
    await accept(ledger, make_job("b"), "1", account="account-b")
    assert (await ledger.write(state_of, "b")).status is JobStatus.WAITING


async def test_the_owner_of_an_id_is_found_by_index(ledger):
    """Accepting stays quick with a hundred thousand attempts: the question who owns an id scans no table."""

    def plan(connection):
        statement = str(attempts._OWNER_OF.compile(connection.engine, compile_kwargs={"literal_binds": False}))
        names = statement.count("?")
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("x",) * names)]

    steps = await ledger.write(plan)
    assert any("one_owner_per_paid_job" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)


@pytest.fixture
async def five(ledger, register, make_job):
    """A ledger, and five planned jobs of 0.40."""
    jobs = [make_job(str(number)) for number in range(5)]
    await register(ledger, *jobs)
    return ledger, jobs


@EVERYWHERE
@pytest.mark.parametrize(
    ("most", "currency", "bought"),
    [("1.20", "USD", 3), ("1.19", "USD", 2), ("0.40", "USD", 1), ("0.39", "USD", 0), ("9", "CNY", 0)],
)
async def test_the_budget_is_never_exceeded(five, claim, buckets, most, currency, bought):
    """Reserved, spent and uncertain money together never pass the cap; another currency is not covered by it."""
    ledger, jobs = five
    done = 0
    for job in jobs:
        try:
            await claim(ledger, job, Budget(Decimal(most), currency))
        except BudgetReached:
            assert (await ledger.write(state_of, job.id)).status is JobStatus.PLANNED
        else:
            done += 1
    assert done == bought
    if bought:
        assert await buckets(ledger) == (bought * 40, 0, 0)


async def test_a_budget_covers_no_job_without_a_price(ledger, register, claim, make_job):
    """A job whose price nobody knows could break any cap, so a budget refuses it; without a budget it is bought."""
    job = make_job(cost=None)
    await register(ledger, job)
    with pytest.raises(NotCovered, match="no price"):
        await claim(ledger, job, Budget(Decimal(100), "USD"))
    await claim(ledger, job)
