"""What a run comes to beside its counts, and what it warns of at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.events import RowChange
from pipelines.core.text.sentences import changed_words


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run comes to, beside its counts."""

    exit_code: int
    reasons: tuple[str, ...]  # why it did less than everything
    status_requests: int  # free questions to the providers
    generating_cpu_s: float  # CPU time of this process while jobs were generated
    warnings: tuple[str, ...] = ()  # what it has left as it was, for a person to decide


def warnings_of(changed: Sequence[RowChange], folder: Path) -> tuple[str, ...]:
    """What a run warns of at its end: rows that have changed since they were bought. It is no reason to fail."""
    return (changed_words(changed, folder),) if changed else ()
