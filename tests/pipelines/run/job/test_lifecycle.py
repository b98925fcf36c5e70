"""The life of a job over a real provider: fallbacks, chains, and what a run leaves to the next."""

from __future__ import annotations

import csv
import json
import os
import socket
from decimal import Decimal

import pytest

from pipelines.catalogue.compilation import write_catalogue
from pipelines.catalogue.manifest_row import manifest_row
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.attempts import Claim
from pipelines.run.exit_code import BUDGET, INTERRUPTED, SOME_FAILED, UNFINISHED

DONE, FAILED, PLANNED, REJECTED, SKIPPED = (
    JobStatus.DONE,
    JobStatus.FAILED,
    JobStatus.PLANNED,
    JobStatus.REJECTED,
    JobStatus.SKIPPED,
)


def refused(contract="qiniu", status=400, **more):
    """A rule: this provider refuses every order."""
    return {"match": {"route": "submit", "contract": contract}, "do": {"status": status, **more}}


def first(effect, contract="qiniu"):
    """A rule about the first order at a provider."""
    return {"match": {"route": "submit", "contract": contract, "nth": [1]}, "do": effect}


UNDER_WAY = {"match": {"route": "status"}, "do": {"status": 503}}  # no job comes to its end
LOST = {"match": {"route": "submit", "contract": "qiniu"}, "do": {"cut": "after"}}


def _waiting(*names):
    """A condition: the provider has all of these jobs."""
    return lambda run: all(run.status_of(name) is JobStatus.WAITING for name in names)


@pytest.fixture
def unused_address():
    """Nobody listens there, and nobody else will as long as the test lasts."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}/v1"


async def test_every_job_is_bought_once(studio):
    """All jobs of a run are made, each for one order, and a second run of the same buys nothing."""
    jobs = [studio.job(name) for name in "abc"]
    ended = await studio.make(*jobs)
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert sorted(studio.bought()) == [("qiniu", "a"), ("qiniu", "b"), ("qiniu", "c")]
    assert (await studio.make(*jobs)).code == 0
    assert len(studio.bought()) == 3


async def test_t17_a_clip_is_fetched_while_others_are_still_made(studio):
    """Downloads are no later stage: one clip is on disk while the provider of another has not ended its job."""
    studio.sandbox.faults({"match": {"route": "status", "contract": "acedata"}, "do": {"status": 503}})
    jobs = studio.job("a"), studio.job("b", provider="acedata")
    ended = await studio.interrupt(*jobs, when=lambda run: run.status_of("a") is DONE and _waiting("b")(run))
    assert ended.statuses == {"a": DONE, "b": JobStatus.WAITING}
    assert [path.stat().st_size > 0 for path in (studio.folder / "out").rglob("a.mp4")] == [True]


@pytest.fixture
def impatient(monkeypatch):
    """What is given minutes is given a moment."""
    monkeypatch.setattr("pipelines.pacing.poll_schedule._PATIENCE_S", 0.0)
    monkeypatch.setattr("pipelines.pacing.poll_schedule._LATER_PATIENCE_S", 0.0)
    monkeypatch.setattr("pipelines.pacing.poll_schedule._LONGEST_LOOK_S", 0.05)
    monkeypatch.setattr("pipelines.run.poller.SETTLE_S", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_t27_a_completed_job_without_a_clip_is_never_ordered_again(studio):
    """Neither here, nor at a fallback, nor by the next run: it is paid as far as anybody knows, and asked about again."""
    studio.sandbox.faults(first({"outcome": "no_videos"}, "acedata"))
    job = studio.job("a", "qiniu", provider="acedata")
    for _ in range(2):
        ended = await studio.make(job)
        expected = (UNFINISHED, {"a": JobStatus.PARKED}, [("acedata", "a")])
        assert (ended.code, ended.statuses, studio.bought()) == expected
    assert studio.records()["a"].error_code == "clip_missing"
    [money] = studio.overview().money
    assert (money.spent, money.reserved, money.uncertain) == (0, Decimal("0.60"), 0)


@pytest.mark.usefixtures("impatient")
async def test_t30_a_job_that_its_server_forgot_is_parked_and_never_ordered_again(studio):
    """A person is told; each further run asks about it once more, and buys nothing."""
    studio.sandbox.faults({"match": {"route": "status"}, "do": {"status": 404}})
    job = studio.job("a", "acedata")
    for _ in range(2):
        ended = await studio.make(job)
        assert (ended.code, ended.statuses, studio.bought()) == (UNFINISHED, {"a": JobStatus.PARKED}, [("qiniu", "a")])
        assert ended.heard("a: parked: qiniu does not know this job")
    studio.sandbox.faults()
    assert (await studio.make(job)).statuses == {"a": DONE}
    assert studio.bought() == [("qiniu", "a")]


@pytest.mark.parametrize("effect", [{}, {"outcome": "generation_failed"}], ids=["done", "failed"])
async def test_what_support_asks_for_is_kept_when_a_job_ends(studio, effect):
    """An acceptance may be without a trace id; then it is in the answer about the task, and in the manifest."""
    studio.sandbox.faults(first(effect, "acedata"))
    await studio.make(studio.job("a", provider="acedata"))
    row = manifest_row(studio.records()["a"])
    assert row.trace_id


# ---------------------------------------------------------------------------------------------------------- fallbacks


@pytest.mark.parametrize(
    "rule",
    [refused(), refused(status=422), refused(code="moderation_blocked", message="flagged")],
    ids=["row", "unprocessable", "moderation"],
)
async def test_a_sure_refusal_turns_to_the_fallback(studio, rule):
    """A refused order is made by the fallback, aloud, at the fallback's price; nothing is bought at the first."""
    studio.sandbox.faults(rule)
    ended = await studio.make(studio.job("a", "acedata"))
    assert (ended.code, ended.statuses, ended.reasons) == (0, {"a": DONE}, ())
    assert studio.bought() == [("acedata", "a")]
    assert ended.heard("qiniu did not take it: ")
    assert ended.heard("Its fallback is acedata, sora-2 for 0.60 USD.")
    record = studio.records()["a"]
    assert (record.job.order.provider, record.cost_actual, record.attempts) == ("acedata", Decimal("0.6"), 2)
    assert "fallback_from:qiniu" in record.flags
    [money] = studio.overview().money
    assert (money.spent, money.reserved, money.uncertain) == (Decimal("0.6"), 0, 0)


