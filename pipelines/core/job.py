"""What is ordered and what is made: an order, a job, and the job as its provider knows it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from pipelines.core.shape import pixels_of
from pipelines.core.text.amounts import price_text

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_PLAIN = (str, int, bool)  # of a provider's own parameters: what JSON writes as it is
_FIELDS: dict[type[BaseModel], set[str]] = {}  # of all that are built, one set: it is copied with a copy
_NOTHING: tuple[Any, ...] = (None, (), {})  # what a field of an order says that is not given
_EMPTY: dict[
    str, Any
] = {}  # shared: of 100,000 orders most fix nothing and have no parameters; nobody writes into an order
_SET = object.__setattr__  # a frozen model has none of its own
M = TypeVar("M", bound=BaseModel)


def built(kind: type[M], values: dict[str, Any]) -> M:
    """Make an order or a job of values that were checked one by one: all of its fields, and nothing is looked at again.

    `model_construct` would look for aliases, defaults and extra values in each of 100,000 rows.
    """
    made = kind.__new__(kind)
    if (every := _FIELDS.get(kind)) is None:
        every = _FIELDS[kind] = set(kind.model_fields)
    _SET(made, "__dict__", values)
    _SET(made, "__pydantic_fields_set__", every)
    _SET(made, "__pydantic_extra__", None)
    _SET(made, "__pydantic_private__", None)
    return made


def digest_of(given: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a mapping, the same on every machine and in every run."""
    return hashlib.sha256(_CANONICAL.encode(given).encode("utf-8", "surrogatepass")).hexdigest()


class Order(BaseModel):
    """What is bought: everything that decides the bytes of the request. Two equal orders are the same purchase."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    mode: str = ""  # the rule set of the profile that the row fits, such as acedata's "v2"; decides the protocol too
    fixed: dict[str, Any] = Field(default_factory=dict)  # what the mode always sends, as it was when this was planned
    model: str
    prompt: str
    seconds: int | None = None  # None: the provider decides
    size: str | None = None  # as the provider spells it: "1280x720", or "small"
    orientation: str | None = None  # "landscape", "portrait", ..., where the provider takes it apart from the size
    image_urls: tuple[str, ...] = ()  # addresses, or local files as `pipelines.core.image` names them
    character_url: str | None = None
    character_start: int | None = None  # seconds
    character_end: int | None = None  # seconds
    remix_of: str | None = None  # the id of another job of the batch, or the provider's id of a video
    extra: dict[str, Any] = Field(default_factory=dict)  # the provider's own parameters, under its own names

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of this order, the same on every machine and in every run.

        What is not given does not count, so that a field which a later version adds leaves old fingerprints as they are;
        nor does what a profile calls its mode, so that nobody buys again because of a new name.
        """
        return digest_of(self.given({"mode"}))

    def given(self, but: Container[str]) -> dict[str, Any]:
        """What of this order is given, as JSON has it; without what is named."""
        if all(type(value) in _PLAIN for value in (*self.fixed.values(), *self.extra.values())):
            return {name: value for name, value in self.__dict__.items() if value not in _NOTHING and name not in but}
        dumped = self.model_dump(mode="json", exclude_defaults=True)  # the same, for whatever else a parameter may be
        return {name: value for name, value in dumped.items() if name not in but}

    def pixels(self) -> tuple[int, int] | None:
        """Width and height, where the size says them exactly."""
        return pixels_of(self.size)


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job as its provider knows it: all that is needed to ask about it again, in any run."""

    id: str
    mode: str = ""  # of the profile
    status_url: str | None = None  # where the provider said to ask; None: the contract's path
    result_url: str | None = None  # where the provider said that the result will be
    contract: str | None = None  # the protocol that it was ordered in; None: that of the mode


class Choice(BaseModel):
    """One way to have a job made: an order at one provider, and its price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Order
    cost_estimated: Decimal | None = None
    currency: str | None = None
    price_assumed: bool = False  # no provider has published this price


class Job(BaseModel):
    """One video to make: an order, and where it came from and where it goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # unique in the batch; also the name of its Prefect task run
    row: int  # 1 for the first row after the header, or the first entry of `jobs`
    campaign: str
    take: int = 1  # 1 for the first; takes are separate purchases
    order: Order
    filename: str  # relative to the folder `videos/`, ends in ".mp4"
    tags: tuple[str, ...] = ()
    own: dict[str, str] = Field(default_factory=dict)  # the user's own columns, untouched
    enabled: bool = True
    cost_estimated: Decimal | None = None
    currency: str | None = None
    price_assumed: bool = False  # no provider has published this price
    parent: str | None = None  # the job of this batch that it remixes, and waits for
    fallbacks: tuple[Choice, ...] = ()  # tried in this order, each only when the one before was surely not bought
    fallback_index: int = 0  # how many of the fallbacks it has fallen back to: the order is that of the last of them

    def fall_back(self) -> Job | None:
        """The same job with its next fallback as its order, or None where there is no further one."""
        if self.fallback_index >= len(self.fallbacks):
            return None
        return self.model_copy(
            update={"fallback_index": self.fallback_index + 1, **dict(self.fallbacks[self.fallback_index])}
        )

    @property
    def price_words(self) -> str:
        """What it is expected to cost: `0.40 USD (assumed)`; nothing where no price is known."""
        price = price_text(self.cost_estimated, self.currency)
        return f"{price} (assumed)" if price and self.price_assumed else price

    @classmethod
    def kept(cls, plan: str) -> Job:
        """The job of a plan that this programme has written and nobody else: it is not checked once more.

        As `model_validate_json` without its checks: at 100,000 rows that is half a second.
        """
        values = from_json(plan)
        values["order"] = _order_of(values["order"])
        values["tags"], values["fallbacks"] = tuple(values["tags"]), tuple(map(_choice_of, values["fallbacks"]))
        return built(cls, _priced(values))

    @property
    def choice(self) -> Choice:
        """The way it is made now."""
        price = {"cost_estimated": self.cost_estimated, "currency": self.currency, "price_assumed": self.price_assumed}
        return Choice.model_validate({"order": self.order, **price})


def _order_of(values: dict[str, Any]) -> Order:
    values["image_urls"] = tuple(values["image_urls"])
    for name in ("fixed", "extra"):
        values[name] = values[name] or _EMPTY
    return built(Order, values)


def _choice_of(values: dict[str, Any]) -> Choice:
    values["order"] = _order_of(values["order"])
    return built(Choice, _priced(values))


def _priced(values: dict[str, Any]) -> dict[str, Any]:
    if values["cost_estimated"] is not None:
        values["cost_estimated"] = _amount(values["cost_estimated"])
    return values


_amount = lru_cache(maxsize=1024)(Decimal)  # most jobs of a batch cost the same: one amount, and not 100,000
