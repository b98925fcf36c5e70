"""What an outcome does to the ledger, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.core.job import RemoteJob
from pipelines.core.money import Bucket
from pipelines.core.status import AttemptState, Billed, JobStatus
from pipelines.ledger.attempts import AttemptRow


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


def accepted_as(remote: RemoteJob, row: AttemptRow | None) -> dict[str, Any]:
    """The columns of a job that its provider knows by an id, whoever has said so."""
    return {
        "status": JobStatus.WAITING,
        "account": row.account if row is not None else None,
        "provider_job_id": remote.id,
        "mode": remote.mode,
        "contract": remote.contract,
        "status_url": remote.status_url,
        "result_url": remote.result_url,
        "billed": Billed.UNKNOWN,
    }
