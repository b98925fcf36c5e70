from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pipelines.core.money import Balance
from pipelines.core.text.amounts import buckets_text, money_text, price_text


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (Decimal("0.4"), "USD", "0.40 USD"),
        (Decimal(0), "USD", "0.00 USD"),
        (Decimal("0.095"), "CNY", "0.095 CNY"),
        (Decimal(1), None, "1.00"),
        (None, "USD", ""),
    ],
)
def test_a_price_has_two_decimals_at_least(amount, currency, words):
    """What is free costs 0.00; of what is unknown nothing is said."""
    assert price_text(amount, currency) == words


def test_the_buckets_are_told_apart():
    """What is spent always has its currency; what is reserved or uncertain is named where there is any."""
    yuan = Balance("CNY", reserved=Decimal(0), spent=Decimal(2), uncertain=Decimal(0))
    dollars = Balance("USD", reserved=Decimal("0.4"), spent=Decimal("5.1"), uncertain=Decimal("3.4"))
    guessed = replace(dollars, spent_assumed=Decimal(2), uncertain_assumed=dollars.uncertain)
    told = "5.10 USD (2.00 of it assumed), reserved 0.40, uncertain 3.40 (assumed)"
    assert money_text([guessed], rehearsed=False) == f"spent {told}"
    assert money_text([guessed], rehearsed=True) == f"would have cost {told}"
    assert money_text([], rehearsed=True) == ""
    assert buckets_text([yuan, dollars]) == "2.00 CNY; 5.10 USD, reserved 0.40, uncertain 3.40"
    assert buckets_text([]) == ""