async def test_without_balance_all_turn_to_the_fallback(studio):
    """When an account is empty its rows go to their fallbacks, and once all are made the empty account is no failure."""
    studio.sandbox.faults(refused(status=402))
    ended = await studio.make(*(studio.job(name, "acedata") for name in "abc"))
    assert (ended.code, ended.reasons, set(ended.statuses.values())) == (0, (), {DONE})
    assert sorted(studio.bought()) == [("acedata", "a"), ("acedata", "b"), ("acedata", "c")]
    assert ended.heard("qiniu has no balance left")
    assert ended.heard("a: qiniu takes nothing more in this run. Its fallback is acedata")


async def test_without_balance_who_names_no_fallback_stays_planned(studio):
    """The empty account is the reason only for those whom nobody else makes."""
    studio.sandbox.faults(refused(status=402))
    ended = await studio.make(studio.job("a"), studio.job("b", "acedata"))
    assert (ended.code, ended.statuses) == (BUDGET, {"a": PLANNED, "b": DONE})
    assert [("no balance" in reason) for reason in ended.reasons] == [True]


async def test_an_outage_that_outlasts_patience_turns_to_the_fallback(studio, monkeypatch, unused_address):
    """A provider that cannot be reached for longer than the user waits loses its rows to the fallback."""
    monkeypatch.setenv("QINIU_BASE_URL", unused_address)
    ended = await studio.make(studio.job("a", "acedata"), studio.job("b", "acedata"), wait_for_provider=0.2)
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert sorted(studio.bought()) == [("acedata", "a"), ("acedata", "b")]


async def test_a_chain_of_three_goes_on_until_somebody_takes_it(studio):
    """Refused for the row, then by moderation, then accepted: each turn is said, and only the last is paid."""
    studio.sandbox.faults(refused(), refused("acedata", 403, code="content_moderation"))
    ended = await studio.make(studio.job("a", "acedata", "openai"))
    assert (ended.code, studio.bought()) == (0, [("openai", "a")])
    assert ended.heard("qiniu did not take it")
    assert ended.heard("acedata did not take it")
    record = studio.records()["a"]
    assert (record.job.fallback_index, record.cost_actual, record.attempts) == (2, Decimal("0.5"), 3)
    assert "fallback_from:qiniu" in record.flags


