from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.ledger import history


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
    assert history.utc_text(moment) == text


async def test_any_detail_can_be_noted(ledger, rows):
    """What is noted comes back as it was, text of any script included; without detail there is none."""
    await ledger.write(history.note, "turned", "a", reason="余额不足 🎬", when=datetime(2026, 1, 1, tzinfo=UTC))
    await ledger.write(history.note, "quiet")
    said, quiet = (await rows(ledger, "event"))[-2:]
    assert (said["kind"], said["job_id"]) == ("turned", "a")
    assert json.loads(said["detail"]) == {"reason": "余额不足 🎬", "when": "2026-01-01 00:00:00+00:00"}
    assert (quiet["job_id"], quiet["detail"]) == (None, None)
