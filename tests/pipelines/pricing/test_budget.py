from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.pricing.budget import budget_currency, shortfall
from tests.pipelines.pricing.jobs import job


@pytest.mark.parametrize(("most", "count"), [("3", 7), ("0.39", 0), ("0.40", 1), ("7.99", 19)])
def test_a_budget_that_is_too_small_says_how_far_it_goes(most, count):
    """The rows are counted in their order, as they are sent."""
    (words,) = shortfall([job(f"j{n}") for n in range(20)], Decimal(most), "USD")

    assert f"covers about {count} of 20 videos, which cost 8.00 USD together" in words
    assert words.startswith(f"The budget of {Decimal(most):.2f} USD ")


def test_a_budget_that_covers_everything_is_no_matter_for_words():
    """To the last cent, and without what is disabled."""
    assert shortfall([job("a"), job("b"), job("c", "9", enabled=False)], Decimal("0.80"), "USD") == ()
    assert shortfall([], Decimal(0), "USD") == ()


def test_what_a_budget_cannot_cover_is_named_with_what_to_do():
    """A price that is unknown, or in another currency, is none that a budget can count."""
    unknown, abroad = shortfall([job("a", cost=None), job("b"), job("c", cost="0")], Decimal(3), "EUR")

    assert unknown.startswith("A budget of 3.00 EUR cannot cover 1 video of unknown price: a. Run them without")
    assert abroad.startswith("A budget of 3.00 EUR cannot cover 2 videos with a price in USD: b, c.")
    assert "a budget in USD" in abroad


@pytest.mark.parametrize(
    ("currencies", "named", "meant"),
    [(["CNY"], None, "CNY"), (["CNY", "USD"], None, "USD"), ([], None, "USD"), (["USD"], "EUR", "EUR")],
)
def test_a_budget_without_a_currency_is_in_that_of_the_prices(currencies, named, meant):
    """Where these have several, or none, it is in USD."""
    assert budget_currency([job("a", currency=currency) for currency in currencies], named) == meant
