"""A short table of a run for people: what needs them first."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.job import JobStatus
from pipelines.ledger.views import JobRecord

_URGENCY = (
    JobStatus.IN_DOUBT,
    JobStatus.EXPIRED,
    JobStatus.FAILED,
    JobStatus.REJECTED,
    JobStatus.CANCELLED,
    JobStatus.PARKED,
    JobStatus.READY,
    JobStatus.WAITING,
    JobStatus.SUBMITTING,
    JobStatus.PLANNED,
    JobStatus.SKIPPED,
    JobStatus.DONE,
)


def summary_table(records: Sequence[JobRecord], *, most: int) -> list[dict[str, str]]:
    """At most `most` jobs, the ones that need a person first. Prompts stay out: they may be confidential."""
    chosen = sorted(records, key=lambda record: _URGENCY.index(record.status))[:most]
    return [
        {
            "id": record.job.id,
            "status": record.status.replace("_", " "),
            "provider": record.job.order.provider,
            "model": record.job.order.model,
            "seconds": str(record.job.order.seconds or ""),
            "size": record.job.order.size or "",
            "cost": f"{record.cost_actual or record.job.cost_estimated or ''} {record.job.currency or ''}".strip(),
            "file or reason": (record.output or {}).get("path") or record.error_message or "",
        }
        for record in chosen
    ]
