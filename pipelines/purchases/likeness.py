"""When two orders are the same purchase to a person, whatever the row, the provider or its profile are called. Pure.

Two keys of an order. Its *goods* are all that the row asks for: prompt, model, length, size, pictures, parameters; not the
name of the provider, nor what its profile always sends, nor the account. Its *subject* is what the clip shows: prompt and
pictures. The same goods are the same purchase everywhere. The same subject is the same purchase only at another
provider and in the same campaign: lengths and sizes differ between providers, so that no goods would be alike there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.core.image import local_path
from pipelines.core.job import Job, Order

_NOT_GOODS = {"provider", "mode", "fixed"}
_SUBJECT = {"prompt", "image_urls", "character_url", "character_start", "character_end", "remix_of"}


@dataclass(frozen=True, slots=True)
class Likeness:
    """The keys of what one job orders."""

    goods: str
    subject: str


def likeness_of(order: Order, parent: Likeness | None = None) -> Likeness:
    """The keys of an order; a remix of a clip of its batch is named by what that clip is, and not by the id of its row."""
    given = order.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_GOODS)
    if parent is not None:
        given["remix_of"] = f"goods:{parent.goods}"
    if order.image_urls:
        # A picture without the path that leads to it: the same bytes are the same picture in any folder.
        given["image_urls"] = [url if local_path(url) is None else url.rpartition("#")[2] for url in order.image_urls]
    return Likeness(_hash(given), _hash({name: value for name, value in given.items() if name in _SUBJECT}))


def likenesses(jobs: Iterable[Job]) -> dict[str, Likeness]:
    """The keys of every job of a batch, by its id."""
    by_id = {job.id: job for job in jobs}
    found: dict[str, Likeness] = {}
    for job in by_id.values():
        chain = [job]
        while chain[-1].id not in found and (parent := by_id.get(chain[-1].parent or "")) is not None:
            chain.append(parent)
        for each in reversed(chain):
            if each.id not in found:
                found[each.id] = likeness_of(each.order, found.get(each.parent or ""))
    return found


def ways_of(job: Job, known: Mapping[str, Likeness]) -> list[Likeness]:
    """The keys of a job, and of what it may fall back to."""
    parent = known.get(job.parent or "")
    return [known[job.id], *(likeness_of(choice.order, parent) for choice in job.fallbacks)]


def _hash(values: Mapping[str, Any]) -> str:
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
