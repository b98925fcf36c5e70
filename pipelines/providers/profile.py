"""A provider as a data file: paths, parameters, limits, prices, words. What differs between providers is data, not code.

The shipped profiles are the YAML files beside this module; docs/providers.md explains each field.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from pipelines.errors import SetupError
from pipelines.job import Order


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Seconds(_Data):
    """How a mode takes the length of a clip."""

    allowed: tuple[int, ...]
    default: int
    only: dict[int, tuple[str, ...]] = {}  # a length that only these models make
    field: str = "seconds"  # the name in the request
    type: Literal["string", "integer"] = "string"  # the JSON type in the request


class Size(_Data):
    """How a mode takes the picture size."""

    allowed: tuple[str, ...]
    default: str
    only: dict[str, tuple[str, ...]] = {}  # a size that only these models make
    doubtful: dict[str, tuple[str, ...]] = {}  # as `only`, where the vendor's documents disagree: warn, don't refuse
    field: str = "size"


class Images(_Data):
    """How a mode takes reference images."""

    most: int = 0
    field: str = "image_urls"
    style: Literal["list", "url", "object"] = "list"  # a list of URLs, one bare URL, or {"image_url": URL}
    ignored_beyond: int | None = None  # the provider silently drops images beyond this many
    must_match_size: bool = False  # the pixels of the image must equal `size`


class Mode(_Data):
    """One consistent set of rules of an API: what may be combined, and under which names it is sent."""

    name: str
    models: tuple[str, ...]
    seconds: Seconds
    size: Size
    orientations: tuple[str, ...] = ()  # taken as a parameter of its own; empty: it is only a way to pick a size
    images: Images = Images()
    character: bool = False  # character_url with character_start and character_end
    fixed: dict[str, Any] = {}  # sent with every request of this mode
    parameters: tuple[str, ...] = ()  # the provider's further parameters, accepted as columns and sent as they are


class Price(_Data):
    """One row of a price list. The first row that fits an order is its price."""

    model: str
    mode: str | None = None
    size: str | None = None
    seconds: int | None = None
    amount: Decimal
    per: Literal["second", "clip"]
    currency: str = "USD"
    as_of: date
    source: str
    assumed: bool = False  # the provider publishes no price; this one is a stand-in for planning and budgets


class Timing(_Data):
    """What waiting for this provider is usually like."""

    typical: dict[int, float] = {}  # clip length in seconds -> usual time to make it, in seconds
    otherwise: float = 120.0  # usual time for any other length, in seconds
    deadline_hours: float = 24.0  # after this a job is parked, never failed
    link_lifetime_hours: float | None = None


class Limits(_Data):
    """What one account may ask for. Defaults only: the batch file and the command line win."""

    in_flight: int = 10
    submit_per_minute: float = 60.0
    status_per_second: float = 5.0
    batch_query: int = 0  # how many jobs one status request may name; 0: no such request


#: What an error code means for us: who must act, and whether other rows are concerned too.
ErrorKind = Literal["key", "funds", "address", "row", "moderation", "slow_down", "server"]


class Profile(_Data):
    """One provider, as far as it differs from another."""

    name: str
    title: str
    contract: Literal["openai", "acedata"]  # which client speaks to it
    base_url: str
    key_env: tuple[str, ...]
    base_url_env: tuple[str, ...]
    default_model: str
    prompt_most: int  # characters
    modes: tuple[Mode, ...]
    open_models: bool = False  # other servers speak this contract: unknown models, lengths and WxH sizes only warn
    prices: tuple[Price, ...] = ()
    timing: Timing = Timing()
    limits: Limits = Limits()
    service: str = "sora"  # acedata contract: the first path segment
    result: Literal["content", "task_result", "data"] = "content"  # where a finished answer names its file
    words: dict[str, Literal["running", "succeeded", "failed", "cancelled"]] = {}
    errors: dict[str, ErrorKind] = {}  # error codes whose meaning the HTTP status does not tell
    on_server_error: Literal["in_doubt", "rejected"] = "in_doubt"
    bills_failures: Literal["yes", "no", "unknown"] = "unknown"
    remix: bool = False
    retired_on: date | None = None
    notes: tuple[str, ...] = ()

    def mode(self, name: str) -> Mode:
        """The mode of that name.

        Raises:
            KeyError: there is none; orders are made by the planner, so this is a bug.
        """
        for mode in self.modes:
            if mode.name == name:
                return mode
        raise KeyError(name)

    def price_of(self, order: Order) -> Price | None:
        """The first price row that fits, or None where the profile knows no price."""
        for price in self.prices:
            fits = (
                price.model == order.model
                and price.mode in (None, order.mode)
                and price.size in (None, order.size)
                and price.seconds in (None, order.seconds)
            )
            if fits:
                return price
        return None

    def key_from(self, environment: Mapping[str, str]) -> str | None:
        """The API key, from the first of `key_env` that is set and not empty."""
        return next((environment[name].strip() for name in self.key_env if environment.get(name, "").strip()), None)

    def base_url_from(self, environment: Mapping[str, str]) -> tuple[str, bool]:
        """The address of the API without a trailing slash, and whether the operator set it."""
        for name in self.base_url_env:
            if environment.get(name, "").strip():
                return environment[name].strip().rstrip("/"), True
        return self.base_url, False


@cache
def shipped_profiles() -> dict[str, Profile]:
    """The profiles that come with reelbatch, by name."""
    folder = resources.files("pipelines.providers").joinpath("profiles")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    profiles = [Profile.model_validate(yaml.safe_load(file.read_text("utf-8"))) for file in files]
    return {profile.name: profile for profile in profiles}


def profile_named(name: str) -> Profile:
    """The shipped profile of that name.

    Raises:
        SetupError: there is none; the message lists those that exist.
    """
    try:
        return shipped_profiles()[name]
    except KeyError:
        known = ", ".join(sorted(shipped_profiles()))
        raise SetupError(f"There is no provider {name!r}. Known providers: {known}.") from None
