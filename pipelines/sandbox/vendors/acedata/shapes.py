"""How each Ace service writes down a result: flat, in a list, in an object, and under which words [A2 A4 A5]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict

from pipelines.sandbox.media.links import ace_link
from pipelines.sandbox.media.pixels import FRAMES_PER_SECOND
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.state import derived_uuid
from pipelines.sandbox.vendors.tables import STRICT

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A purchase as an answer may show it."""

    purchase: Purchase
    request: dict[str, Any]  # the order, which some services echo
    base: str
    expires: int | None  # Unix seconds; None: there is no file, or not yet

    def link(self, name: str, ending: str = ".mp4") -> Item:
        """The address of the clip or of what lies beside it, under this name; nothing while there is no file."""
        return {} if self.expires is None else {name: ace_link(self.base, self.purchase, self.expires, ending)}

    def echo(self, *names: str) -> Item:
        """What was sent in these fields: addresses among them that are not the clip's (trap T11)."""
        return {name: self.request[name] for name in names if name in self.request}


def sora(shown: Shown) -> Item:
    """[A1]."""
    return {"id": clip_id(shown.purchase), **shown.link("video_url")}


def veo(shown: Shown) -> Item:
    """[A5]: dates as text."""
    moments = {"created_at": shown.purchase.created, "complete_at": shown.purchase.finished}
    dates = {name: f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}" for name, moment in moments.items()}
    return {"id": clip_id(shown.purchase), **shown.echo("image_urls"), **shown.link("video_url"), **dates}


def kling(shown: Shown) -> Item:
    """[A2]: the length as text, a frame longer than ordered."""
    return {**kling_fixture(shown), "duration": f"{shown.purchase.seconds + 1 / FRAMES_PER_SECOND - 0.0005:.3f}"}


def kling_fixture(shown: Shown) -> Item:
    """[A5]: the length as a number."""
    return {
        "video_id": clip_id(shown.purchase),
        **shown.echo("start_image_url", "end_image_url", "prompt"),
        **shown.link("video_url"),
        "duration": shown.purchase.seconds,
    }


def luma(shown: Shown) -> Item:
    """[A2], wan alike: the thumbnail has an address too."""
    width, height = shown.purchase.width, shown.purchase.height
    return {
        "video_id": clip_id(shown.purchase),
        **shown.echo("prompt", "start_image_url", "end_image_url", "image_url"),
        **shown.link("thumbnail_url", ".jpg"),
        "thumbnail_width": width,
        "thumbnail_height": height,
        **shown.link("video_url"),
        "video_width": width,
        "video_height": height,
    }


def hailuo(shown: Shown) -> Item:
    """[A5]: the first image is echoed, as nothing if there was none."""
    return {
        "id": clip_id(shown.purchase),
        "model": shown.purchase.model,
        "prompt": shown.purchase.prompt,
        "first_image_url": shown.request.get("first_image_url", ""),
        **shown.link("video_url"),
    }


def seedance(shown: Shown) -> Item:
    """[A2]: the address is one storey further down."""
    purchase, request = shown.purchase, shown.request
    tokens = round(purchase.width * purchase.height * purchase.seconds * FRAMES_PER_SECOND / 1024)
    last_frame = shown.link("last_frame_url", ".jpg") if request.get("return_last_frame") else {}
    return {
        "id": clip_id(purchase),
        "model": purchase.model,
        "content": {**last_frame, **shown.link("video_url")},
        "seed": request.get("seed", 10),
        "resolution": request.get("resolution", "720p"),
        "ratio": request.get("ratio", "16:9"),
        "duration": round(purchase.seconds),
        "framespersecond": FRAMES_PER_SECOND,
        "execution_expires_after": request.get("execution_expires_after", 172_800),
        "usage": {"completion_tokens": tokens, "total_tokens": tokens},
        "created_at": int(purchase.created),
        "updated_at": int(purchase.finished),
    }


def happyhorse(shown: Shown) -> Item:
    """[A2]."""
    purchase, request = shown.purchase, shown.request
    return {
        "id": clip_id(purchase),
        **shown.echo("image_url", "image_urls"),
        **shown.link("video_url"),
        "duration": purchase.seconds,
        "resolution": request.get("resolution", "1080P"),
        "ratio": request.get("ratio"),
    }


def maestro(shown: Shown) -> Item:
    """[A2]: one variant for each language, with its cover and its captions."""
    purchase = shown.purchase
    variants = [
        {
            "lang": language,
            **shown.link("cover_url", ".jpg"),
            **shown.link("captions_url", ".srt"),
            **shown.link("output_url", ".mp4" if number == 1 else f"/{number}.mp4"),
            "qc_score": 0.92,
            "duration": purchase.seconds,
        }
        for number, language in enumerate(shown.request.get("langs") or ["zh-cn"], 1)
    ]
    return {"variants": variants, "storyboard": [{"scene": 1, "text": purchase.prompt}]}


def clip_id(purchase: Purchase) -> str:
    """What a result calls its clip; later orders name it by this."""
    identity = derived_uuid(purchase.id, "item")
    digits = identity.replace("-", "")
    if purchase.service == "kling":
        return str(int(digits, 16))[:18]
    if purchase.service == "seedance":
        return f"cgt-{datetime.fromtimestamp(purchase.created, UTC):%Y%m%d%H%M%S}-{digits[:5]}"
    if purchase.service == "sora" and "x" not in purchase.size:  # version 1; version 2 has bare UUIDs [A1]
        return f"{purchase.model}:task_{digits[:26]}"
    return identity


WRAPS: Mapping[str, Callable[[Item], Item]] = {
    "flat": lambda item: item,  # beside `success` and `task_id`
    "in_list": lambda item: {"data": [item]},
    "in_object": lambda item: {"data": item},
}
ITEMS: Mapping[str, Callable[[Shown], Item]] = {
    item.__name__: item for item in (sora, veo, kling, kling_fixture, luma, hailuo, seedance, happyhorse, maestro)
}


@dataclass(frozen=True, slots=True)
class AceShape:
    """Where a service puts a result, and its words for how it ended."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    wrap: Annotated[Callable[[Item], Item], BeforeValidator(WRAPS.__getitem__)]
    item: Annotated[Callable[[Shown], Item], BeforeValidator(ITEMS.__getitem__)]
    key: str | None = "state"  # None: the result has no word
    done: str = "succeeded"
    failed: str = "failed"
    fails_in_words: bool = False  # a failure shows the word as well as an error

    def document(self, shown: Shown, word: str) -> Item:
        """The result with its word."""
        return self.wrap({**self.item(shown), **({} if self.key is None else {self.key: word})})
