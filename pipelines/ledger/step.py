"""What an outcome does to the ledger, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.core.status import AttemptState, JobStatus
from pipelines.ledger.balances import Bucket


@dataclass(frozen=True, slots=True)
class Step:
    """What an outcome does to the job, to its attempt and to the history."""

    job: Mapping[str, Any]  # columns to write
    notes: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    job_leaves: tuple[JobStatus, ...] | None = None  # only from these; None: wherever its attempt was
    attempt_leaves: tuple[AttemptState, ...] = ()  # empty: no attempt is concerned
    attempt_to: AttemptState = AttemptState.ACCEPTED
    attempt: Mapping[str, Any] = field(default_factory=dict)  # further columns to write
    bucket: Bucket | None = None  # where the attempt's price counts from now on
