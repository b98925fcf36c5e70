"""How a job is made once it has fallen back: what the ledger keeps of it, and how that is read."""

from __future__ import annotations

import json
from typing import Any

from pipelines.core.job import Job

_CHANGED = {"order", "cost_estimated", "currency", "price_assumed", "fallback_index"}


def made_as_json(job: Job) -> str:
    """Write down what a fallback changes of a job's plan."""
    return json.dumps(job.model_dump(mode="json", include=_CHANGED))


def made_as(plan: Job, changed: str | None) -> Job:
    """Read a job as it is made now, from its plan and what the ledger says of its fallbacks."""
    if changed is None:
        return plan
    columns: dict[str, Any] = json.loads(changed)
    return Job.model_validate({**plan.model_dump(mode="json"), **columns})


def flag_of(plan: Job, job: Job) -> tuple[str, ...]:
    """Name the provider that was asked first, as the flag of a job that a fallback makes."""
    return (f"fallback_from:{plan.order.provider}",) if job.fallback_index else ()
