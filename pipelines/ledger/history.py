"""What has happened, one event after the other, and when."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from pipelines.core.job import Job
from pipelines.core.money import Bucket
from pipelines.core.outcome import BY_CALLBACK
from pipelines.core.status import AttemptState, JobStatus
from pipelines.ledger.persons_steps import UNFINISHED
from pipelines.ledger.storage.schema import attempt, event, job

_NOTE = insert(event)
_OF_ROWS = ("row_changed", "row_restored")


def note(connection: Connection, kind: str, job_id: str | None = None, **detail: Any) -> None:
    """Append to the history."""
    text = json.dumps(detail, ensure_ascii=False, default=str) if detail else None
    connection.execute(_NOTE, {"job_id": job_id, "at": time.time(), "kind": kind, "detail": text})


def changed_plans(connection: Connection) -> dict[str, dict[str, Any]]:
    """What rows ask for that have changed since they were bought, by job: fingerprint, plan, and in what they differ."""
    latest = select(func.max(event.c.seq)).where(event.c.kind.in_(_OF_ROWS)).group_by(event.c.job_id)
    rows = connection.execute(select(event.c.job_id, event.c.kind, event.c.detail).where(event.c.seq.in_(latest)))
    return {row.job_id: json.loads(row.detail) for row in rows if row.kind == "row_changed"}


@dataclass(frozen=True, slots=True)
class GivenId:
    """An id at its provider that a person has given to a job."""

    provider_job_id: str
    by: str
    at: datetime  # UTC


def given_by_hand(connection: Connection, job_id: str) -> GivenId | None:
    """The id that a person gave to a job that is not finished at its provider. None: the provider gave it itself, or a call.

    It can be taken back: nobody but that person has said that it is this job's.
    """
    row = connection.execute(select(job.c.provider_job_id, job.c.status).where(job.c.id == job_id)).one_or_none()
    unfinished = (attempt.c.state == AttemptState.ACCEPTED) & (attempt.c.bucket == Bucket.RESERVED)
    open_ids = select(attempt.c.provider_job_id).where(attempt.c.job_id == job_id, unfinished)
    if row is None or row.status not in UNFINISHED or row.provider_job_id not in connection.scalars(open_ids):
        return None
    said = select(event.c.kind, event.c.detail, event.c.at).where(
        event.c.job_id == job_id, event.c.kind.in_(("accepted", "adopted"))
    )
    last = connection.execute(said.order_by(event.c.seq.desc()).limit(1)).one_or_none()
    detail = {} if last is None else json.loads(last.detail or "{}")
    by = detail.get("by", BY_CALLBACK)
    if (
        last is None
        or last.kind != "adopted"
        or by == BY_CALLBACK
        or detail.get("provider_job_id") != row.provider_job_id
    ):
        return None
    return GivenId(row.provider_job_id, by, datetime.fromtimestamp(last.at, UTC))


def planned_by_a_retry(connection: Connection) -> set[str]:
    """The jobs, by id, that a person had planned again, and that no run has taken up since."""
    asked = select(event.c.job_id).where(event.c.kind == "retried")
    planned = select(job.c.id).where(job.c.status == JobStatus.PLANNED, job.c.id.in_(asked))
    return set(connection.execute(planned).scalars())


def refused_with(connection: Connection) -> dict[str, str]:
    """By job that was refused last for its row's sake: the digest of the profile that had written its order."""
    latest = select(func.max(event.c.seq)).where(event.c.kind == "rejected").group_by(event.c.job_id)
    rejected = select(job.c.id).where(job.c.status == JobStatus.REJECTED)
    rows = connection.execute(
        select(event.c.job_id, event.c.detail).where(event.c.seq.in_(latest), event.c.job_id.in_(rejected))
    )
    said = {row.job_id: json.loads(row.detail or "{}") for row in rows}
    return {
        name: detail["profile"] for name, detail in said.items() if detail.get("about") == "row" and "profile" in detail
    }


def last_noted_at(connection: Connection) -> float:
    """When the last thing happened, in Unix seconds."""
    return float(connection.execute(select(func.max(event.c.at))).scalar_one() or 0)


def note_changes(connection: Connection, changed: Sequence[Job], named: set[str]) -> None:
    """Keep in the history what changed rows ask for, and which rows say again what they said."""
    before = changed_plans(connection)
    for planned in changed:
        known, fingerprint = before.pop(planned.id, None), planned.order.fingerprint()
        if known is None or known["fingerprint"] != fingerprint:
            plan = planned.model_dump(mode="json")
            note(connection, "row_changed", planned.id, fingerprint=fingerprint, plan=plan)
    for name in sorted(before.keys() & named):
        note(connection, "row_restored", name)
