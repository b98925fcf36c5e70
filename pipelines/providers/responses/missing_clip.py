"""Say why the answer about a finished job shows no clip, for whoever wrote the profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.text.counts import first_of
from pipelines.providers.protocol import MissingClip
from pipelines.providers.responses.unread import Reach, names_in, unread_at

_NOWHERE = "its profile names no place for the clip"


def missing_clip(answer: Mapping[str, Any], places: Sequence[str], clip_base64: str | None = None) -> MissingClip:
    """Name where the clip was looked for, what is wrong there, and what stands at the top of the answer instead.

    No value of the answer is told, only names: a value may be a secret, or ten megabytes.

    Args:
        answer: about a job that its provider calls finished.
        places: where its profile says that links to the clip are, in order.
        clip_base64: where it says that the clip itself is.
    """
    wanted = {**({clip_base64: "base64"} if clip_base64 else {}), **dict.fromkeys(places, "link")}
    found = [unread_at(answer, place, what) for place, what in wanted.items() if place != "content"]
    names = names_in(answer)
    has = f"the answer has {names}" if names else "the answer is empty"
    if not found:
        return MissingClip(f"{_NOWHERE}; {has}")
    furthest = max(found, key=lambda each: each.reach)  # of several the first
    if furthest.reach is Reach.NOWHERE:
        where = first_of([f"`{each.place}`" for each in found])
        return MissingClip(f"nothing stands at {where}, where its profile looks for the clip; {has}")
    words = f"nothing is read at `{furthest.place}`, where its profile looks for the clip: {furthest.ends}; {has}"
    return MissingClip(words, is_empty=furthest.reach is Reach.EMPTY)
