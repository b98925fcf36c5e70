"""Where a job stands: the columns that say it, and the only way to change them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.sql.dml import Update

from pipelines.core.job import RemoteJob
from pipelines.core.status import ACCEPTED, JobStatus
from pipelines.ledger.storage.schema import job

#: The provider has the job, and has not finished it as far as anybody knows here.
UNFINISHED = (JobStatus.WAITING, JobStatus.PARKED)
#: States without a live attempt, of a job that was surely not bought.
NOT_BOUGHT = (JobStatus.PLANNED, JobStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands in the ledger."""

    status: JobStatus
    remote: RemoteJob | None = None  # since it was accepted
    submitted_at: datetime | None = None
    account: str | None = None
    url_expires_at: datetime | None = None

    @property
    def provider_job_id(self) -> str | None:
        """The provider's id of it."""
        return self.remote.id if self.remote else None

    def but(self, status: JobStatus) -> Standing:
        """The same job in another status."""
        return replace(self, status=status)


#: The columns that a standing is read from.
STANDING = (
    job.c.id,
    job.c.status,
    job.c.provider_job_id,
    job.c.mode,
    job.c.contract,
    job.c.status_url,
    job.c.result_url,
    job.c.submitted_at,
    job.c.account,
    job.c.url_expires_at,
)

# Statements are built once: their compiled form is found again without looking at them. `or_` and not `in_`: an IN is
# expanded anew at every execution.
_STANDING_OF = select(*STANDING).where(job.c.id == bindparam("_id"))
_JOB = update(job).where(job.c.id == bindparam("_id"))
_JOB_IN: dict[tuple[JobStatus, ...], Update] = {
    states: _JOB.where(or_(*(job.c.status == status for status in states)))
    for states in (ACCEPTED, UNFINISHED, NOT_BOUGHT, (JobStatus.PLANNED,))
}


def standing_from(row: Any) -> Standing:
    """The standing in a row of the columns `STANDING`."""
    known = row.provider_job_id is not None
    return Standing(
        JobStatus(row.status),
        _remote(row) if known else None,
        datetime.fromisoformat(row.submitted_at) if row.submitted_at else None,
        row.account,
        datetime.fromisoformat(row.url_expires_at) if row.url_expires_at else None,
    )


def _remote(row: Any) -> RemoteJob:
    return RemoteJob(row.provider_job_id, row.mode or "", row.status_url, row.result_url, row.contract)


def standing_of(connection: Connection, job_id: str) -> Standing:
    """Where a job stands.

    Raises:
        KeyError: the ledger does not know the job; enrolment comes first.
    """
    row = connection.execute(_STANDING_OF, {"_id": job_id}).one_or_none()
    if row is None:
        raise KeyError(job_id)
    return standing_from(row)


def change_job(connection: Connection, job_id: str, was: tuple[JobStatus, ...] | None = None, **values: Any) -> bool:
    """Write columns of one job, if it is in one of the states `was`. Returns whether it was."""
    statement = _JOB if was is None else _JOB_IN[was]
    return connection.execute(statement, {"_id": job_id, **values}).rowcount == 1