async def test_when_all_refuse_the_job_is_rejected(studio):
    """The last refusal is the job's; it is not asked for again, until the row names somebody else."""
    studio.sandbox.faults(refused(), refused("acedata", 400, message="no such length"))
    ended = await studio.make(studio.job("a", "acedata"))
    assert (ended.code, ended.statuses) == (SOME_FAILED, {"a": REJECTED})
    assert "no such length" in studio.records()["a"].error_message
    orders = studio.sandbox.orders()
    assert (await studio.make(studio.job("a", "acedata"))).statuses == {"a": REJECTED}
    assert studio.sandbox.orders() == orders
    assert (await studio.make(studio.job("a", "acedata", "openai"))).statuses == {"a": DONE}
    assert studio.bought() == [("openai", "a")]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (LOST, JobStatus.IN_DOUBT),
        (refused(status=502), JobStatus.IN_DOUBT),
        (first({"body": "html"}), JobStatus.IN_DOUBT),
        (first({"outcome": "generation_failed"}), FAILED),
        (first({"outcome": "moderation_blocked"}), FAILED),
        (first({"status": 429, "retry_after": 0.05}), DONE),
    ],
    ids=["no answer", "server error", "no job named", "failed later", "moderated later", "too many"],
)
async def test_nothing_but_a_sure_refusal_turns(studio, rule, status):
    """A job in doubt, one that fails after it was accepted, and one that is only held up never reach the fallback."""
    studio.sandbox.faults(rule)
    ended = await studio.make(studio.job("a", "acedata"))
    assert ended.statuses == {"a": status}
    assert ("acedata", "a") not in studio.bought()
    assert not ended.heard("fallback")
    assert studio.records()["a"].flags == ()
    studio.sandbox.faults()
    assert (await studio.make(studio.job("a", "acedata"))).statuses == {"a": status}
    assert ("acedata", "a") not in studio.bought()


async def test_a_stop_leaves_the_fallback_to_the_next_run(studio):
    """An order that is refused while the run stops is not sent to anybody else; the next run turns, and pays once."""
    studio.sandbox.faults(refused(delay=0.3))
    job = studio.job("a", "acedata")
    ended = await studio.interrupt(job, when=lambda _: "sending" in studio.attempts())
    assert (ended.code, ended.statuses) == (INTERRUPTED, {"a": PLANNED})
    assert studio.bought() == []
    studio.sandbox.faults(refused())
    assert (await studio.make(job)).statuses == {"a": DONE}
    assert studio.bought() == [("acedata", "a")]


async def test_a_budget_stop_turns_nobody(studio):
    """A row that the budget does not cover stays planned, though its fallback would be cheaper."""
    dear = studio.job("b", cost_estimated=Decimal(9), fallbacks=(studio.choice("acedata", "b"),))
    ended = await studio.make(studio.job("a"), dear, budget=Decimal("2.00"))
    assert (ended.code, ended.statuses) == (BUDGET, {"a": DONE, "b": PLANNED})
    assert studio.bought() == [("qiniu", "a")]


async def test_a_fallback_that_is_too_dear_stops_only_its_own_row(studio):
    """What no longer covers the dear fallback of one row may still cover all the others."""
    studio.sandbox.faults(first({"status": 400}))
    dear = studio.job("a", "acedata")
    dear = dear.model_copy(update={"fallbacks": (dear.fallbacks[0].model_copy(update={"cost_estimated": Decimal(9)}),)})
    ended = await studio.make(dear, studio.job("b"), studio.job("c"), budget=Decimal("1.30"), in_flight=1)
    assert (ended.code, ended.statuses) == (BUDGET, {"a": PLANNED, "b": DONE, "c": DONE})


async def test_a_budget_stop_turns_nobody_who_is_under_way(studio):
    """An order that is refused after the budget has ended the run goes to nobody else in it; the next run turns."""
    studio.sandbox.faults(refused(delay=0.3))
    job = studio.job("a", "acedata")
    ended = await studio.make(job, studio.job("b", cost_estimated=Decimal(9)), budget=Decimal("2.00"))
    assert (ended.code, set(ended.statuses.values()), studio.bought()) == (BUDGET, {PLANNED}, [])
    assert (await studio.make(job)).statuses["a"] is DONE
    assert studio.bought() == [("acedata", "a")]


async def test_the_budget_holds_for_the_fallback(studio):
    """A fallback that costs more than what is left is not bought; with a higher budget the next run buys it."""
    studio.sandbox.faults(refused())
    job = studio.job("a", "acedata")
    ended = await studio.make(job, budget=Decimal("0.50"))
    assert (ended.code, ended.statuses, studio.bought()) == (BUDGET, {"a": PLANNED}, [])
    assert ended.heard("does not cover the next job (0.60)")
    ended = await studio.make(job, budget=Decimal("0.60"))
    assert (ended.code, studio.bought()) == (0, [("acedata", "a")])


