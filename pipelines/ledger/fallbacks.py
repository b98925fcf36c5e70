"""A job turns to its next fallback: another order, at another provider perhaps, for what was surely not bought."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.ledger.attempts import Claim, rejected
from pipelines.ledger.history import note
from pipelines.ledger.job_state import NOT_BOUGHT, change_job

_CHANGED = {"order", "cost_estimated", "currency", "turned"}


def refused(
    connection: Connection,
    claimed: Claim,
    turned_job: Job,
    *,
    code: str,
    message: str,
    http_status: int | None,
    trace_id: str | None = None,
) -> bool:
    """The provider surely refused, and the job turns to its next fallback: both, or neither.

    Args:
        connection: the open transaction.
        claimed: the attempt that was refused.
        turned_job: the job as it is made from now on.
        code: the provider's error code.
        message: the provider's words, for a person.
        http_status: of the answer, if there was one.
        trace_id: what the provider's support will ask for.

    Returns:
        Whether the attempt was still open; otherwise nothing is changed.
    """
    why: Any = {"code": code, "message": message, "http_status": http_status, "trace_id": trace_id}
    if not rejected(connection, claimed, again=False, **why):
        return False
    return turned(connection, turned_job, code=code, reason=message)


def turned(connection: Connection, job: Job, *, code: str, reason: str) -> bool:
    """Write down that a job is made another way from now on.

    Args:
        connection: the open transaction.
        job: as it is made from now on.
        code: why not as before.
        reason: the same for a person.

    Returns:
        Whether the job had no live attempt, and was not bought; otherwise nothing is changed.
    """
    changed = change_job(
        connection,
        job.id,
        NOT_BOUGHT,
        status=JobStatus.PLANNED,
        turned=job.turned,
        sent_as=json.dumps(job.model_dump(mode="json", include=_CHANGED)),
        trace_id=None,
        error_code=None,
        error_message=None,
        failed_stage=None,
    )
    if changed:
        note(connection, "turned", job.id, provider=job.order.provider, model=job.order.model, code=code, reason=reason)
    return changed


def as_sent(plan: Job, sent_as: str | None) -> Job:
    """A job as it is made now, from its plan and what the ledger says of its fallbacks."""
    if sent_as is None:
        return plan
    changed: dict[str, Any] = json.loads(sent_as)
    return Job.model_validate({**plan.model_dump(mode="json"), **changed})


def flag_of(plan: Job, job: Job) -> tuple[str, ...]:
    """The flag of a job that a fallback makes: it names the provider that was asked first."""
    return (f"fallback_from:{plan.order.provider}",) if job.turned else ()
