from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

from flows.deployments.schedules import overlap_of, schedule_of, schedules_with
from pipelines.core.errors import SetupError

NIGHTLY = CronSchedule(cron="0 2 * * *", timezone="UTC")


def known(*schedules):
    each = [
        SimpleNamespace(schedule=schedule, active=active, slug=slug, parameters={})
        for schedule, active, slug in schedules
    ]
    return SimpleNamespace(schedules=each)


def test_a_schedule_is_a_cron_or_an_interval_or_none():
    """What is given is read in its time zone; nothing given is no schedule."""
    assert schedule_of("0 2 * * *", None, "Europe/Berlin").timezone == "Europe/Berlin"
    assert schedule_of(None, 90, "UTC").interval == timedelta(seconds=90)
    assert schedule_of(None, None, "UTC") is None


@pytest.mark.parametrize(
    ("cron", "interval", "timezone"),
    [
        ("often", None, "UTC"),
        ("0 2 * * *", 60, "UTC"),
        ("0 2 * * *", None, "Mars"),
        (None, 0, "UTC"),
        (None, -5, "UTC"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(cron, interval, timezone):
    """The error says what was given."""
    with pytest.raises(SetupError, match="schedule"):
        schedule_of(cron, interval, timezone)


def test_deploying_again_changes_our_schedule_alone():
    """It takes the place of the one before it, paused if a person paused that; schedules of other hands stay."""
    before = known((NIGHTLY, False, "reelbatch"), (NIGHTLY, True, "mine"))
    hourly = schedule_of("0 * * * *", None, "UTC")
    found = {each.slug: (each.schedule.cron, each.active) for each in schedules_with(hourly, before)}
    assert found == {"mine": ("0 2 * * *", True), "reelbatch": ("0 * * * *", False)}
    assert [each.slug for each in schedules_with(None, before)] == ["mine"]


def test_an_interval_keeps_its_beat():
    """Deploying again does not shift the moments at which an interval is due."""
    anchor = datetime(2026, 11, 1, tzinfo=UTC)
    before = known((IntervalSchedule(interval=timedelta(hours=1), anchor_date=anchor), True, "reelbatch"))
    [again] = schedules_with(schedule_of(None, 7200, "UTC"), before)
    assert (again.schedule.anchor_date, again.schedule.interval) == (anchor, timedelta(hours=2))


def test_overlapping_runs():
    """They queue or are skipped by Prefect's limit of one run; allowed, there is no limit."""
    chosen = {word: overlap_of(word) for word in ("queue", "skip", "allow")}
    strategies = {
        word: str(more["concurrency_options"].collision_strategy.value) for word, more in chosen.items() if more
    }
    assert strategies == {"queue": "ENQUEUE", "skip": "CANCEL_NEW"}
    assert chosen["allow"] == {}
