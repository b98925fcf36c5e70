"""Tell what a budget does not cover, before anything is paid. Pure: jobs and an amount in, words out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from pipelines.core.job import Job
from pipelines.core.text.amounts import amount_text
from pipelines.core.text.counts import counted, first_of
from pipelines.pricing.estimate import jobs_to_make


def budget_currency(jobs: Iterable[Job], named: str | None = None) -> str:
    """The currency of a budget: as it is named, or that of the prices where they have one only, or USD."""
    currencies = {job.currency for job in jobs if job.currency}
    return named or (currencies.pop() if len(currencies) == 1 else "USD")


def shortfall(jobs: Sequence[Job], most: Decimal, currency: str, left_of: str = "") -> tuple[str, ...]:
    """Sentences about what a budget does not cover; none where it covers everything.

    Args:
        jobs: of the batch, in the order in which they are sent. Disabled ones cost nothing.
        most: what may be spent.
        currency: of the budget (see `budget_currency`).
        left_of: the cap over all campaigns of which this is what is left, in words; empty: it is the budget of the run.
    """
    made = jobs_to_make(jobs)
    covered = [job for job in made if job.currency == currency and job.cost_estimated is not None]
    costs = [job.cost_estimated or Decimal(0) for job in covered]
    total, spent, count = sum(costs, Decimal(0)), Decimal(0), 0
    if total <= most:
        return tuple(_not_covered(made, most, currency))
    while count < len(costs) and spent + costs[count] <= most:
        spent, count = spent + costs[count], count + 1
    left = f"What is left of {left_of}, {amount_text(max(most, Decimal(0)))}, covers"
    covers = left if left_of else f"The budget of {amount_text(most)} {currency} covers"
    too_little = (
        f"{covers} about {count} of {counted(len(covered), 'video')}, which "
        f"cost {amount_text(total)} {currency} together. The run would stop there: raise the budget, or make the batch "
        "smaller."
    )
    return (too_little, *_not_covered(made, most, currency))


def _not_covered(jobs: Sequence[Job], most: Decimal, currency: str) -> Iterable[str]:
    budget = f"A budget of {amount_text(most)} {currency} cannot cover"
    unknown = [job.id for job in jobs if job.cost_estimated is None]
    if unknown:
        yield (
            f"{budget} {counted(len(unknown), 'video')} of unknown price: {first_of(unknown)}. "
            "Run them without a budget, add their price to the profile, or leave them out."
        )
    abroad: dict[str, list[str]] = {}
    for job in jobs:
        if job.cost_estimated is not None and job.currency != currency:
            abroad.setdefault(job.currency or "another currency", []).append(job.id)
    for other, ids in abroad.items():
        yield (
            f"{budget} {counted(len(ids), 'video')} with a price in {other}: {first_of(ids)}. "
            f"Run them with a budget in {other}, or leave them out."
        )
