"""Say why the answer about a finished job shows no clip, for whoever wrote the profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.text.counts import first_of
from pipelines.core.text.printable import printable
from pipelines.providers.protocol import MissingClip
from pipelines.providers.responses import json_values

_LONGEST_NAME = 30
_MOST_NAMES = 8
_NOWHERE = "its profile names no place for the clip"


def missing_clip(answer: Mapping[str, Any], places: Sequence[str]) -> MissingClip:
    """Name where the clip was looked for, what is wrong there, and what stands at the top of the answer instead.

    No value of the answer is told, only names: a value may be a secret, or ten megabytes.

    Args:
        answer: about a job that its provider calls finished.
        places: where its profile says that the clip is, in order.
    """
    looked = [place for place in places if place != "content"]
    names = [printable(str(name), _LONGEST_NAME) for name in answer]
    has = f"the answer has {first_of(names, _MOST_NAMES)}" if names else "the answer is empty"
    found = [each for place in looked if (each := _at(answer, place)) is not None]
    wrong = next((each for each in found if not each.is_empty), found[0] if found else None)
    if wrong is None:
        where = first_of([f"`{place}`" for place in looked])
        words = f"nothing stands at {where}, where its profile looks for the clip" if looked else _NOWHERE
        return MissingClip(f"{words}; {has}")
    return MissingClip(f"{wrong.words}; {has}", wrong.is_empty)


def _at(answer: Mapping[str, Any], place: str) -> MissingClip | None:
    """What is wrong at a place that an answer has, at least in part; None where it has nothing of it."""
    if any(json_values.at_path(answer, place)):
        return MissingClip(f"what stands at `{place}`, where its profile looks for the clip, is none")
    above: list[Any] = [answer]
    steps = place.split(".")
    for number, step in enumerate(steps, 1):
        name, part = step.removesuffix("[]"), ".".join(steps[:number])
        found = [each[name] for each in above if isinstance(each, dict) and name in each]
        if any(isinstance(each, list) and each for each in found) and not step.endswith("[]"):
            return MissingClip(f"the profile looks for the clip at `{place}`, but `{part}` is a list: write `{part}[]`")
        if found and not any(found):
            words = f"`{part.removesuffix('[]')}` is empty, where its profile looks for the clip (`{place}`)"
            return MissingClip(words, is_empty=True)
        above = [item for each in found for item in (each if isinstance(each, list) else [each])]
    return None
