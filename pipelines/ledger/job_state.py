"""Where a job stands: the columns that say it, and the only statements that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from pipelines.core.job import RemoteJob
from pipelines.core.status import ACCEPTED, JobStatus
from pipelines.ledger.persons_steps import DONE, IN_DOUBT, REPLACEABLE, RETRIABLE, UNFINISHED
from pipelines.ledger.storage.schema import job


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a job stands in the ledger."""

    status: JobStatus
    remote: RemoteJob | None = None  # since it was accepted
    submitted_at: datetime | None = None
    account: str | None = None  # fingerprint of the address and key that it was sent with
    trace_id: str | None = None  # what the provider's support will ask for
    archived: bool = False  # a person has taken it out of the counts
    replaced_by: str | None = None  # the job of a new take
    removed: bool = False  # the batch file does not name it any more

    @property
    def wanted(self) -> bool:
        """Whether no person has set it aside: not archived, and not replaced by a new take."""
        return not self.archived and self.replaced_by is None

    @property
    def counts(self) -> bool:
        """Whether it is one of the jobs that the campaign is to make: nor is its row removed."""
        return self.wanted and not self.removed

    @property
    def has_work(self) -> bool:
        """Whether a run has something to do for it: what a person has set aside is not sent, and still brought home."""
        return self.status.has_work and (self.counts or self.status.meaning.accepted)

    @property
    def provider_job_id(self) -> str | None:
        """The provider's id of it."""
        return self.remote.id if self.remote else None


#: The columns that a state is read from.
STATE_COLUMNS = (
    job.c.id,
    job.c.status,
    job.c.provider_job_id,
    job.c.mode,
    job.c.contract,
    job.c.status_url,
    job.c.result_url,
    job.c.submitted_at,
    job.c.account,
    job.c.trace_id,
    job.c.archived_at,
    job.c.replaced_by,
    job.c.in_batch,
)

#: No live attempt, and surely not bought.
NOT_BOUGHT = (JobStatus.PLANNED, JobStatus.REJECTED)

# Statements are built once: their compiled form is found again without looking at them. `or_` and not `in_`: an IN is
# expanded anew at every execution.
_STATE_OF = select(*STATE_COLUMNS).where(job.c.id == bindparam("_id"))
_JOB = update(job).where(job.c.id == bindparam("_id"))
_CHANGE: dict[tuple[JobStatus, ...] | None, ReturningUpdate[Any]] = {
    None: _JOB.returning(*STATE_COLUMNS),
    **{
        leaves: _JOB.where(or_(*(job.c.status == status for status in leaves))).returning(*STATE_COLUMNS)
        for leaves in (
            ACCEPTED,
            UNFINISHED,
            NOT_BOUGHT,
            (JobStatus.PLANNED,),
            IN_DOUBT,
            DONE,
            RETRIABLE,
            REPLACEABLE,
        )
    },
}


def state_from(row: Any) -> JobState:
    """Read a state from a row of the columns `STATE_COLUMNS`."""
    remote = None
    if row.provider_job_id is not None:
        remote = RemoteJob(row.provider_job_id, row.mode or "", row.status_url, row.result_url, row.contract)
    submitted_at = datetime.fromisoformat(row.submitted_at) if row.submitted_at else None
    aside = {"archived": bool(row.archived_at), "replaced_by": row.replaced_by, "removed": not row.in_batch}
    return JobState(JobStatus(row.status), remote, submitted_at, row.account, row.trace_id, **aside)


def state_of(connection: Connection, job_id: str) -> JobState:
    """Read where a job stands.

    Raises:
        KeyError: the ledger does not know the job; registration comes first.
    """
    row = connection.execute(_STATE_OF, {"_id": job_id}).one_or_none()
    if row is None:
        raise KeyError(job_id)
    return state_from(row)


def change_job(
    connection: Connection, job_id: str, leaves: tuple[JobStatus, ...] | None, columns: Mapping[str, Any]
) -> JobState | None:
    """Write columns of one job if it stands in one of the statuses `leaves` (None: wherever it stands).

    Returns:
        Its new state, or None if it stood elsewhere and nothing was written.
    """
    row = connection.execute(_CHANGE[leaves], {"_id": job_id, **columns}).one_or_none()
    return None if row is None else state_from(row)
