"""Index and book follow the ledger a moment later, many jobs in one go; whoever needs them sooner has them sooner."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.core.errors import BudgetReached
from pipelines.core.money import Bucket
from pipelines.core.outcome import Rejected
from pipelines.ledger import attempts
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import read_standings
from pipelines.ledger.storage.place import place_of
from pipelines.purchases.index import PurchaseIndex
from pipelines.purchases.likeness import likenesses
from pipelines.run import purchase_recorder
from pipelines.run.spending import CAPS_BY_ENVIRONMENT, book_path


@pytest.fixture(autouse=True)
def an_hour(monkeypatch):
    """What is to be noted is collected for an hour, unless something ends that."""
    monkeypatch.setattr(purchase_recorder, "_TOGETHER_S", 3600.0)


async def test_at_the_end_of_a_run_all_is_noted_in_one_go(studio, monkeypatch):
    """Nobody has waited for it before; and what a run has bought is known once it is over."""
    written, put = [], PurchaseIndex.put
    monkeypatch.setattr(PurchaseIndex, "put", lambda index, found: [written.append(len(found)), put(index, found)])
    jobs = [studio.job(name) for name in "abc"]
    async with studio.opened(*jobs) as run:
        written.clear()  # what is compared when it opens
        await studio.work(run)
        assert written == []
    assert written == [3]
    known = PurchaseIndex().of_goods(likenesses(jobs).values())
    assert sorted((each.bought.job_id, each.bought.bucket) for each in known) == [
        (name, Bucket.SPENT) for name in "abc"
    ]


async def test_what_is_given_back_counts_before_anything_is_refused(studio, monkeypatch):
    """An order that the provider refuses costs nothing: a cap of one clip is enough for another one at once."""
    monkeypatch.setenv(CAPS_BY_ENVIRONMENT[Period.DAY], "0.50")
    async with studio.opened(studio.job("a"), studio.job("b")) as run:
        claim = (await run.reserve(run.job("a"), "x")).claim
        with pytest.raises(BudgetReached):
            await run.reserve(run.job("b"), "x")
        assert await run.ledger.write(attempts.mark_sending, claim)
        await run.record(run.job("a"), Rejected("row", code="bad", message="no", http_status=400), claim)
        assert (await run.reserve(run.job("b"), "x")).claim is not None
    cap = Cap(Period.DAY, Decimal("0.50"), "USD")
    [found] = read_standings(place_of(studio.folder / "out" / "ledger.sqlite3"), book_path(), [cap])
    assert found.committed == Decimal("0.4")
