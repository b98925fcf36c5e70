from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.catalogue.summary import summary_table
from pipelines.core.job import Job, Order
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.views import JobRecord


@pytest.fixture
def make_record():
    def make(name="a", status=JobStatus.DONE, *, estimated=None, actual=None, **more):
        order = Order(provider="litellm", mode="video", model="sora-2", prompt="a secret kettle", seconds=4)
        filename, price = f"{name}.mp4", {"cost_estimated": estimated, "currency": "USD"}
        job = Job(id=name, row=1, campaign="spring", order=order, filename=filename, **price)
        empty = dict.fromkeys(JobRecord.__dataclass_fields__)
        known = {"job": job, "status": status, "cost_actual": actual, "billed": Billed.UNKNOWN, "flags": ()}
        return JobRecord(**(empty | known | more))

    return make


@pytest.mark.parametrize(
    ("estimated", "actual", "cost"),
    [
        (Decimal("0.4"), None, "0.40 USD"),
        (Decimal("0.4"), Decimal(0), "0.00 USD"),
        (Decimal(0), None, "0.00 USD"),
        (Decimal("0.4"), Decimal("0.095"), "0.095 USD"),
        (None, None, ""),
    ],
)
def test_a_cost_is_a_number_or_nothing(make_record, estimated, actual, cost):
    """What was charged goes before what was expected, free is 0.00, and a currency never stands alone."""
    (row,) = summary_table([make_record(estimated=estimated, actual=actual)], most=1)
    assert row["cost"] == cost


def test_a_fallback_says_whose_place_it_took(make_record):
    """The provider column names who makes it, and who was asked first."""
    rows = summary_table([make_record(), make_record("b", flags=("renamed", "fallback_from:qiniu"))], most=2)
    assert [row["provider"] for row in rows] == ["litellm", "via litellm, fallback of qiniu"]


def test_what_needs_a_person_comes_first(make_record):
    """Doubt before failures before what is done, no more rows than asked for, and no prompt in any of them."""
    statuses = (JobStatus.DONE, JobStatus.PARKED, JobStatus.FAILED, JobStatus.IN_DOUBT)
    rows = summary_table([make_record(status.value, status) for status in statuses], most=3)
    assert [row["status"] for row in rows] == ["in doubt", "parked", "failed"]
    assert "secret" not in str(rows)
