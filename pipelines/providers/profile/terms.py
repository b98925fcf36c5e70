"""The terms of a provider as data: usual waits, prices, and what one account may ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from pipelines.core.job import Order
from pipelines.providers.profile.scalars import Day, Hours, Length, Wait


class ProfilePart(BaseModel):
    """A part of a profile: it never changes, and no key in it goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Timing(ProfilePart):
    """Usual waiting times at this provider."""

    typical: dict[int, Wait] = {}  # clip length in seconds -> usual time to make it, in seconds
    otherwise: Wait = 120.0  # usual time for any other length, in seconds
    deadline_hours: Hours = 24.0  # after this a job is parked, never failed
    link_lifetime_hours: Hours | None = None  # how long a finished file can be had


class Price(ProfilePart):
    """One row of a price list. The first row that fits an order is its price."""

    model: str  # "*" for any
    mode: str | None = None  # the one that it holds for; None: any
    size: str | None = None  # the same
    seconds: Length | None = None  # the same
    parameters: dict[str, Any] = {}  # values of further parameters that it holds for
    amount: Decimal = Field(ge=0, le=1_000_000)  # what it costs
    per: Literal["second", "clip"]  # a second of the clip, or the clip
    currency: str = Field("USD", pattern="^[A-Z]{3}$")  # three letters
    as_of: Day  # when the price was looked up
    source: str  # where
    assumed: StrictBool = False  # the provider publishes no price; this one is a stand-in for planning and budgets

    def fits(self, order: Order) -> bool:
        """Tell whether the row is about such an order."""
        return (
            self.model in ("*", order.model)
            and self.mode in (None, order.mode)
            and self.size in (None, order.size)
            and self.seconds in (None, order.seconds)
            and all(order.extra.get(name) == value for name, value in self.parameters.items())
        )


class Limits(ProfilePart):
    """Rates and numbers that one account may ask for. Defaults only: the batch file and the command line win."""

    in_flight: int = Field(10, ge=1)  # unfinished jobs at once
    submit_per_minute: float = Field(60.0, gt=0)  # submissions a minute
    status_per_second: float = Field(5.0, gt=0)  # status queries a second, all jobs together
    batch_query: int = Field(0, ge=0)  # how many jobs one status request may name; 0: no such request
    shared: str | None = None  # profiles with one word here share `in_flight` and the queries, where they share a key
