"""The exact price of one job, from the price list of its provider's profile."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pipelines.core.job import Order
from pipelines.providers.profile.model import Profile


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one order."""

    amount: Decimal
    currency: str
    assumed: bool  # the provider publishes no price; this one is a stand-in


def quote(order: Order, profile: Profile) -> Quote | None:
    """The price of one order with its currency, or None where the profile knows no price for it."""
    price_row = profile.price_of(order)
    if price_row is None:
        return None
    amount = price_row.amount * profile.clips_of(order)
    if price_row.per == "clip":
        return Quote(amount, price_row.currency, price_row.assumed)
    if order.seconds is None:
        return None
    return Quote(amount * order.seconds, price_row.currency, price_row.assumed)
