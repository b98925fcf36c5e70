from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack, closing
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.core.errors import BudgetReached, LedgerError
from pipelines.core.outcome import InDoubt, NotCharged, Rejected
from pipelines.ledger import attempts, outcomes, settlement
from pipelines.ledger.attempts import Budget
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import SpendingBook, read_standings
from pipelines.ledger.storage.place import place_named

HOUSE = Path(__file__).parents[3]
CAP = Cap(Period.DAY, Decimal("1.00"), "USD")
PROGRAMME = """
import asyncio, json, sys
from decimal import Decimal
from pathlib import Path
from pipelines.core.errors import BudgetReached
from pipelines.core.job import Job
from pipelines.ledger import registration
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import SpendingBook
from pipelines.ledger.storage.place import place_named

async def main():
    url, folder, name, plans = sys.argv[1], Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
    jobs = [Job.model_validate(plan) for plan in plans]
    place = place_named(url or str(folder / "ledger.sqlite3"), folder, name)
    async with Ledger(place) as ledger:
        await ledger.write(registration.register, jobs, campaign=name, path=Path("x.csv"), source_sha256="s")
        cap = Cap(Period.MONTH, Decimal("3.00"), "USD")
        async with SpendingBook(ledger, folder.parent / "spending.sqlite3", name, [cap]) as book:
            print("open", flush=True)
            sys.stdin.readline()
            got = await asyncio.gather(*(book.reserve(job, "a", None) for job in jobs), return_exceptions=True)
    print(sum(not isinstance(each, BaseException) for each in got), {type(e).__name__ for e in got if isinstance(e, BaseException)})

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    return "" if request.param == "sqlite" else request.getfixturevalue("own_database")


@pytest.fixture
async def opened(url, tmp_path, register):
    """Opens the book of a campaign, and its ledger, with a job in it."""
    async with AsyncExitStack() as stack:

        async def enter(name, *jobs, caps=(CAP,)):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            place = place_named(url or str(folder / "ledger.sqlite3"), folder, name)
            ledger = await stack.enter_async_context(Ledger(place))
            await register(ledger, *jobs)
            book = SpendingBook(ledger, tmp_path / "spending.sqlite3", name, caps)
            return ledger, await stack.enter_async_context(book)

        yield enter


def committed(ledger, tmp_path, cap=CAP):
    [found] = read_standings(ledger.place, tmp_path / "spending.sqlite3", [cap])
    return found.committed, found.campaigns


async def test_a_cap_holds_over_campaigns(opened, make_job, tmp_path):
    """Two campaigns with ledgers of their own share what a day may cost; nothing is kept of what is refused."""
    first, one = await opened("spring", make_job("a"), make_job("b"))
    second, two = await opened("summer", make_job("c"), make_job("d"))
    assert committed(first, tmp_path) == (0, 0)
    assert (await one.reserve(make_job("a"), "x", None)).claim is not None
    assert (await two.reserve(make_job("c"), "x", None)).claim is not None
    with pytest.raises(
        BudgetReached, match=r"day's cap of 1.00 USD .*0.80 is .* over 2 campaigns, and this costs 0.40"
    ):
        await two.reserve(make_job("d"), "x", None)
    assert committed(first, tmp_path) == committed(second, tmp_path) == (Decimal("0.8"), 2)


async def test_an_attempt_in_doubt_counts_until_a_person_says_that_it_was_not_charged(opened, make_job, tmp_path):
    """As does whatever may have to be paid; what was surely refused is free at once."""
    ledger, book = await opened("spring", make_job("a"), make_job("b"))
    for name, outcome, left in (
        ("a", InDoubt("reset"), "0.4"),
        ("b", Rejected("row", code="bad", message="no", http_status=400), "0.4"),
    ):
        claim = (await book.reserve(make_job(name), "x", None)).claim
        assert await ledger.write(attempts.mark_sending, claim)
        await ledger.write(outcomes.record, name, outcome, claim)
        await book.note([name])
        assert committed(ledger, tmp_path)[0] == Decimal(left)
    await ledger.write(settlement.write_word, "a", NotCharged("ann"))
    await book.note(["a"])
    assert committed(ledger, tmp_path)[0] == 0


async def test_what_the_run_s_own_budget_refuses_is_not_held(opened, make_job, tmp_path):
    """Nor is what is not planned any more."""
    ledger, book = await opened("spring", make_job("a"), make_job("b"))
    with pytest.raises(BudgetReached, match="--budget"):
        await book.reserve(make_job("a"), "x", Budget(Decimal("0.10"), "USD"))
    assert committed(ledger, tmp_path)[0] == 0
    await book.reserve(make_job("b"), "x", None)
    assert (await book.reserve(make_job("b"), "x", None)).claim is None
    assert committed(ledger, tmp_path)[0] == Decimal("0.4")


async def test_a_price_that_is_unknown_is_bought_without_a_cap(opened, make_job, tmp_path):
    """It stands in the ledger, and not in the book."""
    ledger, book = await opened("spring", make_job("a", cost=None), caps=())
    assert (await book.reserve(make_job("a", cost=None), "x", None)).claim is not None
    assert committed(ledger, tmp_path) == (0, 0)


async def test_a_ledger_that_was_there_before_the_book_is_in_it_when_it_is_opened(
    opened, make_job, register, claim, tmp_path, url
):
    """What was spent before anybody kept a book counts too, once its campaign is opened again."""
    place = place_named(url or str(tmp_path / "spring" / "ledger.sqlite3"), tmp_path / "spring", "spring")
    async with Ledger(place) as ledger:
        await register(ledger, make_job("a"))
        claimed = await claim(ledger, make_job("a"))
        assert await ledger.write(attempts.mark_sending, claimed)
    ledger, _ = await opened("spring", make_job("a"))
    assert committed(ledger, tmp_path)[0] == Decimal("0.4")


@pytest.mark.long
def test_two_processes_at_once_never_pass_a_cap(url, tmp_path, make_job):
    """Both reserve as fast as they can; together they get what the cap of the month covers, to the cent."""
    running = []
    for name in ("spring", "summer"):
        (tmp_path / name).mkdir()
        plans = json.dumps([make_job(f"{name}-{n}").model_dump(mode="json") for n in range(20)])
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAMME, url, str(tmp_path / name), name, plans],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=HOUSE,
            )
        )
    got = []
    for process in running:
        assert process.stdout.readline() == "open\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        with process:
            said, _ = process.communicate()
        count, refused = said.split(" ", 1)
        got.append(int(count))
        assert refused.strip() == "{'BudgetReached'}"
    assert sum(got) == 7
    place = place_named(url or str(tmp_path / "spring" / "ledger.sqlite3"), tmp_path / "spring", "spring")
    [found] = read_standings(place, tmp_path / "spending.sqlite3", [Cap(Period.MONTH, Decimal(3), "USD")])
    assert found.committed == Decimal("2.8")


async def test_a_book_that_cannot_be_used_is_named(tmp_path, register, make_job):
    """One of a newer version, or a file that is no database: nothing may be reserved against a cap then."""
    file = tmp_path / "spending.sqlite3"
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await register(ledger, make_job())
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA user_version=99")
        with pytest.raises(LedgerError, match="newer reelbatch"):
            await SpendingBook(ledger, file, "spring").__aenter__()
        file.write_text("no database, and longer than its header would be " * 9)
        with pytest.raises(LedgerError, match="cannot be used"):
            await SpendingBook(ledger, file, "spring").__aenter__()
