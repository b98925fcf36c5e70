"""What happens to a job after it was accepted: ready, done, failed, parked; each one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, update

from pipelines.core.status import ACCEPTED, AttemptState, Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.attempts import Which, advance
from pipelines.ledger.balances import Pot
from pipelines.ledger.history import note
from pipelines.ledger.job_state import UNFINISHED, change_job
from pipelines.ledger.storage.schema import job

_TRACE = (
    update(job)
    .where(job.c.id == bindparam("_id"), job.c.trace_id.is_(None))
    .values(trace_id=bindparam("found", type_=String))
)


def traced(connection: Connection, job_id: str, trace_id: str) -> None:
    """Keep what the provider's support will ask for, if nothing was kept of it with the acceptance."""
    connection.execute(_TRACE, {"_id": job_id, "found": trace_id})


def ready(
    connection: Connection, job_id: str, *, completed_at: datetime | None, url_expires_at: datetime | None
) -> None:
    """The provider has finished. It is paid for now; the clip is still on the provider's side."""
    changed = change_job(
        connection,
        job_id,
        UNFINISHED,
        status=JobStatus.READY,
        completed_at=utc_text(completed_at),
        url_expires_at=None if url_expires_at is None else utc_text(url_expires_at),
        billed=Billed.YES,
        error_code=None,  # of an earlier deadline, perhaps
        error_message=None,
        failed_stage=None,
    )
    if changed:
        _settle(connection, job_id, Pot.SPENT, AttemptState.ACCEPTED)


def done(
    connection: Connection,
    job_id: str,
    *,
    output: dict[str, Any],
    flags: Sequence[str],
    completed_at: datetime | None,
    url_expires_at: datetime | None,
) -> None:
    """The clip is on disk and verified.

    Args:
        connection: the open transaction.
        job_id: the job.
        output: path (relative to the output folder), bytes, sha256, media, source_host.
        flags: what differs from the order.
        completed_at: when the provider says it finished; None: now.
        url_expires_at: when its link ends.
    """
    row = _settle(connection, job_id, Pot.SPENT, AttemptState.ACCEPTED)
    changed = change_job(
        connection,
        job_id,
        ACCEPTED,
        status=JobStatus.DONE,
        completed_at=utc_text(completed_at),
        downloaded_at=utc_text(),
        url_expires_at=None if url_expires_at is None else utc_text(url_expires_at),
        output=json.dumps(output),
        flags=json.dumps(list(flags)),
        cost_actual_micros=None if row is None else row.cost_micros,  # no provider says what it charged
        billed=Billed.YES,
        error_code=None,
        error_message=None,
        failed_stage=None,
    )
    if changed:
        note(connection, "done", job_id, path=output.get("path"), flags=list(flags))


def failed(
    connection: Connection,
    job_id: str,
    *,
    status: JobStatus,
    stage: str,
    code: str,
    message: str,
    billed: Billed,
) -> None:
    """The provider has ended the job without a video, or the video can no longer be had.

    Args:
        connection: the open transaction.
        job_id: the job.
        status: failed, cancelled or expired.
        stage: "generate" or "download".
        code: the provider's code, or ours.
        message: for a person.
        billed: whether the provider charges for it.
    """
    values = {"status": status, "error_code": code, "error_message": message, "failed_stage": stage, "billed": billed}
    if stage == "generate":
        values["completed_at"] = utc_text()
    if not change_job(connection, job_id, ACCEPTED, **values):
        return
    target = {Billed.YES: Pot.SPENT, Billed.NO: None, Billed.UNKNOWN: Pot.UNCERTAIN}[billed]
    _settle(connection, job_id, target, AttemptState.CLOSED)
    note(connection, "failed", job_id, stage=stage, code=code, message=message)


def parked(connection: Connection, job_id: str, *, stage: str, code: str, message: str) -> None:
    """Set aside: the attempt stays live, and the next run goes on with it at no new cost."""
    values = {"status": JobStatus.PARKED, "error_code": code, "error_message": message, "failed_stage": stage}
    if change_job(connection, job_id, ACCEPTED, **values):
        note(connection, "parked", job_id, stage=stage, code=code, message=message)


def skipped(connection: Connection, job_id: str, *, code: str, message: str) -> bool:
    """Not to be made after all, and nothing was sent. Returns whether it was still planned."""
    values = {"status": JobStatus.SKIPPED, "error_code": code, "error_message": message, "failed_stage": "submit"}
    changed = change_job(connection, job_id, (JobStatus.PLANNED,), **values)
    if changed:
        note(connection, "skipped", job_id, code=code, message=message)
    return changed


def _settle(connection: Connection, job_id: str, pot: Pot | None, state: AttemptState) -> Any:
    """Say where the price of the accepted attempt counts from now on."""
    return advance(connection, Which("job_id", job_id), (AttemptState.ACCEPTED,), state, pot)
