from __future__ import annotations

from decimal import Decimal

from pipelines.pricing.estimate import Group, estimate, jobs_to_make
from tests.pipelines.pricing.jobs import job


def test_a_batch_is_added_up_by_currency_and_model():
    """Disabled jobs cost nothing, and unknown prices are named and not taken for zero."""
    estimated = estimate(
        [
            job("a"),
            job("b", cost="0.80"),
            job("c", "openai", "wan", cost=None),
            job("d", enabled=False),
            job("e", "openai", cost="3", currency="EUR"),
        ]
    )

    assert (estimated.count, estimated.skipped, estimated.unknown, estimated.assumed) == (4, 1, ("c",), True)
    assert estimated.totals == {"USD": Decimal("1.20"), "EUR": Decimal(3)}
    assert estimated.groups == (
        Group(provider="qiniu", model="sora-2", count=2, totals={"USD": Decimal("1.20")}, unknown=0, assumed=True),
        Group(provider="openai", model="wan", count=1, totals={}, unknown=1, assumed=False),
        Group(provider="openai", model="sora-2", count=1, totals={"EUR": Decimal(3)}, unknown=0, assumed=False),
    )


def test_the_most_is_what_the_dearest_way_of_every_job_costs():
    """By currency, as a job may be paid in the one or in the other; where there is no fallback it is the total."""
    dear, cheap = job("x", "openai", cost="1.50"), job("y", "yard", cost="0.10")
    abroad, unknown = job("z", "yard", cost="3", currency="CNY"), job("u", "openai", cost=None)
    estimated = estimate(
        [
            job("a", fallbacks=(dear.choice, cheap.choice)),
            job("b", cost="0.80", fallbacks=(cheap.choice, abroad.choice)),
            job("c", fallbacks=(unknown.choice,)),
            job("d", enabled=False, fallbacks=(dear.choice,)),
        ]
    )

    assert estimated.totals == {"USD": Decimal("1.60")}
    assert estimated.most == {"USD": Decimal("2.70"), "CNY": Decimal(3)}
    assert estimate([job("a"), job("b")]).most == {"USD": Decimal("0.80")}


def test_nothing_costs_nothing():
    """An empty batch has no totals."""
    assert estimate([]).totals == {}


def test_a_remix_of_what_is_not_made_is_not_made_either():
    """However far down, and wherever its parent stands."""
    jobs = [job("c", parent="b"), job("b", parent="a"), job("a", enabled=False), job("d", parent="e"), job("e")]
    estimated = estimate(jobs)

    assert [made.id for made in jobs_to_make(jobs)] == ["d", "e"]
    assert (estimated.count, estimated.skipped, estimated.totals) == (2, 3, {"USD": Decimal("0.80")})
