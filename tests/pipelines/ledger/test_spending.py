from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.errors import BudgetReached, NotCovered
from pipelines.ledger.ledger import Ledger, storage_of
from pipelines.ledger.spending import (
    HELD,
    Cap,
    Payer,
    Period,
    SpendingEntry,
    book_metadata,
    check_covered,
    follow,
    hold,
    let_go,
    make_day_totals,
    payer_of,
    reconcile_book,
    standings,
)
from pipelines.ledger.storage.sqlite import open_engine

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
DAY, MONTH = (Cap(period, Decimal(2), "USD") for period in Period)
SPRING, SUMMER = (Payer(f"l-{name}", f"/x/{name}/ledger.sqlite3", name) for name in ("spring", "summer"))


def price(attempt, bucket="reserved", *, epoch=1, currency="USD", cents=90, at="2026-10-31T12:00:00.000Z"):
    return SpendingEntry(attempt, epoch, currency, cents * 10_000, bucket, at)


@pytest.fixture
def book(tmp_path):
    with open_engine(tmp_path / "spending.sqlite3").connect() as opened:
        connection = opened.execution_options(schema_translate_map={book_metadata.schema: None})
        with connection.begin():
            book_metadata.create_all(connection)
            make_day_totals(connection)
            yield connection


def taken(book, cap=DAY, now=NOON):
    [found] = standings(book, [cap], now)
    return found.committed, found.campaigns


def test_a_cap_holds_over_all_campaigns_and_is_named_rightly(book):
    """What other campaigns hold counts; the refusal names the cap, what is taken, and what this would cost."""
    hold(book, SPRING, price("a"), [DAY])
    hold(book, SUMMER, price("b", HELD), [DAY])
    with pytest.raises(BudgetReached) as refused:
        hold(book, SUMMER, price("c", cents=40), [DAY])
    assert str(refused.value) == (
        "The day's cap of 2.00 USD leaves too little: 1.80 is spent, reserved or uncertain today (UTC) over 2 campaigns, "
        "and this costs 0.40. Wait for the next day, or raise --budget-per-day, and run the same command again."
    )
    hold(book, SUMMER, price("d", cents=20), [DAY])
    assert taken(book) == (Decimal(2), 2)


@pytest.mark.parametrize("bucket", [HELD, "reserved", "spent", "uncertain", None])
def test_what_counts(book, bucket):
    """Whatever may have to be paid; what costs nothing after all does not."""
    hold(book, SPRING, price("a"), [])
    follow(book, SPRING, [price("a", bucket)])
    assert taken(book) == ((Decimal("0.9"), 1) if bucket else (Decimal(0), 0))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([HELD, "spent", None, "gone"]), st.booleans())))
def test_what_a_day_comes_to_is_what_its_prices_come_to(steps):
    """After whatever was held, followed up and let go, also by a version that knows nothing of such sums."""
    with open_engine(Path(":memory:")).connect() as opened, opened.begin():
        book = opened.execution_options(schema_translate_map={book_metadata.schema: None})
        book_metadata.create_all(book)
        for number, (name, bucket, early) in enumerate(steps):
            if number == len(steps) // 3:
                make_day_totals(book)
            at = "2026-10-31T12:00:00.000Z" if name in "ab" else "2026-11-01T00:00:00.000Z"
            if bucket == "gone":
                let_go(book, name)
            else:
                follow(book, SPRING if early else SUMMER, [price(name, bucket, cents=7 + ord(name), at=at)])
        make_day_totals(book)
        sums = (
            "SELECT currency, substr(reserved_at, 1, 10), sum(micros) FROM entry WHERE bucket IS NOT NULL GROUP BY 1, 2"
        )
        kept = book.exec_driver_sql("SELECT * FROM day_total WHERE micros <> 0").all()
        assert sorted(kept) == sorted(book.exec_driver_sql(sums).all())


def test_currencies_are_never_added_up(book):
    """A cap in USD knows nothing of what was spent in CNY."""
    hold(book, SPRING, price("a", currency="CNY", cents=900_00), [])
    hold(book, SPRING, price("b", cents=200), [DAY])
    assert taken(book) == (Decimal(2), 1)


def test_a_day_and_a_month_roll_over(book):
    """Each price counts by the day and month in which it was reserved, in UTC."""
    caps = [DAY, Cap(Period.MONTH, Decimal(3), "USD")]
    hold(book, SPRING, price("a", cents=200), caps)
    with pytest.raises(BudgetReached, match="day's cap"):
        hold(book, SPRING, price("b", cents=1, at="2026-10-31T23:59:59.999Z"), caps)
    hold(book, SPRING, price("c", cents=200, at="2026-11-01T00:00:00.000Z"), caps)
    with pytest.raises(BudgetReached, match=r"month's cap of 3.00 USD leaves too little: 2.00 is .* this month"):
        hold(book, SPRING, price("d", cents=101, at="2026-11-02T00:00:00.000Z"), caps)
    hold(book, SPRING, price("e", cents=100, at="2026-11-02T00:00:00.000Z"), caps)
    assert taken(book, MONTH, datetime(2026, 11, 30, tzinfo=UTC)) == (Decimal(3), 1)


def test_a_price_that_a_cap_cannot_judge_is_not_covered(make_job):
    """One that is unknown, or in another currency."""
    check_covered(make_job(), [DAY])
    for job in (make_job(cost=None), make_job().model_copy(update={"currency": "CNY"})):
        check_covered(job, [])
        with pytest.raises(NotCovered, match=r"the day's cap of 2\.00 USD cannot cover it"):
            check_covered(job, [DAY])


def test_only_what_is_held_can_be_let_go(book):
    """What the ledger has reserved stays."""
    hold(book, SPRING, price("a", HELD), [])
    hold(book, SPRING, price("b"), [])
    let_go(book, "a")
    let_go(book, "b")
    assert taken(book) == (Decimal("0.9"), 1)


def test_a_kill_between_book_and_ledger_is_mended_when_the_ledger_is_opened(book):
    """What an earlier run held for nothing is free again; what the ledger has is known; another ledger's stays."""
    for name in ("lost", "known"):
        hold(book, SPRING, price(name, HELD, epoch=3), [])
    hold(book, SUMMER, price("other", HELD, epoch=3), [])
    reconcile_book(book, SPRING, 4, [price("known", "uncertain"), price("older", "spent"), price("free", None)])
    assert taken(book) == (Decimal("2.7"), 2)
    reconcile_book(book, SPRING, 5, [price("known", None), price("older", "spent")])
    assert taken(book) == (Decimal("1.8"), 2)


def test_an_old_copy_of_a_ledger_lets_nothing_go(book):
    """What a later run held than the ledger knows of may have been bought: it goes on counting."""
    hold(book, SPRING, price("a", HELD, epoch=9), [])
    reconcile_book(book, SPRING, 9, [])  # by that very run, which may be about to reserve it
    let_go(book, "a")
    assert taken(book)[0] == 0
    hold(book, SPRING, price("a", HELD, epoch=9), [])
    for epoch in (4, 10):
        reconcile_book(book, SPRING, epoch, [])
        assert taken(book) == (Decimal("0.9"), 1)


async def test_a_ledger_says_for_whom_it_pays(tmp_path):
    """Its name, and the epoch of the run."""
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        payer, epoch = await ledger.write(payer_of, "/x", "spring")
        assert (payer.place, payer.campaign, epoch, len(payer.ledger_id)) == ("/x", "spring", 1, 16)
    assert storage_of(ledger.place).place == ledger.place
