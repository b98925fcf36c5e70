"""The estimate of a batch: the prices of its jobs added up, exactly, by currency and by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from pipelines.core.job import Choice, Job
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile


class _Sum(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Sum):
    """The jobs of one provider and model."""

    provider: str
    model: str
    count: int
    totals: dict[str, Decimal]  # by currency; without the jobs whose price is unknown
    unknown: int  # jobs whose price is unknown
    assumed: bool  # the price is a stand-in


class Estimate(_Sum):
    """The estimated cost of a batch."""

    count: int  # jobs that would be made
    skipped: int  # jobs that are disabled, or remix one that is
    totals: dict[str, Decimal]  # by currency
    most: dict[str, Decimal]  # the same, if every job were made in its dearest way, fallbacks included
    groups: tuple[Group, ...]
    unknown: tuple[str, ...]  # ids of jobs whose price is unknown
    assumed: bool  # some price is a stand-in


def estimate(jobs: Iterable[Job], profiles: Mapping[str, Profile] | None = None) -> Estimate:
    """Add up a batch. Disabled jobs cost nothing.

    Args:
        jobs: with the prices that the planner gave them.
        profiles: by name, to tell which prices are stand-ins; without it the shipped ones.
    """
    known = shipped_profiles() if profiles is None else profiles
    every = tuple(jobs)
    to_make = jobs_to_make(every)
    groups: dict[tuple[str, str], list[Job]] = {}
    most: dict[str, Decimal] = {}
    for job in to_make:
        _add(most, _dearest(job))
        groups.setdefault((job.order.provider, job.order.model), []).append(job)
    made = tuple(_group(members, known) for members in groups.values())
    totals: dict[str, Decimal] = {}
    for group in made:
        _add(totals, group.totals)
    return Estimate(
        count=sum(group.count for group in made),
        skipped=len(every) - len(to_make),
        totals=totals,
        most=most,
        groups=made,
        unknown=tuple(job.id for members in groups.values() for job in members if job.cost_estimated is None),
        assumed=any(group.assumed for group in made),
    )


def jobs_to_make(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The jobs of a batch without those that are disabled, and without the remixes of these, however far down."""
    children: dict[str, list[str]] = {}
    for job in jobs:
        if job.parent is not None:
            children.setdefault(job.parent, []).append(job.id)
    pending = [job.id for job in jobs if not job.enabled]
    skipped = set(pending)
    while pending:
        further = [child for child in children.get(pending.pop(), ()) if child not in skipped]
        skipped.update(further)
        pending += further
    return tuple(job for job in jobs if job.id not in skipped)


def _add(totals: dict[str, Decimal], amounts: Mapping[str, Decimal]) -> None:
    for currency, amount in amounts.items():
        totals[currency] = totals.get(currency, Decimal(0)) + amount


def _dearest(job: Job) -> dict[str, Decimal]:
    """The most that a job can cost in each currency; it is made in one way only, and nobody knows in which."""
    found: dict[str, Decimal] = {}
    ways: tuple[Job | Choice, ...] = (job, *job.fallbacks)
    for way in ways:
        if way.cost_estimated is not None:
            currency = way.currency or "USD"
            found[currency] = max(found.get(currency, Decimal(0)), way.cost_estimated)
    return found


def _group(members: list[Job], profiles: Mapping[str, Profile]) -> Group:
    totals: dict[str, Decimal] = {}
    for job in members:
        if job.cost_estimated is not None:
            currency = job.currency or "USD"
            totals[currency] = totals.get(currency, Decimal(0)) + job.cost_estimated
    first = members[0].order
    profile = profiles.get(first.provider)
    rows = profile.prices if profile else ()
    assumed = any(row.assumed for row in rows if row.model in ("*", first.model))
    return Group(
        provider=first.provider,
        model=first.model,
        count=len(members),
        totals=totals,
        unknown=sum(job.cost_estimated is None for job in members),
        assumed=assumed,
    )
