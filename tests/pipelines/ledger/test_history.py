from __future__ import annotations

import json
from datetime import UTC, datetime

from pipelines.ledger import history


async def test_any_detail_can_be_noted(ledger, rows):
    """What is noted comes back as it was, text of any script included; without detail there is none."""
    await ledger.write(history.note, "fell_back", "a", reason="余额不足 🎬", when=datetime(2026, 1, 1, tzinfo=UTC))
    await ledger.write(history.note, "quiet")
    said, quiet = (await rows(ledger, "event"))[-2:]
    assert (said["kind"], said["job_id"]) == ("fell_back", "a")
    assert json.loads(said["detail"]) == {"reason": "余额不足 🎬", "when": "2026-01-01 00:00:00+00:00"}
    assert (quiet["job_id"], quiet["detail"]) == (None, None)
