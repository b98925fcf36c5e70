"""Find paths into an answer that no reader could follow. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.checks.findings import Disagreement

_PATH = re.compile(r"[\w-]+(\[\])?(\.[\w-]+(\[\])?)*")


def unreadable(place: Place, path: str | None) -> Iterator[Disagreement]:
    """Refuse a text that is no path such as `task_result.videos[].url`."""
    if path is not None and not _PATH.fullmatch(path):
        yield place, f'"{path}" is no path. Write for example task_result.videos[].url.'


def unreadable_results(paths: Iterable[str]) -> Iterator[Disagreement]:
    """Refuse those of `results` that are no paths."""
    for index, path in enumerate(paths):
        yield from unreadable(("results", index), path)
