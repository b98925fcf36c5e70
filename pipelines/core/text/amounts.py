"""Amounts of money as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol


class Buckets(Protocol):
    """What is known of the money in one currency, by where it counts."""

    @property
    def currency(self) -> str:
        """Such as USD."""

    @property
    def spent(self) -> Decimal:
        """Surely charged."""

    @property
    def reserved(self) -> Decimal:
        """Set aside for what is on its way."""

    @property
    def uncertain(self) -> Decimal:
        """Perhaps charged."""


def amount_text(amount: Decimal) -> str:
    """An amount with at least two decimals: 14.40, and 0.095 as it is."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:.2f}" if isinstance(exponent, int) and exponent >= -2 else f"{amount.normalize():f}"  # noqa: PLR2004 - cents


def price_text(amount: Decimal | None, currency: str | None) -> str:
    """`0.40 USD`, and `0.00 USD` for what is free; nothing where no price is known."""
    return "" if amount is None else f"{amount_text(amount)} {currency or ''}".strip()


def buckets_text(balances: Iterable[Buckets]) -> str:
    """What was spent, and what else may have to be paid: `5.10 USD, reserved 0.40, uncertain 3.40`."""
    return "; ".join(
        f"{amount_text(balance.spent)} {balance.currency}"
        + (f", reserved {amount_text(balance.reserved)}" if balance.reserved else "")
        + (f", uncertain {amount_text(balance.uncertain)}" if balance.uncertain else "")
        for balance in balances
    )
