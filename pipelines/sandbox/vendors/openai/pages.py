"""`GET /videos`: the list of what an account bought, page by page or as it comes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.vendors.refusals import wrong_field

MOST_LISTED = 100
USUAL = 20


def page_of(bought: Sequence[Purchase], query: Mapping[str, str]) -> tuple[list[Purchase], bool]:
    """One page of OpenAI's list, and whether another follows [O2].

    Args:
        bought: the oldest first.
        query: `limit`, `order` and `after`.

    Raises:
        RefusalError: the query asks for something else.
    """
    limit = _limit(query, least=0)
    limit = USUAL if limit is None else limit
    direction = query.get("order", "desc")
    if direction not in ("asc", "desc"):
        raise wrong_field("order", "expected asc or desc")
    own = list(bought) if direction == "asc" else list(reversed(bought))
    if "after" in query:
        rest = _after(own, query["after"])
        if rest is None:
            raise wrong_field("after", "there is no such video")
        own = rest
    return own[:limit], len(own) > limit


def bare_page_of(bought: Sequence[Purchase], query: Mapping[str, str]) -> list[Purchase]:
    """SGLang's list: everything at once unless a limit is given, and odd values are forgiven [G1].

    Raises:
        RefusalError: the limit is no number from 1 to 100.
    """
    own = list(bought) if query.get("order", "").lower() == "asc" else list(reversed(bought))
    if "after" in query:
        own = _after(own, query["after"]) or []
    limit = _limit(query, least=1)
    return own if limit is None else own[:limit]


def envelope(videos: list[dict[str, Any]], purchases: Sequence[Purchase], *, has_more: bool) -> dict[str, Any]:
    """The full list object [O2]."""
    return {
        "object": "list",
        "data": videos,
        "first_id": purchases[0].id if purchases else None,
        "last_id": purchases[-1].id if purchases else None,
        "has_more": has_more,
    }


def _limit(query: Mapping[str, str], *, least: int) -> int | None:
    text = query.get("limit")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,3}", text) or not least <= int(text) <= MOST_LISTED:
        raise wrong_field("limit", f"expected {least} to {MOST_LISTED}")
    return int(text)


def _after(own: Sequence[Purchase], identifier: str) -> list[Purchase] | None:
    for place, purchase in enumerate(own):
        if purchase.id == identifier:
            return list(own[place + 1 :])
    return None
