"""`GET /videos`: the list of what an account bought, page by page or as it comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.vendors.refusals import wrong_field

MOST_LISTED = 100
USUAL = 20

ShowVideo = Callable[[Purchase], dict[str, Any]]


def full_page(bought: Sequence[Purchase], query: Mapping[str, str], show: ShowVideo) -> dict[str, Any]:
    """OpenAI's list object [O2]: one page of what was bought, which comes the oldest first."""
    limit = _limit(query, least=0)
    limit = USUAL if limit is None else limit
    direction = query.get("order", "desc")
    if direction not in ("asc", "desc"):
        raise wrong_field("order", "expected asc or desc")
    rest = _after(bought if direction == "asc" else bought[::-1], query)
    if rest is None:
        raise wrong_field("after", "there is no such video")
    page = rest[:limit]
    return {
        "object": "list",
        "data": [show(purchase) for purchase in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(rest) > limit,
    }


def bare_page(bought: Sequence[Purchase], query: Mapping[str, str], show: ShowVideo) -> dict[str, Any]:
    """SGLang's list: everything at once unless a limit is given, and odd values are forgiven [G1]."""
    own = _after(bought if query.get("order", "").lower() == "asc" else bought[::-1], query) or ()
    return {"object": "list", "data": [show(purchase) for purchase in own[: _limit(query, least=1)]]}


def _limit(query: Mapping[str, str], *, least: int) -> int | None:
    text = query.get("limit")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,3}", text) or not least <= int(text) <= MOST_LISTED:
        raise wrong_field("limit", f"expected {least} to {MOST_LISTED}")
    return int(text)


def _after(own: Sequence[Purchase], query: Mapping[str, str]) -> Sequence[Purchase] | None:
    """What follows the video that the query names; None if there is no such video."""
    if "after" not in query:
        return own
    places = [place for place, purchase in enumerate(own) if purchase.id == query["after"]]
    return own[places[0] + 1 :] if places else None