async def test_a_fallback_in_another_currency_is_left_out_of_a_budget(studio):
    """A budget in dollars covers nothing that costs yuan; only that row is left, and without a budget both add up."""
    studio.sandbox.faults(first({"status": 400}))
    yuan = studio.choice("acedata", "a").model_copy(update={"currency": "CNY"})
    jobs = [studio.job("a", fallbacks=(yuan,)), studio.job("b")]
    ended = await studio.make(*jobs, budget=Decimal(100), in_flight=1)
    assert (ended.code, ended.statuses) == (BUDGET, {"a": PLANNED, "b": DONE})
    assert ended.heard("Job a has no price in USD")
    studio.sandbox.faults(first({"status": 400}))
    assert (await studio.make(*jobs)).code == 0
    money = {balance.currency: balance.spent for balance in studio.overview().money}
    assert money == {"USD": Decimal("0.4"), "CNY": Decimal("0.6")}


async def test_a_fallback_that_fails_costs_what_it_costs_there(studio):
    """The fallback's price and the fallback's habit of charging for failures count, and no further one is asked."""
    studio.sandbox.faults(refused(), first({"outcome": "generation_failed"}, "acedata"))
    ended = await studio.make(studio.job("a", "acedata", "openai"))
    assert (ended.code, ended.statuses, studio.bought()) == (SOME_FAILED, {"a": FAILED}, [("acedata", "a")])
    assert studio.records()["a"].billed is Billed.NO
    [money] = studio.overview().money
    assert (money.spent, money.reserved, money.uncertain) == (0, 0, 0)


async def test_a_fallback_that_was_paid_outlives_its_list_and_its_key(studio, monkeypatch):
    """What a fallback is making comes home also when the file names it no more; without its key that is said, no more."""
    studio.sandbox.faults(refused(), UNDER_WAY)
    await studio.interrupt(studio.job("a", "acedata"), when=_waiting("a"))
    studio.sandbox.faults()
    key = studio.key
    monkeypatch.delenv("ACEDATA_API_KEY")
    ended = await studio.make(studio.job("a"))
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.WAITING})
    assert ended.heard("Paid jobs wait at acedata: a. To bring them home, set ACEDATA_API_KEY")
    monkeypatch.setenv("ACEDATA_API_KEY", key)
    assert (await studio.make(studio.job("a"))).statuses == {"a": DONE}
    assert studio.bought() == [("acedata", "a")]
    assert (studio.folder / "out" / "videos" / "a.mp4").exists()


async def test_a_paid_job_whose_provider_is_no_longer_known_is_said(studio):
    """Who takes a profile of their own away is told what waits there; nothing is lost, and the rest is made."""
    studio.sandbox.faults(UNDER_WAY)
    await studio.interrupt(studio.job("a", provider="acedata"), when=_waiting("a"))
    studio.sandbox.faults()
    known = studio.profiles.pop("acedata")
    ended = await studio.make(studio.job("b"))
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.WAITING, "b": DONE})
    assert ended.heard("Paid jobs wait at acedata: a. To bring them home, add its profile again")
    studio.profiles["acedata"] = known
    assert (await studio.make(studio.job("b"))).statuses == {"a": DONE, "b": DONE}


async def test_a_paid_row_that_is_switched_off_is_brought_home(studio):
    """What is at a provider is fetched, also when no enabled row of the batch goes there any more."""
    studio.sandbox.faults(UNDER_WAY)
    await studio.interrupt(studio.job("a"), studio.job("b", provider="acedata"), when=_waiting("a", "b"))
    studio.sandbox.faults()
    ended = await studio.make(studio.job("a"), studio.job("b", provider="acedata", enabled=False))
    assert ended.statuses == {"a": DONE, "b": DONE}


@pytest.mark.long
async def test_a_kill_while_the_fallback_is_asked_never_pays_again(studio):
    """`kill -9` while the fallback's answer is awaited leaves a doubt: no later run asks it, the first or the next one."""
    studio.sandbox.faults(refused(), {"match": {"route": "submit", "contract": "acedata"}, "do": {"delay": 30}})
    job = studio.job("a", "acedata", "openai")
    await studio.kill([job], when=lambda: studio.bought() == [("acedata", "a")])
    for _ in range(2):
        studio.sandbox.faults()
        ended = await studio.make(job)
        assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.IN_DOUBT})
    assert studio.bought() == [("acedata", "a")]
    [money] = studio.overview().money
    assert (money.uncertain, money.reserved, money.spent) == (Decimal("0.6"), 0, 0)


