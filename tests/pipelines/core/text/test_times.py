from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.core.text.times import clock_text, iso_text, utc_text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC), "2026-01-02T03:04:05.678Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=8))), "2026-01-01T19:04:05.000Z"),
    ],
    ids=["utc", "china"],
)
def test_moments_are_kept_in_utc(moment, text):
    """Every stored time is ISO 8601 in UTC, whatever zone it came in."""
    assert utc_text(moment) == text


def test_the_manifest_has_milliseconds_only_where_there_are_any():
    """A whole second stays short, and nothing else is lost."""
    assert iso_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert iso_text(datetime(2026, 1, 2, 3, 4, 5, 70_000, tzinfo=UTC)) == "2026-01-02T03:04:05.070Z"


@pytest.mark.parametrize(("seconds", "text"), [(6.6, "0:07"), (65, "1:05"), (3723, "1:02:03")])
def test_a_length_of_time_is_read_like_a_clock(seconds, text):
    """Minutes and seconds, and hours where there are any."""
    assert clock_text(seconds) == text
