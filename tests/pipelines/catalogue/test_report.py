from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.catalogue.report import cases, summary_table
from pipelines.core.job import Job, Order
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.views import JobRecord

EMPTY = dict.fromkeys(JobRecord.__dataclass_fields__)


def record(status, billed=Billed.UNKNOWN, *, cost="0.4", provider="qiniu", **more):
    order = Order(provider=provider, mode="video", model="sora-2", prompt="a secret kettle", seconds=4)
    cost = None if cost is None else Decimal(cost)
    job = Job(id=f"{status}-1", row=1, campaign="x", order=order, filename="a.mp4", cost_estimated=cost, currency="USD")
    known = {"job": job, "status": status, "billed": billed, "flags": (), "attempts": 1}
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


@pytest.mark.parametrize(
    ("estimated", "actual", "cost"),
    [
        ("0.4", None, "0.40 USD"),
        ("0.4", Decimal(0), "0.00 USD"),
        ("0", None, "0.00 USD"),
        ("0.4", Decimal("0.095"), "0.095 USD"),
        (None, None, ""),
    ],
)
def test_a_cost_is_a_number_or_nothing(estimated, actual, cost):
    """What was charged goes before what was expected, free is 0.00, and a currency never stands alone."""
    (row,) = summary_table([record(JobStatus.DONE, cost=estimated, cost_actual=actual)], most=1)
    assert row["cost"] == cost


def test_a_fallback_says_whose_place_it_took():
    """The provider column names who makes it, and who was asked first."""
    rows = summary_table(
        [
            record(JobStatus.DONE, provider="litellm"),
            record(JobStatus.DONE, provider="litellm", flags=("renamed", "fallback_from:qiniu")),
        ],
        most=2,
    )
    assert [row["provider"] for row in rows] == ["litellm", "via litellm, fallback of qiniu"]


def test_what_needs_a_person_comes_first():
    """Doubt before failures before what is done, no more rows than asked for, and no prompt in any of them."""
    statuses = (JobStatus.DONE, JobStatus.PARKED, JobStatus.FAILED, JobStatus.IN_DOUBT)
    rows = summary_table([record(status) for status in statuses], most=3)
    assert [row["status"] for row in rows] == ["in doubt", "parked", "failed"]
    assert "secret" not in str(rows)