@pytest.mark.long
async def test_a_kill_while_the_fallback_works_costs_nothing(studio):
    """`kill -9` after the fallback has accepted: the next run waits for that clip, and for no other."""
    studio.sandbox.faults(refused(), UNDER_WAY)
    job = studio.job("a", "acedata", "openai")
    await studio.kill([job], when=lambda: "accepted" in studio.attempts())
    studio.sandbox.faults()
    ended = await studio.make(job)
    assert (ended.code, ended.statuses, studio.bought()) == (0, {"a": DONE}, [("acedata", "a")])


# ------------------------------------------------------------------------------------------------------------- chains


def family(studio, **more):
    """a, its remixes b and c, and two more generations behind b. In the file the youngest comes first."""
    parents = {"e": "d", "d": "b", "c": "a", "b": "a", "a": None}
    return [studio.job(name, parent=parent, **more) for name, parent in parents.items()]


async def test_a_chain_of_remixes_is_made_in_order(studio):
    """Four generations, two of them of one parent: each is ordered when its parent is made, of just that clip."""
    ended = await studio.make(*family(studio))
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    lines = {line["prompt"].removeprefix("clip "): line for line in studio.bill()}
    assert len(studio.bill()) == 5
    parents = {name: line["remixed_from"] for name, line in lines.items()}
    ids = {name: line["id"] for name, line in lines.items()}
    assert parents == {"a": None, "b": ids["a"], "c": ids["a"], "d": ids["b"], "e": ids["d"]}
    assert all(
        lines[child]["created"] >= lines[parent]["created"] + 0.1 for child, parent in zip("bcde", "aabd", strict=True)
    )


async def test_when_a_parent_fails_all_its_descendants_are_skipped(studio):
    """A failed clip takes all that were to be made after it along, each with the reason, and nothing is sent for them."""
    studio.sandbox.faults(first({"outcome": "generation_failed"}))
    ended = await studio.make(*family(studio))
    assert ended.code == SOME_FAILED
    assert ended.statuses == {"a": FAILED} | dict.fromkeys("bcde", SKIPPED)
    assert len(studio.bill()) == 1
    records = studio.records()
    assert {records[name].error_code for name in "bcde"} == {"parent_failed"}
    assert records["b"].error_message == "it is a remix of a, which is failed"
    assert records["d"].error_message == "it is a remix of b, which is skipped"
    assert ended.heard("e: skipped: it is a remix of d, which is skipped.")


async def test_a_parent_that_is_bought_anew_takes_its_children_along(studio):
    """Children that were skipped are made once their parent is: here its row was edited, so that it is bought again."""
    studio.sandbox.faults(refused())
    jobs = family(studio)
    assert (await studio.make(*jobs)).statuses["e"] is SKIPPED
    studio.sandbox.faults()
    assert (await studio.make(*jobs)).statuses == {"a": REJECTED} | dict.fromkeys("bcde", SKIPPED)
    order = jobs[-1].order.model_copy(update={"prompt": "clip A"})
    ended = await studio.make(*jobs[:-1], jobs[-1].model_copy(update={"order": order}))
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert sorted(name for _, name in studio.bought()) == ["A", "b", "c", "d", "e"]


async def test_a_disabled_parent_skips_its_children(studio):
    """Who switches a row off does not get what is made after it either; that is no failure."""
    jobs = [studio.job("a", enabled=False), studio.job("b", parent="a")]
    ended = await studio.make(*jobs)
    assert (ended.code, ended.statuses, studio.bill()) == (0, {"a": SKIPPED, "b": SKIPPED}, [])
    assert ended.heard("b: skipped: it is a remix of a, which is skipped.")


