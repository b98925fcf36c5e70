from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.core.job import Order
from pipelines.pricing.price import quote
from pipelines.providers.profile.load import shipped_profiles

PROFILES = shipped_profiles()


def order(provider, model="sora-2", seconds=12, size="720x1280", mode="video"):
    return Order(provider=provider, mode=mode, model=model, prompt="a", seconds=seconds, size=size)


@pytest.mark.parametrize(
    ("bought", "cost"),
    [
        (order("qiniu"), "1.20"),
        (order("openai", "sora-2-pro", 4), "1.20"),
        (order("openai", "sora-2-pro", 4, "1792x1024"), "2.00"),
        (order("acedata", mode="v2"), "0.50"),
        (order("acedata", "sora-2-pro", 25, "small", "v1"), "1.50"),
    ],
)
def test_prices_are_exact(bought, cost):
    """By the second or by the clip, never through a float."""
    assert quote(bought, PROFILES[bought.provider]).amount == Decimal(cost)


def test_an_unknown_price_is_none():
    """It is not nothing: the budget must know the difference."""
    assert quote(order("openai", "wan-2.6"), PROFILES["openai"]) is None
    assert quote(order("openai", seconds=None), PROFILES["openai"]) is None


def test_a_quote_says_when_the_price_is_a_stand_in():
    """The vendor of qiniu publishes none."""
    assert quote(order("qiniu"), PROFILES["qiniu"]).assumed
    assert not quote(order("openai"), PROFILES["openai"]).assumed
