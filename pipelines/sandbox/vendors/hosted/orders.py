"""What the hosted models take (models.yaml), and how a body becomes an order: read whole, then spread out to be priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from pydantic import ConfigDict

from pipelines.sandbox.callbacks.delivery import check_address
from pipelines.sandbox.media.pixels import pixels
from pipelines.sandbox.orders.bill import ParsedOrder
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.rules import FieldRule, check_rules
from pipelines.sandbox.vendors.hosted.vendors import hosted_vendors
from pipelines.sandbox.vendors.refusals import RefusalError
from pipelines.sandbox.vendors.tables import STRICT, read_table

MINUTE = 60
SMALLEST_SIDE = 64  # from here on the two numbers of a ratio are pixels
FRAME_RATE = 24
#: What the vendors call the same thing.
LENGTHS = ("duration", "durationSeconds")
SHAPES = ("size", "ratio", "aspect_ratio", "aspectRatio")
FINENESS = ("resolution", "mode")
PROMPTS = ("prompt", "promptText", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedModel:
    """One model, or several that take the same."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    vendor: str
    names: tuple[str, ...]
    at: str = ""  # the way to order it, where the vendor has several
    versions: tuple[str, ...] = ()  # hashes by which Replicate knows it
    several: bool = False  # its result is a list
    fields: Mapping[str, Field]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[FieldRule, ...] = ()
    prices: Mapping[str, float]


@cache
def hosted_models() -> Mapping[tuple[str, str], Mapping[str, HostedModel]]:
    """The models by vendor and way to order, and by name; read when somebody first orders."""
    found: defaultdict[tuple[str, str], dict[str, HostedModel]] = defaultdict(dict)
    for model in read_table("hosted/models.yaml", HostedModel):
        found[model.vendor, model.at] |= dict.fromkeys((*model.names, *model.versions), model)
    return found


def hosted_model(vendor: str, name: Any, at: str = "") -> HostedModel:
    """The model of that name; one that the vendor does not have, or not there, is refused as it refuses it."""
    found = hosted_models()[vendor, at].get(name) if isinstance(name, str) else None
    if found is None:
        raise RefusalError(400, f"The model {str(name)[:100]!r} does not exist.", code="model", field="model")
    return found


def spread_out(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an order without the objects and lists around them."""
    flat: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("input", "parameters"):
            flat |= value
        elif name in ("instances", "content"):  # the first of each counts
            flat = {key: each for item in reversed(value) for key, each in item.items()} | flat
        else:
            flat[name] = value
    return flat


def parse_hosted_order(
    model: HostedModel, name: str, body: dict[str, Any], *, callback: Any = None, echoed: bool = False
) -> ParsedOrder:
    """Read an order to a model, or refuse it by the name of its first wrong field."""
    read_fields(model.fields, body, form=False)
    sent = spread_out(body)
    check_rules(model.rules, sent, model.defaults)
    if callback:
        check_address("callback_url", callback)
    seconds, fineness, (width, height) = measures({**model.defaults, **sent})
    return ParsedOrder(
        contract=model.vendor,
        model=name,
        prompt=str(next((sent[key] for key in PROMPTS if key in sent), "")),
        seconds=seconds,
        size=f"{width}x{height}",
        pixels=(width, height),
        fields=body,
        callback_url=callback or None,
        echoed=echoed,
        service=model.at,
        price=price_in(model.prices, fineness or str(min(width, height)), seconds),
        usual_s=hosted_vendors()[model.vendor].minutes * MINUTE,
    )


def measures(values: Mapping[str, Any]) -> tuple[float, str, tuple[int, int]]:
    """Seconds, the word for fineness, width and height."""
    length = next((values[key] for key in LENGTHS if key in values), None)
    frames = values.get("frames", values.get("length"))
    seconds = frames / FRAME_RATE if frames else float(str(length or 5).removesuffix("s"))
    fineness = next((values[key] for key in FINENESS if key in values), "")
    shape = str(next((values[key] for key in SHAPES if key in values), "16:9")).replace("*", ":")
    across, _, down = shape.partition(":")
    if down and min(int(across), int(down)) >= SMALLEST_SIDE:
        return seconds, fineness, (int(across), int(down))
    return seconds, fineness, pixels(shape, fineness or "720p")


def price_in(prices: Mapping[str, float], fineness: str, seconds: float) -> float:
    """The price of a clip: its own, or its seconds at the price of its fineness."""
    whole = prices.get(f"{fineness} {seconds:g}")
    return whole if whole is not None else round(prices.get(fineness, prices.get("any", 0.0)) * seconds, 6)