async def test_a_parent_in_doubt_keeps_its_children_until_it_is_settled(studio):
    """As long as nobody knows whether a clip was bought its children stay planned, aloud; settled, they are made."""
    studio.sandbox.faults(LOST)
    jobs = family(studio)
    for _ in range(2):
        ended = await studio.make(*jobs)
        assert ended.code == UNFINISHED
        assert ended.statuses == {"a": JobStatus.IN_DOUBT} | dict.fromkeys("bcde", PLANNED)
        assert ended.heard("b, d, e and 1 more wait for a, which is in doubt. Nothing was sent for them.")
    [line] = studio.bill()
    studio.sandbox.faults()
    async with studio.opened(*jobs) as run:
        [attempt] = await run.ledger.write(lambda c: c.exec_driver_sql("SELECT id FROM attempt").all())
        await run.record(run.job("a"), Accepted(RemoteJob(line["id"], "video")), Claim(attempt.id, "a"))
    ended = await studio.make(*jobs)
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert len(studio.bill()) == 5


async def test_a_parent_that_is_parked_keeps_its_children(studio):
    """A parent that its provider does not know any more is a person's matter; its children wait, and it is said."""
    jobs = [studio.job("a"), studio.job("b", parent="a")]
    studio.sandbox.faults({"match": {"route": "status"}, "do": {"status": 404}})
    async with studio.opened(*jobs) as run:
        run.sessions["qiniu"].poller._scale = 100_000  # ten minutes of patience become 6 ms
        await studio.work(run)
    ended = studio.ending(run)
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.PARKED, "b": PLANNED})
    assert ended.heard("b waits for a, which is parked.")
    studio.sandbox.faults()
    assert (await studio.make(*jobs)).statuses == {"a": DONE, "b": DONE}


async def test_a_chain_goes_on_where_an_interrupted_run_left_it(studio):
    """A run that stops while a parent is at work leaves its children planned, and the next one makes them."""
    jobs = family(studio)
    studio.sandbox.faults(UNDER_WAY)
    ended = await studio.interrupt(*jobs, when=_waiting("a"))
    assert ended.statuses == {"a": JobStatus.WAITING} | dict.fromkeys("bcde", PLANNED)
    assert not ended.heard("wait for a")
    studio.sandbox.faults()
    assert set((await studio.make(*jobs)).statuses.values()) == {DONE}
    assert len(studio.bill()) == 5


async def test_a_remix_of_an_unknown_clip_is_the_rows_fault(studio):
    """Only the row that names the clip is refused; the address is right, and everybody else is made."""
    lost = studio.choice("openai", "a", remix_of="video_0123456789abcdef0123")
    jobs = [studio.job("a", provider="openai").model_copy(update=dict(lost)), studio.job("b", provider="openai")]
    studio.sandbox.faults(first({"status": 404, "form": "detail", "message": "Video not found"}, "openai"))
    ended = await studio.make(*jobs, in_flight=1)
    assert (ended.code, ended.statuses) == (SOME_FAILED, {"a": REJECTED, "b": DONE})


async def test_a_remix_waits_while_its_parent_is_at_another_address(studio, monkeypatch):
    """A clip is known where it was made: at a server that is set since, its id may mean another clip, or none."""
    jobs = [studio.job("a"), studio.job("b", parent="a")]
    await studio.make(*jobs, only=("a",))
    here = os.environ["QINIU_BASE_URL"]
    monkeypatch.setenv("QINIU_BASE_URL", here.replace("127.0.0.1", "localhost"))
    ended = await studio.make(*jobs)
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": DONE, "b": PLANNED})
    assert "b remixes a, which was made at another address of qiniu. Set QINIU_BASE_URL back." in ended.reasons[0]
    monkeypatch.setenv("QINIU_BASE_URL", here)
    assert (await studio.make(*jobs)).statuses == {"a": DONE, "b": DONE}


async def test_a_limit_counts_from_the_parents(studio):
    """`--limit 2` of a chain makes its first two clips, wherever they stand in the file; then the next two."""
    jobs = family(studio)
    made = []
    for most in (1, 2, 9):
        ended = await studio.make(*jobs, limit=most)
        assert ended.code == 0
        made.append("".join(sorted(name for name, status in ended.statuses.items() if status is DONE)))
    assert made == ["a", "abd", "abcde"]


async def test_a_limit_is_not_used_up_by_those_who_wait_in_vain(studio):
    """Children of a clip in doubt do not take the places of rows that can be made."""
    studio.sandbox.faults(first({"cut": "after"}))
    chain = [studio.job("a"), *(studio.job(name, parent="a") for name in "bcd")]
    await studio.make(*chain)
    assert (await studio.make(*chain, studio.job("z"), limit=1)).statuses["z"] is DONE


