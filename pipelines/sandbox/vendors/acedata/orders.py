"""What an Ace service is, and how an order to one is read: by its own value, never by code of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from pipelines.sandbox.callbacks.delivery import check_address
from pipelines.sandbox.media.pixels import FRAMES_PER_SECOND, pixels
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.requests.rules import FieldRule, check_rules
from pipelines.sandbox.vendors.acedata.shapes import AceShape
from pipelines.sandbox.vendors.tables import STRICT

AUTOMATIC_SECONDS = 5  # of a clip whose length is left to the model
#: The finished clip of the account that a field names by its id.
FindClip = Callable[[str, str], Purchase]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, as far as it differs from another."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    fields: Mapping[str, Field]
    spec: AceShape
    fixture: AceShape | None = None  # as the vendor's own tests have it, where they differ from the specification
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[FieldRule, ...] = ()
    item_rules: tuple[FieldRule, ...] = ()  # of each entry of `content`
    seconds: int | None = None  # of every clip; None: `duration` says it
    ratio: str = ""  # the field of the picture's shape; empty: there is none, as for the next two
    fineness: str = ""  # the field of its fineness
    source: str = ""  # the field that names an earlier clip
    source_by: Literal["clip", "task", "either"] = "clip"  # the id in its result, or that of its task
    at_once: bool = False  # an order is never held until it is done
    ndjson: bool = False  # a held order may be answered line by line
    stages: tuple[str, ...] = ()  # words of an unfinished task, in their order; empty: it shows none
    parse: Callable[[Service, dict[str, Any], FindClip], ParsedOrder] = field(default_factory=lambda: parse_ace_order)


def parse_ace_order(service: Service, fields: dict[str, Any], find: FindClip) -> ParsedOrder:
    """Read an order to a service; `find` looks an earlier clip up."""
    check_fields(service, fields)
    values = {**service.defaults, **fields}
    earlier = find(service.source, values[service.source]) if service.source in fields else None
    width, height = _pixels(service, values, earlier)
    texts = (item["text"] for item in values.get("content", ()) if item["type"] == "text")
    return ParsedOrder(
        contract="acedata",
        service=service.name,
        model=values.get("model", service.name),
        prompt=str(values.get("prompt") or " ".join(texts)),
        seconds=_seconds(service, values, earlier),
        size=f"{width}x{height}",
        pixels=(width, height),
        fields=fields,
        callback_url=fields.get("callback_url"),
        remixed_from=None if earlier is None else earlier.id,
        echoed=True,
        clips=len(values.get("langs") or [""]),
    )


def check_fields(service: Service, fields: dict[str, Any]) -> None:
    """Hold the fields of an order against a service, one by one and together."""
    read_fields(service.fields, fields, form=False)
    if "callback_url" in fields:
        check_address("callback_url", fields["callback_url"])
    for place, item in enumerate(fields.get("content", ())):
        check_rules(service.item_rules, item, {}, within=f"content[{place}].")
    check_rules(service.rules, fields, service.defaults)


def _pixels(service: Service, values: Mapping[str, Any], earlier: Purchase | None) -> tuple[int, int]:
    if "size" in values:
        width, height = values["size"].replace("*", "x").split("x")
        return int(width), int(height)
    fineness = str(values.get(service.fineness, "720p"))
    if earlier is None:
        return pixels(str(values.get(service.ratio, "16:9")), fineness)
    if values.get("action") == "get1080p":
        return pixels(f"{earlier.width}:{earlier.height}", "1080p")
    return earlier.width, earlier.height


def _seconds(service: Service, values: Mapping[str, Any], earlier: Purchase | None) -> float:
    """The length of a clip: an extended one shows only what is new, as nothing says whether the rest comes before it."""
    if earlier is not None and values.get("action") == "get1080p":
        return earlier.seconds
    if "frames" in values:  # they win [A4]
        return float(values["frames"] / FRAMES_PER_SECOND)
    seconds = service.seconds or values["duration"]
    return int(seconds if seconds > 0 else AUTOMATIC_SECONDS)
