from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.status import JobStatus
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import read_standings
from pipelines.ledger.storage.place import place_of
from pipelines.run.options import RunOptions
from pipelines.run.spending import CAPS_BY_ENVIRONMENT, book_path, caps_of

DAY = CAPS_BY_ENVIRONMENT[Period.DAY]
USD = {period: Cap(period, Decimal("0.90"), "USD") for period in Period}


@pytest.fixture
def batch(studio):
    return studio.batch([studio.job("a")])


@pytest.mark.parametrize(
    ("of_run", "of_file", "standing", "most"),
    [
        (None, None, "", None),
        (None, None, "20", "20"),
        (None, "5", "20", "5"),
        (None, "50", "20", "20"),
        (7.5, "5", "20", "7.5"),
        (0, None, "20", "0"),
    ],
)
def test_which_cap_holds(batch, of_run, of_file, standing, most):
    """What is said for this run; else the lower of what the batch file and the environment say."""
    object.__setattr__(batch, "budget", batch.budget.model_copy(update={"per_day": of_file and Decimal(of_file)}))
    caps = caps_of(batch, RunOptions(budget_per_day=of_run), {DAY: standing})
    assert caps == (() if most is None else (Cap(Period.DAY, Decimal(most), "USD"),))
    assert caps_of(batch, RunOptions(budget_per_day=of_run, rehearse=True), {DAY: standing}) == ()


@pytest.mark.parametrize("text", ["20 USD", "-1", "nan", "lots"])
def test_a_cap_that_is_no_amount_is_refused(batch, text):
    """Nothing is sent then: it was meant to hold something."""
    with pytest.raises(SetupError, match=f"{DAY}={text}: Write a number"):
        caps_of(batch, RunOptions(), {DAY: text})


def test_the_book_is_beside_the_index_of_purchases(monkeypatch, tmp_path):
    """One for the user of this machine, or for whoever shares the index."""
    monkeypatch.setenv("REELBATCH_PURCHASES", str(tmp_path / "team.sqlite3"))
    assert book_path() == tmp_path / "team.spending.sqlite3"


async def test_a_day_s_cap_ends_a_run(studio, monkeypatch):
    """What fits is bought and brought home; the rest waits, with exit code 3 and the cap by its name."""
    monkeypatch.setenv(DAY, "0.90")
    jobs = [studio.job(name) for name in "abc"]
    ending = await studio.make(*jobs)
    assert ending.code == 3
    assert sorted(ending.statuses.values()) == [JobStatus.DONE, JobStatus.DONE, JobStatus.PLANNED]
    assert any("The day's cap of 0.90 USD leaves too little: 0.80 is" in reason for reason in ending.reasons)
    [found] = read_standings(place_of(studio.folder / "out" / "ledger.sqlite3"), book_path(), [USD[Period.DAY]])
    assert (found.committed, found.campaigns) == (Decimal("0.8"), 1)


async def test_without_its_book_a_cap_lets_nothing_be_bought(studio, monkeypatch):
    """Where there is no cap, the ledger alone guards the run, and that is said."""
    book_path().parent.mkdir(parents=True)
    book_path().write_text("no database, and longer than its header would be " * 9)
    with monkeypatch.context() as capped:
        capped.setenv(DAY, "20")
        with pytest.raises(LedgerError, match="book of spending"):
            await studio.make(studio.job("a"))
    ending = await studio.make(studio.job("a"))
    assert ending.code == 0
