"""What a run has come to, for people: the jobs that need a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.core.advice import advice_on
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.views import JobRecord


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
    """Find the jobs that no run ends by itself: the most urgent first, else in the order of the records."""
    found = []
    for record in records:
        status, message, code = record.status, record.error_message or "", record.error_code or ""
        # Of what the file does not name any more only where money is open.
        open_still = record.wanted and status.meaning.unfinished
        if not status.meaning.needs_person or not (record.counts or open_still):
            continue
        code = "" if code == status else code  # it would say the same again
        cost = "" if record.billed is Billed.NO else record.job.price_words
        reason = f"{message} ({code})" if message and code else message or code or "no reason was given"
        found.append(Case(record.job.id, status, cost, reason, advice_on(status, record.billed, reason)))
    order = list(dict.fromkeys(case.advice for case in found))  # those of one advice stand together
    return sorted(found, key=lambda case: (case.status.rank, order.index(case.advice)))
