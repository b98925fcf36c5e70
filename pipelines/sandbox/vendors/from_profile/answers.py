"""The words of a profile, and answers built from its paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.providers.profile.model import Profile
from pipelines.sandbox.orders.life import Stage

#: What a contract says where a profile does not, by phase.
Words = Mapping[str, Sequence[str]]
UNFINISHED = (Stage.INITIALIZING, Stage.QUEUED, Stage.IN_PROGRESS, Stage.DOWNLOADING, Stage.UPLOADING)


def words_of(profile: Profile, usual: Words) -> dict[Stage, str]:
    """The words for each stage of a job: the profile's own words first, all of those for an unfinished job in their order."""
    own: dict[str, list[str]] = {}
    for word, phase in profile.words.items():
        own.setdefault(phase, []).append(word)
    said = {**usual, **own}
    running = said["running"]
    words = {stage: running[place * len(running) // len(UNFINISHED)] for place, stage in enumerate(UNFINISHED)}
    return words | {
        Stage.COMPLETED: said["succeeded"][0],
        Stage.FAILED: said["failed"][0],
        Stage.CANCELLED: said.get("cancelled", said["failed"])[0],
    }


def put(document: dict[str, Any], path: str, values: Sequence[Any]) -> None:
    """Lays values down where a path such as `task_result.videos[].url` leads, and makes what is missing on the way.

    With `[]` in it there is one item for each value; without, only the first value is laid down, if there is one.
    """
    name, _, rest = path.partition(".")
    key = name.removesuffix("[]")
    is_list = name != key
    if not rest:
        if is_list or values:
            document[key] = list(values) if is_list else values[0]
        return
    kind = list if is_list else dict
    inner: Any = document[key] if isinstance(document.get(key), kind) else kind()
    document[key] = inner
    if not is_list:
        put(inner, rest, values)
        return
    for place, value in enumerate(values):
        if place == len(inner):
            inner.append({})
        put(inner[place], rest, [value])
