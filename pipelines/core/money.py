"""Money in one currency, told apart by where it counts, and the moves of a price from one place to another. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Bucket(StrEnum):
    """Where the price of an attempt counts."""

    RESERVED = "reserved"  #: claimed, sent, or accepted and not yet finished
    SPENT = "spent"  #: the provider has delivered, or charges all the same
    UNCERTAIN = "uncertain"  #: nobody knows whether it is charged


#: As people read them.
BUCKETS = (Bucket.SPENT, Bucket.RESERVED, Bucket.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class BucketMove:
    """A price that left one bucket for another; None is outside."""

    currency: str
    amount: Decimal
    source: Bucket | None
    target: Bucket | None
    assumed: bool = False  # no provider has published this price

    @property
    def committed(self) -> Decimal:
        """By how much it changed what may have to be paid in all."""
        return self.amount * ((self.target is not None) - (self.source is not None))

    def then(self, other: BucketMove | None) -> BucketMove | None:
        """This move and one after it of the same price, as one; None: it is where it was."""
        target = self.target if other is None else other.target
        return None if target is self.source else replace(self, target=target)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is held in one currency, and how much of each part rests on assumed prices."""

    currency: str
    reserved: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    uncertain: Decimal = Decimal(0)
    reserved_assumed: Decimal = Decimal(0)
    spent_assumed: Decimal = Decimal(0)
    uncertain_assumed: Decimal = Decimal(0)

    @property
    def committed(self) -> Decimal:
        """The most that may have to be paid for what was asked so far."""
        return self.reserved + self.spent + self.uncertain

    def of(self, bucket: Bucket) -> tuple[Decimal, Decimal]:
        """What a bucket holds, and how much of that is assumed."""
        return getattr(self, bucket), getattr(self, f"{bucket}_assumed")

    def plus(self, bucket: Bucket, amount: Decimal, *, assumed: bool) -> Balance:
        """The same with an amount more in one bucket, or less."""
        held, held_assumed = self.of(bucket)
        changed: dict[str, Any] = {bucket.value: held + amount}
        if assumed:
            changed[f"{bucket}_assumed"] = held_assumed + amount
        return replace(self, **changed)

    def after(self, move: BucketMove) -> Balance:
        """The same when a price of this currency has moved."""
        left = self if move.source is None else self.plus(move.source, -move.amount, assumed=move.assumed)
        return left if move.target is None else left.plus(move.target, move.amount, assumed=move.assumed)

    def as_dict(self) -> dict[str, Any]:
        """For machines: amounts as text, so that 0.10 stays 0.10."""
        shares = {bucket.value: str(assumed) for bucket in BUCKETS if (assumed := self.of(bucket)[1])}
        return {"currency": self.currency, **{b.value: str(self.of(b)[0]) for b in BUCKETS}, "assumed": shares}
