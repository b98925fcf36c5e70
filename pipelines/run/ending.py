"""What a run comes to beside its counts, and what it warns of at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.events import RowChange
from pipelines.core.text.sentences import changed_words, missing_words


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run comes to, beside its counts."""

    exit_code: int
    reasons: tuple[str, ...]  # why it did less than everything
    status_requests: int  # free questions to the providers
    generating_cpu_s: float  # CPU time of this process while jobs were generated
    warnings: tuple[str, ...] = ()  # what it has left as it was, for a person to decide


def warnings_of(changed: Sequence[RowChange], missing: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """What a run warns of at its end, which is no reason to fail.

    Args:
        changed: rows that have changed since they were bought.
        missing: clips, by job, that somebody has taken away since they were brought home.
        folder: the output folder.
    """
    said = (changed_words(changed, folder) if changed else "", missing_words(missing, folder) if missing else "")
    return tuple(filter(None, said))
