from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.core.errors import SetupError
from pipelines.core.job import Choice, Job, Order
from pipelines.pricing.plan_hash import check_plan, plan_hash

ORDER = Order(provider="qiniu", mode="video", model="sora-2", prompt="a cat", seconds=4)
ELSEWHERE = ORDER.model_copy(update={"provider": "acedata", "mode": "v2"})


def _choice(order=ELSEWHERE, amount="0.50", currency="USD"):
    return Choice(order=order, cost_estimated=Decimal(amount), currency=currency)


def _job(**more):
    price = {"cost_estimated": Decimal("0.40"), "currency": "USD"}
    return Job(**{"id": "a", "row": 1, "campaign": "x", "filename": "a.mp4", "order": ORDER, **price, **more})


PLAN = _job(fallbacks=(_choice(),))


@pytest.mark.parametrize(
    "other",
    [
        _job(),
        _job(fallbacks=(_choice(), _choice())),
        _job(fallbacks=(_choice(amount="0.51"),)),
        _job(fallbacks=(_choice(currency="CNY"),)),
        _job(fallbacks=(_choice(ELSEWHERE.model_copy(update={"model": "sora-2-pro"})),)),
        _job(fallbacks=(_choice(),), cost_estimated=Decimal("0.41")),
        _job(fallbacks=(_choice(),), id="b"),
    ],
    ids=["without", "two", "dearer", "another currency", "another model", "price", "id"],
)
def test_whatever_may_be_bought_is_part_of_the_plan(other):
    """A plan that was approved is not run with other fallbacks, at other prices, or for other jobs."""
    with pytest.raises(SetupError, match="not"):
        check_plan([other], plan_hash([PLAN]))


def test_what_is_not_bought_is_not():
    """Tags, file names and rows that are switched off may change; the order of jobs may not."""
    same = [PLAN.model_copy(update={"tags": ("hero",), "filename": "b.mp4"}), _job(id="off", enabled=False)]
    check_plan(same, plan_hash([PLAN])[:12])
    assert plan_hash([_job(), _job(id="b")]) != plan_hash([_job(id="b"), _job()])


def test_a_plan_that_nobody_approved_runs():
    """Without a hash there is nothing to compare; one that is too short to mean anything is refused."""
    check_plan([PLAN], None)
    with pytest.raises(SetupError):
        check_plan([PLAN], plan_hash([PLAN])[:7])
