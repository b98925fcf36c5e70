"""When a deployment runs by itself, and what happens when one run is not over as the next is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from pydantic import ValidationError

from pipelines.core.errors import SetupError

OVERLAPS = {"queue": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW, "allow": None}
SLUG = "reelbatch"  #: of the schedule that `reelbatch deploy` owns


def schedule_of(cron: str | None, interval: float | None, timezone: str) -> CronSchedule | IntervalSchedule | None:
    """Read a schedule; None: it runs only when it is asked to.

    Raises:
        SetupError: it makes no sense.
    """
    if cron is not None and interval is not None:
        raise SetupError("--cron and --interval are two schedules. Give one of them.")
    try:
        if cron is not None:
            return CronSchedule(cron=cron, timezone=timezone)
        if interval is not None:
            anchor = datetime.now(UTC).replace(microsecond=0)
            return IntervalSchedule(interval=timedelta(seconds=interval), anchor_date=anchor, timezone=timezone)
    except (ValidationError, ValueError, OverflowError):
        given = f"--cron {cron!r}" if cron is not None else f"--interval {interval:g}"
        hint = "'0 2 * * *' is every night at two" if cron is not None else "3600 is every hour"
        raise SetupError(f"{given} with --timezone {timezone} is no schedule. {hint}, in a zone such as UTC.") from None
    return None


def schedules_with(
    own: CronSchedule | IntervalSchedule | None, known: DeploymentResponse | None
) -> list[DeploymentScheduleCreate]:
    """Put our schedule in the place of the one before it. Pure. What a person paused stays paused, what they added stays."""
    before = list(known.schedules) if known is not None else []
    kept = [
        DeploymentScheduleCreate(schedule=each.schedule, active=each.active, slug=each.slug, parameters=each.parameters)
        for each in before
        if each.slug != SLUG
    ]
    if own is None:
        return kept
    active = next((each.active for each in before if each.slug == SLUG), True)
    if isinstance(own, IntervalSchedule):  # the same interval keeps its beat
        for each in before:
            if isinstance(each.schedule, IntervalSchedule) and each.slug == SLUG:
                own = own.model_copy(update={"anchor_date": each.schedule.anchor_date})
    return [*kept, DeploymentScheduleCreate(schedule=own, active=active, slug=SLUG)]


def overlap_of(overlap: str) -> dict[str, Any]:
    """Say what happens when a run is due while another is going on, as Prefect takes it. Pure.

    Args:
        overlap: `queue`: it waits; `skip`: it is cancelled; `allow`: both run.
    """
    strategy = OVERLAPS[overlap]
    if strategy is None:
        return {}
    return {"concurrency_limit": 1, "concurrency_options": ConcurrencyOptions(collision_strategy=strategy)}
