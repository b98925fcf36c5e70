"""Amounts of money as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pipelines.core.money import BUCKETS, Balance, Bucket


def amount_text(amount: Decimal) -> str:
    """An amount with at least two decimals: 14.40, and 0.095 as it is."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:.2f}" if isinstance(exponent, int) and exponent >= -2 else f"{amount.normalize():f}"  # noqa: PLR2004 - cents


def price_text(amount: Decimal | None, currency: str | None) -> str:
    """`0.40 USD`, and `0.00 USD` for what is free; nothing where no price is known."""
    return "" if amount is None else f"{amount_text(amount)} {currency or ''}".strip()


def assumed_text(amount: Decimal, assumed: Decimal) -> str:
    """What is to be said behind an amount that rests on assumed prices, wholly or in part; else nothing."""
    if not assumed:
        return ""
    return " (assumed)" if assumed == amount else f" ({amount_text(assumed)} of it assumed)"


def buckets_text(balances: Iterable[Balance]) -> str:
    """What was spent, and what else may have to be paid: `5.10 USD, reserved 0.40 (assumed), uncertain 3.40`."""
    return "; ".join(
        ", ".join(
            (
                f"{price_text(balance.spent, balance.currency)}{assumed_text(*balance.of(Bucket.SPENT))}",
                *(
                    f"{bucket} {amount_text(amount)}{assumed_text(amount, assumed)}"
                    for bucket in BUCKETS[1:]
                    for amount, assumed in (balance.of(bucket),)
                    if amount
                ),
            )
        )
        for balance in balances
    )


def money_text(balances: Iterable[Balance], *, rehearsed: bool) -> str:
    """The same as a clause that says what kind of money it is: `spent 5.10 USD`, or of a rehearsal what it would have cost."""
    words = buckets_text(balances)
    return f"{'would have cost' if rehearsed else 'spent'} {words}" if words else ""