async def test_only_a_child_does_not_buy_its_parents(studio):
    """`--only b` buys b and nothing else: while its parent is not made it says so, afterwards it makes it."""
    jobs = [studio.job("b", parent="a"), studio.job("a"), studio.job("c", parent="b")]
    ended = await studio.make(*jobs, only=("b", "c"))
    assert (ended.code, set(ended.statuses.values()), studio.bill()) == (0, {PLANNED}, [])
    assert ended.heard("b, c wait for a, which is planned. Nothing was sent for them.")
    assert (await studio.make(*jobs, only=("a",))).statuses["a"] is DONE
    assert (await studio.make(*jobs, only=("b",))).statuses == {"a": DONE, "b": DONE, "c": PLANNED}
    assert [name for _, name in studio.bought()] == ["a", "b"]


async def test_a_remix_is_not_ordered_where_its_parent_was_not_made(studio):
    """A provider knows only its own clips: a child of what a fallback made is not sent elsewhere, with the reason."""
    studio.sandbox.faults(refused())
    jobs = [studio.job("a", "openai"), studio.job("b", parent="a")]
    ended = await studio.make(*jobs)
    assert (ended.code, ended.statuses) == (SOME_FAILED, {"a": DONE, "b": REJECTED})
    assert studio.bought() == [("openai", "a")]
    assert ended.heard("b: not sent: it is a remix of a, which was made at openai (parent_elsewhere)")
    assert studio.records()["b"].billed is Billed.NO


async def test_a_remix_follows_its_parent_to_the_fallback(studio):
    """Where the child names the provider that made its parent as a fallback, it is made there, of that clip."""
    studio.sandbox.faults(refused())
    jobs = [studio.job("a", "openai"), studio.job("b", "openai", parent="a")]
    ended = await studio.make(*jobs)
    assert (ended.code, studio.bought()) == (0, [("openai", "a"), ("openai", "b")])
    parent, child = studio.bill()
    assert child["remixed_from"] == parent["id"]


async def test_what_the_catalogue_shows_of_fallbacks_and_skipped_children(studio):
    """A fallback with its provider and price, a child with its reason; and failed.csv has it beside its parent."""
    studio.sandbox.faults(refused(), first({"outcome": "generation_failed"}, "openai"))
    jobs = [
        studio.job("f", "acedata"),
        studio.job("p", provider="openai"),
        studio.job("c", provider="openai", parent="p"),
        studio.job("off", enabled=False),
    ]
    async with studio.opened(*jobs) as run:
        await studio.work(run)
        await write_catalogue(run.ledger, run.batch, run.folder)
    out = studio.folder / "out"
    rows = {row["id"]: row for row in map(json.loads, (out / "manifest.jsonl").read_text("utf-8").splitlines())}
    assert {name: rows["f"][name] for name in ("status", "provider", "cost_actual", "currency", "attempts")} == {
        "status": "done",
        "provider": "acedata",
        "cost_actual": "0.60",
        "currency": "USD",
        "attempts": 2,
    }
    assert "fallback_from:qiniu" in rows["f"]["flags"]
    assert (rows["c"]["status"], rows["c"]["error_code"]) == ("skipped", "parent_failed")
    assert (rows["off"]["status"], rows["off"]["error_code"]) == ("skipped", None)
    tried_again = list(csv.DictReader((out / "failed.csv").read_text("utf-8").splitlines()))
    assert [(row["id"], row["error_code"]) for row in tried_again] == [
        ("p", "generation_failed"),
        ("c", "parent_failed"),
    ]
    done = {row["id"]: row for row in csv.DictReader((out / "x.done.csv").read_text("utf-8").splitlines())}
    assert (done["f"]["status"], done["f"]["cost"], done["c"]["error"]) == (
        "done",
        "0.60",
        "it is a remix of p, which is failed",
    )
    gallery = (out / "gallery.html").read_text("utf-8")
    assert "fallback from qiniu" in gallery
    assert "it is a remix of p, which is failed" in gallery


# ------------------------------------------------------------------------------- what changes between two runs


@pytest.mark.usefixtures("impatient")
async def test_a_clip_that_the_profile_does_not_find_comes_home_when_it_is_mended(studio):
    """A wrong `results` in a profile parks what is paid for; with the right one the next run has it, for nothing."""
    right = studio.profiles["acedata"]
    studio.profiles["acedata"] = right.model_copy(update={"results": ("files[].href",)})
    job = studio.job("a", provider="acedata")
    ended = await studio.make(job)
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.PARKED})
    assert ended.heard("a: PAID, AND NOT HOME: acedata says")
    assert ended.heard("nothing stands at `files[].href`, where its profile looks for the clip; the answer has")
    studio.profiles["acedata"] = right
    assert (await studio.make(job)).statuses == {"a": DONE}
    assert len(studio.bill()) == 1


