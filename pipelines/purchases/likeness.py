"""When two orders are the same purchase to a person, whatever the row, the provider or its profile are called. Pure.

Two keys of an order. Its *goods* are all that the row asks for: prompt, model, length, size, pictures, parameters; not the
name of the provider, nor what its profile always sends, nor the account. Its *subject* is what the clip shows: prompt and
pictures. The same goods are the same purchase everywhere. The same subject is the same purchase only at another
provider and in the same campaign: lengths and sizes differ between providers, so that no goods would be alike there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.core.image import local_path
from pipelines.core.job import Job, Order, digest_of

_NOT_GOODS = {"provider", "mode", "fixed"}
_SUBJECT = {"prompt", "image_urls", "character_url", "character_start", "character_end", "remix_of"}


@dataclass(frozen=True, slots=True)
class Likeness:
    """The keys of what one job orders."""

    goods: str
    subject: str


def likeness_of(order: Order, parent: Likeness | None = None) -> Likeness:
    """The keys of an order; a remix of a clip of its batch is named by what that clip is, and not by the id of its row."""
    given = order.given(_NOT_GOODS)
    if parent is not None:
        given["remix_of"] = f"goods:{parent.goods}"
    if order.image_urls:
        # A picture without the path that leads to it: the same bytes are the same picture in any folder.
        given["image_urls"] = [url if local_path(url) is None else url.rpartition("#")[2] for url in order.image_urls]
    return Likeness(digest_of(given), digest_of({name: value for name, value in given.items() if name in _SUBJECT}))


def likenesses(jobs: Iterable[Job], wanted: Iterable[Job] | None = None) -> dict[str, Likeness]:
    """The keys of jobs, and of what they are made of, by their ids.

    Args:
        jobs: of a batch, all of them.
        wanted: those of them that are asked for; None: all.
    """
    by_id = {job.id: job for job in jobs}
    found: dict[str, Likeness] = {}
    for job in by_id.values() if wanted is None else wanted:
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
