from __future__ import annotations

from decimal import Decimal

from pipelines.catalogue.report import cases
from pipelines.core.job import Job, Order
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.views import JobRecord

EMPTY = dict.fromkeys(JobRecord.__dataclass_fields__)


def record(status, billed=Billed.UNKNOWN, *, cost="0.4", provider="qiniu", **more):
    order = Order(provider=provider, mode="video", model="sora-2", prompt="a secret kettle", seconds=4)
    cost = None if cost is None else Decimal(cost)
    job = Job(id=f"{status}-1", row=1, campaign="x", order=order, filename="a.mp4", cost_estimated=cost, currency="USD")
    known = {"job": job, "status": status, "billed": billed, "flags": (), "attempts": 1, "in_batch": True}
    return JobRecord(**EMPTY | known | more)


def test_every_bad_end_is_named_and_no_other():
    """Doubt first, then what is lost, held up, failed; nothing that is done, planned or under way."""
    named = [case.status for case in cases(map(record, JobStatus))]
    assert named == ["in_doubt", "expired", "parked", "failed", "rejected", "cancelled"]


def test_a_case_says_why_and_what_is_at_stake():
    """The message with its code, or whichever there is; an amount only where it was or may be charged."""
    whys = [
        record(JobStatus.FAILED, error_message="blocked", error_code="moderation"),
        record(JobStatus.FAILED, error_code="moderation"),
        record(JobStatus.FAILED),
        record(JobStatus.REJECTED, error_message="no", error_code="rejected"),
    ]
    assert [case.reason for case in cases(whys)] == ["blocked (moderation)", "moderation", "no reason was given", "no"]
    stakes = [
        record(JobStatus.IN_DOUBT),
        record(JobStatus.IN_DOUBT, cost=None),
        record(JobStatus.REJECTED, Billed.NO),
    ]
    assert [case.cost for case in cases(stakes)] == ["0.40 USD", "", ""]
    assert all(case.advice for case in cases(stakes))


def test_cases_of_one_advice_stand_together():
    """Whoever reads them is told once what to do about each kind of end."""
    reasons = ["lost", "moderation", "lost", "moderation"]
    found = cases(record(JobStatus.FAILED, Billed.NO, error_message=reason) for reason in reasons)
    assert [case.reason for case in found] == ["lost", "lost", "moderation", "moderation"]
    assert len({case.advice for case in found}) == 2
