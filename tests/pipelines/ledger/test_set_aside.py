from __future__ import annotations

from decimal import Decimal

from pipelines.ledger.set_aside import NotCounted, held_words, not_counted, open_jobs
from pipelines.ledger.views import overview


async def test_what_is_not_counted_explains_the_sums(studio):
    """What archived and removed rows hold, and which of them are open, make up the difference of lists and sums."""
    studio.sandbox.faults({"match": {"route": "submit", "nth": [1]}, "do": {"cut": "after"}})
    await studio.make(studio.job("a"), studio.job("b"), studio.job("c"), in_flight=1)
    async with studio.opened(studio.job("b")) as run:  # the file does not name the others any more
        aside, money = await run.ledger.write(not_counted), (await run.ledger.write(overview)).money
        [doubt] = await run.ledger.write(open_jobs, ["a", "b"])
    assert held_words(money) == "0.80 USD spent, 0.40 USD uncertain"
    assert held_words(aside.money) == "0.40 USD spent, 0.40 USD uncertain"
    assert (aside.open, doubt.words) == ((doubt,), "a (in doubt, 0.40 USD uncertain)")
    assert aside.as_dict()["open"][0]["money"][0]["uncertain"] == str(Decimal("0.4"))


async def test_where_all_count_nothing_is_set_aside(studio):
    """Most campaigns never have such a row."""
    async with studio.opened(studio.job("a")) as run:
        assert await run.ledger.write(not_counted) == NotCounted()
