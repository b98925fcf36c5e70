"""What needs a person: the jobs that no run ends by itself, why, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.core.job import Billed, JobStatus
from pipelines.ledger.views import JobRecord
from pipelines.run.progress import price

_EDIT = "Change what the row asks for, or give it another id, and run the same command again."
_ADVICE = {
    JobStatus.IN_DOUBT: "It may have been paid, and is not sent again by itself. Look for it at the provider; "
    "to buy it all the same, perhaps twice, give the row another id.",
    JobStatus.EXPIRED: "It was paid, and the provider no longer has the file. To buy it anew, give the row another id.",
    JobStatus.PARKED: "The same run command goes on with it; it costs nothing.",
    JobStatus.FAILED: _EDIT,
    JobStatus.REJECTED: _EDIT,
    JobStatus.CANCELLED: _EDIT,
}
#: The statuses that need a person, the most urgent first.
URGENT = tuple(_ADVICE)


@dataclass(frozen=True, slots=True)
class Case:
    """One job that needs a person."""

    id: str
    status: JobStatus
    cost: str  # `0.40 USD` that was or may be charged; empty where nothing is, or no price is known
    reason: str
    advice: str

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "status": str(self.status),
            "cost": self.cost or None,
            "reason": self.reason,
            "advice": self.advice,
        }


def cases(records: Iterable[JobRecord]) -> list[Case]:
    """The jobs that need a person, the most urgent first, else in the order of the records."""
    found = [_case(record) for record in records if record.status in _ADVICE]
    return sorted(found, key=lambda case: URGENT.index(case.status))


def _case(record: JobRecord) -> Case:
    job, message, code = record.job, record.error_message or "", record.error_code or ""
    code = "" if code == record.status else code  # it would say the same again
    cost = "" if record.billed is Billed.NO else price(job.cost_estimated, job.currency)
    reason = f"{message} ({code})" if message and code else message or code or "no reason was given"
    return Case(job.id, record.status, cost, reason, _ADVICE[record.status])
