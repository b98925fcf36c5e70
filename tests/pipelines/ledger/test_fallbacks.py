from __future__ import annotations

import json
from decimal import Decimal

import pytest

from pipelines.core.errors import NotCovered
from pipelines.core.job import Choice, Order
from pipelines.core.outcome import Done, FellBack, Rejected
from pipelines.core.status import JobStatus
from pipelines.ledger import attempts, outcomes, views
from pipelines.ledger.attempts import Budget
from pipelines.ledger.job_state import state_of
from pipelines.ledger.ledger import Ledger
from tests.pipelines.ledger.conftest import EVERYWHERE, fell_back, tell

NO = {"code": "bad_request", "message": "not like this", "http_status": 400}
END = {"completed_at": None, "url_expires_at": None}


def _choice(provider, model, amount="1.50", currency="USD"):
    order = Order(provider=provider, mode="v2", model=model, prompt="a cat", seconds=4, size="1280x720")
    return Choice(order=order, cost_estimated=Decimal(amount), currency=currency)


@pytest.fixture
def job(make_job):
    """A job at qiniu for 0.40 USD with two fallbacks: acedata for 1.50 USD, and another model of it for 9 CNY."""
    fallbacks = (_choice("acedata", "sora-2"), _choice("acedata", "sora-2-pro", "9", "CNY"))
    return make_job().model_copy(update={"fallbacks": fallbacks})


async def _status(ledger):
    return (await ledger.write(state_of, "a")).status


async def _record(ledger):
    [record] = await ledger.write(lambda connection: list(views.records(connection)))
    return record


@EVERYWHERE
async def test_refusal_and_turn_are_one_step(ledger, register, send, job, rows, buckets):
    """A refused job that names a fallback is planned with it at once, its money free, and no error stands beside it."""
    await register(ledger, job)
    assert (await tell(ledger, await send(ledger, job), fell_back(job.fall_back(), **NO))).changed
    assert await _status(ledger) is JobStatus.PLANNED
    assert await buckets(ledger) == (0, 0, 0)
    [attempt] = await rows(ledger)
    assert (attempt["state"], attempt["http_status"], attempt["bucket"]) == ("rejected", 400, None)
    record = await _record(ledger)
    assert record.job == job.fall_back()
    assert (record.error_code, record.error_message, record.flags) == (None, None, ("fallback_from:qiniu",))
    kinds = {event["kind"]: json.loads(event["detail"]) for event in await rows(ledger, "event") if event["job_id"]}
    assert kinds["rejected"]["message"] == kinds["fell_back"]["reason"] == "not like this"
    assert kinds["fell_back"]["provider"] == "acedata"


async def test_a_turned_job_has_no_trace_of_the_first(ledger, register, send, job, rows):
    """What the first provider's support would ask for is in the history, and not beside an order of the second."""
    await register(ledger, job)
    await tell(ledger, await send(ledger, job), fell_back(job.fall_back(), **NO, trace_id="t-9"))
    assert [row["trace_id"] for row in await rows(ledger, "job")] == [None]
    assert ["t-9" in row["detail"] for row in await rows(ledger, "event") if row["kind"] == "rejected"] == [True]


async def test_a_refusal_turns_once(ledger, register, send, job, rows):
    """A refusal that is told twice turns the job to its next fallback, not to the one after that."""
    await register(ledger, job)
    claimed = await send(ledger, job)
    await tell(ledger, claimed, fell_back(job.fall_back(), **NO))
    assert not (await tell(ledger, claimed, fell_back(job.fall_back().fall_back(), **NO))).changed
    assert (await _record(ledger)).job == job.fall_back()


async def test_what_was_turned_away_from_is_not_bought(ledger, register, send, job, rows):
    """After the turn only the fallback can be claimed: whoever still holds the first order, or a later one, buys nothing."""
    await register(ledger, job)
    await tell(ledger, await send(ledger, job), fell_back(job.fall_back(), **NO))
    for stale in (job, job.fall_back().fall_back()):
        found = await ledger.write(outcomes.reserve, stale, "account-b", None)
        assert found.claim is None
        assert found.state.status is JobStatus.PLANNED
    assert (await ledger.write(outcomes.reserve, job.fall_back(), "account-b", None)).claim is not None
    assert [(a["provider"], a["state"]) for a in await rows(ledger)] == [("qiniu", "rejected"), ("acedata", "claimed")]


async def test_the_price_of_the_fallback_counts(ledger, register, accept, send, job, rows):
    """Each attempt is charged at its own price in its own currency, under the fingerprint of what was sent."""
    await register(ledger, job)
    turned = job
    for _ in range(2):
        claimed = await send(ledger, turned)
        turned = turned.fall_back()
        await tell(ledger, claimed, fell_back(turned, **NO))
    await accept(ledger, turned, account="account-b")
    await tell(ledger, "a", Done(output={"path": "videos/a.mp4"}, flags=("shorter",), **END))
    money = {b.currency: (b.reserved, b.spent, b.uncertain) for b in (await ledger.write(views.overview)).money}
    assert money == {"USD": (0, 0, 0), "CNY": (0, 9, 0)}
    record = await _record(ledger)
    assert (record.cost_actual, record.job.currency, record.job.order.model) == (9, "CNY", "sora-2-pro")
    assert (record.flags, record.attempts) == (("shorter", "fallback_from:qiniu"), 3)
    orders = [job.order, *(choice.order for choice in job.fallbacks)]
    assert [a["fingerprint"] for a in await rows(ledger)] == [order.fingerprint() for order in orders]


