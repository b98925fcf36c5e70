from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal

import pytest

from pipelines.actions import persons_word
from pipelines.actions.prospect import prospect
from pipelines.actions.redo import begin_redo, plan_redo, redo_in_run
from pipelines.actions.retry import begin_retry, plan_retry, retry_in_run, why_left
from pipelines.core.errors import LedgerOwned, SettlementRefused
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import requests
from pipelines.ledger.ledger import Ledger, ledger_in
from pipelines.run.batch_file import read_for_run
from pipelines.run.options import RunOptions


def failing(outcome, nth=1):
    return {"match": {"route": "submit", "nth": [nth]}, "do": {"outcome": outcome}}


@pytest.fixture
async def failed(studio):
    """A folder with a row that failed by chance, one that was moderated, and one that is done."""
    jobs = [studio.job(name) for name in "abc"]
    studio.sandbox.faults(failing("generation_failed", 1), failing("moderation_blocked", 2))
    await studio.make(*jobs, in_flight=1)
    studio.sandbox.faults()
    return jobs


def _status(studio):
    return {name: str(record.status) for name, record in studio.records().items()}


@pytest.mark.long
async def test_what_passes_is_made_and_the_rest_is_left_with_a_reason(studio, failed, run_on):
    """Only the rows that failed by chance are bought again; price and reasons are known before."""
    folder = studio.folder / "out"
    plan = plan_retry(folder)
    assert (plan.ids, [row.id for row in plan.left]) == (("a",), ["b"])
    assert "change its prompt" in plan.left[0].why
    assert {currency: str(amount) for currency, amount in plan.cost.items()} == {"USD": "0.40"}
    result = await run_on(*await begin_retry(plan))
    assert result.exit_code == 1
    assert _status(studio) == {"a": "done", "b": "failed", "c": "done"}
    assert sorted(studio.bought()) == [("qiniu", name) for name in ("a", "a", "b", "c")]
    with (folder / "failed.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["b"]


async def test_without_its_batch_file_the_ledger_is_enough(studio, failed, run_on):
    """The rows are run as they were planned; done copy and failed rows stay as they are."""
    (studio.folder / "x.jsonl").unlink()
    batch, options = await begin_retry(plan_retry(studio.folder / "out"))
    await run_on(batch, options)
    assert _status(studio) == {"a": "done", "b": "failed", "c": "done"}


async def test_a_remix_that_was_skipped_goes_with_its_parent(studio, run_on):
    """It waits for the parent, as ever."""
    studio.sandbox.faults(failing("generation_failed"))
    await studio.make(studio.job("a"), studio.job("r", parent="a"))
    studio.sandbox.faults()
    plan = plan_retry(studio.folder / "out")
    assert (plan.ids, plan.with_them) == (("a",), ("r",))
    await run_on(*await begin_retry(plan))
    assert _status(studio) == {"a": "done", "r": "done"}


@pytest.mark.long
async def test_a_retry_that_was_killed_before_its_run_is_gone_on_with(studio, failed, run_on):
    """The same command again finds the rows that it had planned; each is bought once more, and not twice."""
    folder = studio.folder / "out"
    await begin_retry(plan_retry(folder))  # and no run: as after a kill at `retry.planned`
    plan = plan_retry(folder)
    assert (plan.ids, plan.begun) == (("a",), {"a"})
    assert {currency: str(amount) for currency, amount in plan.cost.items()} == {"USD": "0.40"}
    await run_on(*await begin_retry(plan))
    assert _status(studio) == {"a": "done", "b": "failed", "c": "done"}
    assert sorted(studio.bought()) == [("qiniu", name) for name in ("a", "a", "b", "c")]
    assert plan_retry(folder).ids == ()


async def test_only_these(studio, failed):
    """What is named and cannot be run again says why; a name that nothing has is an error."""
    folder = studio.folder / "out"
    assert plan_retry(folder, ["c"]).left[0].why == "it is done"
    with pytest.raises(SettlementRefused, match="no job 'nobody'"):
        plan_retry(folder, ["nobody"])


async def test_an_owner_that_orders_nothing_is_left_alone(studio, failed, monkeypatch):
    """Whoever works on the ledger and does not answer gets no order; nothing is changed, and nothing is heeded later."""
    monkeypatch.setattr(persons_word, "PATIENCE_S", 0.2)
    folder = studio.folder / "out"
    plan = plan_retry(folder)
    async with Ledger(ledger_in(folder)) as ledger:
        with pytest.raises(LedgerOwned):
            await begin_retry(plan)
        with pytest.raises(LedgerOwned, match="does not answer"):
            await retry_in_run(plan)
        with pytest.raises(LedgerOwned, match="does not answer"):
            await redo_in_run(plan_redo(folder, "a"))
        assert await ledger.write(requests.unanswered) == []
    assert _status(studio)["a"] == "failed"


async def test_what_was_paid_is_not_retried(studio, failed):
    """A failure that is charged, or a clip that has expired, is for `redo`: it would be paid twice."""
    record = studio.records()["a"]
    paid = {name: getattr(record, name) for name in record.__dataclass_fields__}
    for more in ({"billed": Billed.YES}, {"status": JobStatus.EXPIRED}):
        assert "redo" in why_left(type(record)(**paid | more), None)


async def test_a_new_take_replaces_the_old_one(studio, failed, run_on):
    """It is a purchase of its own with its own file; the old row is not counted any more, and not bought by any run."""
    folder = studio.folder / "out"
    before = studio.records()["c"].output
    plan = plan_redo(folder, "c", "a better clip")
    assert (plan.new.id, plan.new.order.prompt, str(plan.new.cost_estimated)) == ("c-r2", "a better clip", "0.40")
    await run_on(*await begin_redo(plan))
    records = studio.records()
    assert (records["c"].replaced_by, records["c-r2"].status, records["c"].output) == ("c-r2", JobStatus.DONE, before)
    assert records["c-r2"].output["path"] == "videos/c-r2.mp4"
    assert "replaced_by:c-r2" in records["c"].flags
    assert studio.overview().counts == {JobStatus.DONE: 1, JobStatus.FAILED: 2}
    bought = len(studio.bought())
    await studio.make(*failed)  # the batch file knows nothing of the new take
    assert (len(studio.bought()), studio.records()["c-r2"].in_batch) == (bought, True)
    with pytest.raises(SettlementRefused, match="c-r2"):
        plan_redo(folder, "c")
    assert plan_redo(folder, "c-r2").new.id == "c-r3"


async def test_a_replaced_failure_is_no_failure(studio, run_on):
    """With the new take done, the campaign is done; an edit of the old row buys nothing."""
    job = studio.job("a")
    studio.sandbox.faults(failing("moderation_blocked"))
    await studio.make(job)
    studio.sandbox.faults()
    result = await run_on(*await begin_redo(plan_redo(studio.folder / "out", "a", "another")))
    assert result.exit_code == 0
    edited = job.model_copy(update={"order": job.order.model_copy(update={"prompt": "another"})})
    ending = await studio.make(edited)
    assert (ending.code, len(studio.bought())) == (0, 2)


async def test_a_new_take_that_was_not_made_is_made_by_the_next_run(studio, failed):
    """A kill between the word and the order loses nothing."""
    await begin_redo(plan_redo(studio.folder / "out", "c"))
    ending = await studio.make(*failed)
    assert ending.statuses["c-r2"] is JobStatus.DONE


async def test_a_prompt_that_cannot_be_sent_is_refused(studio, failed):
    """Empty, or longer than the provider takes; and a job that has not ended has no new take."""
    folder = studio.folder / "out"
    for prompt in (" ", "x" * 100_000):
        with pytest.raises(SettlementRefused, match="Nothing was changed"):
            plan_redo(folder, "c", prompt)
    with pytest.raises(SettlementRefused, match="no job"):
        plan_redo(folder, "nobody", options=RunOptions())


async def test_rows_that_have_not_failed_are_named_and_left_to_the_run(studio):
    """Whoever retries after a run that was held back hears that the run's own command goes on with the rest."""
    studio.sandbox.faults({"match": {"route": "submit", "nth": [1]}, "do": {"cut": "after"}})
    await studio.make(studio.job("a"), studio.job("b"), in_flight=1, budget=Decimal("0.40"))
    studio.sandbox.faults()
    assert _status(studio) == {"a": "in_doubt", "b": "planned"}
    plan = plan_retry(studio.folder / "out")
    assert (plan.ids, plan.as_dict()["unended"]) == ((), {"planned": 1, "in_doubt": 1})
    assert plan.unended_words.startswith("Not ended yet: 1 planned, 1 in doubt. That is for the command of the run")
    assert "reelbatch resolve" in plan.unended_words


async def test_a_row_that_a_wrong_profile_had_refused_is_taken_up_when_it_is_mended(studio, run_on):
    """The same order would be refused again; with another profile another order goes out, and nothing is paid twice."""
    folder = studio.folder / "out"
    studio.sandbox.faults({"match": {"route": "submit"}, "do": {"status": 422}})
    await studio.make(studio.job("a"))
    studio.sandbox.faults()
    assert _status(studio) == {"a": "rejected"}
    assert "it would be refused again" in plan_retry(folder).left[0].why
    mended = studio.folder / "qiniu.yaml"
    mended.write_text("extends: qiniu\nname: qiniu\nheaders: {x-revision: '2'}\n")
    options = RunOptions(profiles=(mended,))
    plan = plan_retry(folder, options=options)
    assert (plan.ids, plan.left, plan.uncertain) == (("a",), (), {})
    _, batch = read_for_run(studio.folder / "x.jsonl", options.model_copy(update={"provider": "qiniu"}))
    batch = replace(batch, jobs=(studio.job("a"),), reading=None)
    found = prospect(batch, options.model_copy(update={"out": folder}))
    assert found.outdated == {"a": "qiniu"}
    assert (
        "a was refused, and the profile of qiniu has changed since; `reelbatch retry DIR` tries again"
        in found.lines()[-1]
    )
    await run_on(*await begin_retry(plan, options))
    assert _status(studio) == {"a": "done"}
    assert studio.bought() == [("qiniu", "a")]