@pytest.mark.usefixtures("impatient")
async def test_no_more_is_bought_where_the_first_clip_is_not_found(studio):
    """Of twenty rows the few on their way are bought, no row turns to its fallback, and what to do is said once."""
    right = studio.profiles["acedata"]
    studio.profiles["acedata"] = right.model_copy(update={"results": ("files[].href",)})
    jobs = [studio.job(f"r{number}", "qiniu", provider="acedata") for number in range(20)]
    ended = await studio.make(*jobs, in_flight=2)
    bought = len(studio.bill())
    assert 1 <= bought <= 4
    assert {at for at, _ in studio.bought()} == {"acedata"}
    assert (ended.code, list(ended.statuses.values()).count(PLANNED)) == (UNFINISHED, 20 - bought)
    said = [line for line in ended.said if "no more is ordered there in this run" in line]
    assert len(said) == 1
    for words in ("Mend its profile", "`reelbatch providers check acedata --answer FILE`", "`reelbatch retry DIR`"):
        assert words in said[0]
    assert said[0] in ended.reasons
    again = await studio.make(*jobs, in_flight=2)  # with the same profile: not row after row, run after run
    assert len(studio.bill()) <= bought + 2
    studio.profiles["acedata"] = right
    assert set((await studio.make(*jobs)).statuses.values()) == {DONE}
    assert (again.code, len(studio.bill())) == (UNFINISHED, 20)


@pytest.mark.usefixtures("impatient")
async def test_one_clip_that_moderation_took_holds_nothing_up(studio):
    """An answer without any link is no fault of the profile yet, and none once another clip was where it looks."""
    studio.sandbox.faults(first({"outcome": "no_videos"}, "acedata"))
    jobs = [studio.job(name, provider="acedata") for name in "abcd"]
    ended = await studio.make(*jobs, in_flight=1)
    assert [ended.statuses[name] for name in "abcd"] == [JobStatus.PARKED, DONE, DONE, DONE]


@pytest.mark.usefixtures("impatient")
async def test_a_job_of_another_account_says_so(studio, monkeypatch):
    """A job that is not known with the key of this run is parked, and what may be wrong is said."""
    studio.sandbox.faults(UNDER_WAY)
    await studio.interrupt(studio.job("a"), when=_waiting("a"))
    studio.sandbox.faults()
    monkeypatch.setenv("QINIU_API_KEY", "the-key-of-somebody-else")
    ended = await studio.make(studio.job("a"))
    assert ended.statuses == {"a": JobStatus.PARKED}
    assert ended.heard("it was ordered with another key or at another address. The next run asks again")
    monkeypatch.setenv("QINIU_API_KEY", studio.key)
    assert (await studio.make(studio.job("a"))).statuses == {"a": DONE}


async def test_fewer_clips_than_were_ordered_are_flagged(studio):
    """Moderation may take some of the clips of one order: the others are kept, and the job says so."""
    qiniu = studio.profiles["qiniu"]
    veo = qiniu.mode("veo")
    count = veo.parameters["sample_count"].model_copy(update={"field": "seed"})  # a field that orders no further clips
    studio.profiles["qiniu"] = qiniu.model_copy(
        update={"modes": (veo.model_copy(update={"parameters": {"count": count}}),)}
    )
    two = Order(provider="qiniu", mode="veo", model=veo.models[0], prompt="clip a", extra={"seed": 2})
    one = two.model_copy(update={"extra": {"seed": 1}})
    await studio.make(studio.job("a", order=two), studio.job("b", order=one))
    records = studio.records()
    assert ["fewer_clips" in records[name].flags for name in "ab"] == [True, False]


async def test_every_clip_of_one_order_is_named(studio):
    """An order of two clips brings two files home; the manifest names the second in the flags of the first."""
    veo = studio.profiles["qiniu"].mode("veo")
    order = Order(provider="qiniu", mode="veo", model=veo.models[0], prompt="clip a", extra={"sampleCount": 2})
    await studio.make(studio.job("a", order=order))
    row = manifest_row(studio.records()["a"])
    files = sorted(path.name for path in (studio.folder / "out" / "videos").glob("*.mp4"))
    assert (row.path, row.flags) == ("videos/a.mp4", ("also:videos/a-2.mp4",))
    assert files == ["a-2.mp4", "a.mp4"]