async def test_a_budget_covers_the_fallback_or_refuses_it(ledger, register, send, job, buckets):
    """The cap counts the price of the fallback, not that of the first order, and one in another currency is not covered."""
    await register(ledger, job)
    turned = job.fall_back()
    await tell(ledger, await send(ledger, job), fell_back(turned, **NO))
    with pytest.raises(attempts.BudgetReached, match=r"does not cover the next job \(1.50\)"):
        await ledger.write(outcomes.reserve, turned, "account-b", Budget(Decimal("1.49"), "USD"))
    await tell(ledger, turned.fall_back().id, FellBack(turned.fall_back(), code="closed", reason="no balance"))
    with pytest.raises(NotCovered, match="no price in USD"):
        await ledger.write(outcomes.reserve, turned.fall_back(), "account-b", Budget(Decimal(100), "USD"))
    assert await buckets(ledger) == (0, 0, 0)


@pytest.mark.parametrize(
    "status", [s for s in JobStatus if s not in (JobStatus.PLANNED, JobStatus.REJECTED, JobStatus.SKIPPED)], ids=str
)
async def test_nothing_that_may_be_paid_turns(ledger, register, bring_to, job, rows, status):
    """A job with a live attempt, one in doubt, and one that was bought stay where they are, whoever asks for a turn."""
    await register(ledger, job)
    claimed = await bring_to(ledger, job, status)
    before = [await rows(ledger, table) for table in ("attempt", "job", "account", "event")]
    assert not (
        await tell(ledger, job.fall_back().id, FellBack(job.fall_back(), code="closed", reason="no balance"))
    ).changed
    if status is not JobStatus.SUBMITTING:  # there the refusal is news
        assert not (await tell(ledger, claimed, fell_back(job.fall_back(), **NO))).changed
    assert [await rows(ledger, table) for table in ("attempt", "job", "account", "event")] == before


async def test_a_job_in_doubt_after_a_crash_does_not_turn(path, register, send, job):
    """A run that dies with the submission on its way leaves a doubt, which no fallback of the next run gets past."""
    async with Ledger(path) as dead:
        await register(dead, job)
        await send(dead, job)
    async with Ledger(path) as ledger:
        await register(ledger, job)
        assert not (
            await tell(ledger, job.fall_back().id, FellBack(job.fall_back(), code="closed", reason="no balance"))
        ).changed
        assert await _status(ledger) is JobStatus.IN_DOUBT


async def test_an_accepted_fallback_outlives_the_list(path, register, send, accept, job):
    """What a fallback was paid for is brought home as that, also when the batch file names other ones, or none, by then."""
    async with Ledger(path) as ledger:
        await register(ledger, job)
        await tell(ledger, await send(ledger, job), fell_back(job.fall_back(), **NO))
        await accept(ledger, job.fall_back(), "p-9", account="account-b")
    for later in (job.model_copy(update={"fallbacks": ()}), job.model_copy(update={"fallbacks": job.fallbacks[1:]})):
        async with Ledger(path) as ledger:
            await register(ledger, later, sha="s2")
            [turned] = await ledger.write(views.fallen_back)
            assert (turned.order, turned.cost_estimated, turned.fallback_index) == (
                job.fallbacks[0].order,
                Decimal("1.50"),
                1,
            )
            assert (await ledger.write(state_of, "a")).provider_job_id == "p-9"
    async with Ledger(path) as ledger:
        await register(ledger, sha="s3")
        [orphan] = await ledger.write(views.orphans)
        assert orphan.order == job.fallbacks[0].order


async def test_what_is_not_bought_yet_begins_again_with_the_first(path, register, send, job):
    """A job that had turned and was not accepted is planned as the file has it: the first provider may be well again."""
    async with Ledger(path) as ledger:
        await register(ledger, job)
        await tell(ledger, await send(ledger, job), fell_back(job.fall_back(), **NO))
    async with Ledger(path) as ledger:
        await register(ledger, job)
        assert await ledger.write(views.fallen_back) == []
        assert (await _record(ledger)).flags == ()
        assert (await ledger.write(outcomes.reserve, job, "account-a", None)).claim is not None


@pytest.mark.parametrize(
    ("later", "status"),
    [(0, JobStatus.REJECTED), (1, JobStatus.PLANNED), (-1, JobStatus.PLANNED)],
    ids=["same", "one more", "none"],
)
async def test_a_refused_job_is_planned_again_when_its_fallbacks_change(path, register, send, job, later, status):
    """Who adds a fallback for a refused row wants it tried; with the same ones it stays refused."""
    both = job.fallbacks
    planned = job.model_copy(update={"fallbacks": both[:1]})
    async with Ledger(path) as ledger:
        await register(ledger, planned)
        await tell(ledger, await send(ledger, planned), fell_back(planned.fall_back(), **NO))
        await tell(ledger, await send(ledger, planned.fall_back()), Rejected("row", **NO))
    async with Ledger(path) as ledger:
        await register(ledger, job.model_copy(update={"fallbacks": {0: both[:1], 1: both, -1: ()}[later]}))
        assert await _status(ledger) is status
        assert (await _record(ledger)).job.fallback_index == (1 if status is JobStatus.REJECTED else 0)
