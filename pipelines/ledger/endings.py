"""What happens to a job after it was accepted: ready, done, failed, parked; each one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, update

from pipelines.job import AttemptState, Billed, JobStatus
from pipelines.ledger import accounts
from pipelines.ledger.accounts import Pot
from pipelines.ledger.attempts import advance, note, utc_text
from pipelines.ledger.schema import attempt, job

_ACCEPTED = (JobStatus.WAITING, JobStatus.READY, JobStatus.PARKED)


def ready(
    connection: Connection, job_id: str, *, completed_at: datetime | None, url_expires_at: datetime | None
) -> None:
    """The provider has finished. It is paid for now; the clip is still on the provider's side."""
    changed = connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.status.in_((JobStatus.WAITING, JobStatus.PARKED)))
        .values(
            status=JobStatus.READY,
            completed_at=utc_text(completed_at),
            url_expires_at=None if url_expires_at is None else utc_text(url_expires_at),
            billed=Billed.YES,
        )
    )
    if changed.rowcount:
        _settle(connection, job_id, Pot.SPENT, AttemptState.ACCEPTED)


def done(
    connection: Connection, job_id: str, *, output: dict[str, Any], flags: Sequence[str], cost: Decimal | None = None
) -> None:
    """The clip is on disk and verified.

    Args:
        connection: the open transaction.
        job_id: the job.
        output: path (relative to the output folder), bytes, sha256, media, source_host.
        flags: what differs from the order.
        cost: what the provider says it charged; None: the estimate stands.
    """
    row = _settle(connection, job_id, Pot.SPENT, AttemptState.ACCEPTED)
    estimate = None if row is None else row.cost_micros
    connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.status.in_(_ACCEPTED))
        .values(
            status=JobStatus.DONE,
            downloaded_at=utc_text(),
            output=json.dumps(output),
            flags=json.dumps(list(flags)),
            cost_actual_micros=accounts.to_micros(cost) if cost is not None else estimate,
            billed=Billed.YES,
            error_code=None,
            error_message=None,
            failed_stage=None,
        )
    )
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
    changed = connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.status.in_(_ACCEPTED))
        .values(
            status=status,
            completed_at=utc_text() if stage == "generate" else job.c.completed_at,
            error_code=code,
            error_message=message,
            failed_stage=stage,
            billed=billed,
        )
    )
    if not changed.rowcount:
        return
    target = {Billed.YES: Pot.SPENT, Billed.NO: None, Billed.UNKNOWN: Pot.UNCERTAIN}[billed]
    _settle(connection, job_id, target, AttemptState.CLOSED)
    note(connection, "failed", job_id, stage=stage, code=code, message=message)


def parked(connection: Connection, job_id: str, *, stage: str, code: str, message: str) -> None:
    """Set aside: the attempt stays live, and the next run goes on with it at no new cost."""
    connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.status.in_(_ACCEPTED))
        .values(status=JobStatus.PARKED, error_code=code, error_message=message, failed_stage=stage)
    )
    note(connection, "parked", job_id, stage=stage, code=code, message=message)


def _settle(connection: Connection, job_id: str, pot: Pot | None, state: AttemptState) -> Any:
    """Say where the price of the accepted attempt counts from now on."""
    return advance(connection, attempt.c.job_id == job_id, (AttemptState.ACCEPTED,), state, pot)
