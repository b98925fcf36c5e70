"""Moments as they are written down."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(moment: datetime | None = None) -> str:
    """A moment, or now, as ISO 8601 in UTC, with milliseconds and a Z."""
    moment = moment or datetime.now(UTC)
    return moment.astimezone(UTC).isoformat("T", "milliseconds").replace("+00:00", "Z")


def iso_text(moment: datetime) -> str:
    """A moment as the manifest has it: `2026-11-21T04:30:00Z`, with milliseconds where there are any."""
    return utc_text(moment).replace(".000Z", "Z")


def clock_text(seconds: float) -> str:
    """A length of time as a clock shows it: `0:07`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
