from __future__ import annotations

import json
from datetime import UTC, datetime

from pipelines.core.outcome import Rejected
from pipelines.ledger import history
from tests.pipelines.ledger.conftest import tell


async def test_any_detail_can_be_noted(ledger, rows):
    """What is noted comes back as it was, text of any script included; without detail there is none."""
    await ledger.write(history.note, "fell_back", "a", reason="余额不足 🎬", when=datetime(2026, 1, 1, tzinfo=UTC))
    await ledger.write(history.note, "quiet")
    said, quiet = (await rows(ledger, "event"))[-2:]
    assert (said["kind"], said["job_id"]) == ("fell_back", "a")
    assert json.loads(said["detail"]) == {"reason": "余额不足 🎬", "when": "2026-01-01 00:00:00+00:00"}
    assert (quiet["job_id"], quiet["detail"]) == (None, None)


async def test_the_profile_that_wrote_a_refused_order_is_known(ledger, register, send, make_job):
    """Only of what stands refused for its row's sake: a moderated prompt is no mistake of a profile."""
    jobs = [make_job(name) for name in "abc"]
    await register(ledger, *jobs)
    for job, kind, digest in zip(jobs, ("row", "moderation", "row"), ("d1", "d1", None), strict=True):
        claimed = await send(ledger, job)
        await tell(ledger, claimed, Rejected(kind, "c", "m", 422, profile=digest))
    assert await ledger.write(history.refused_with) == {"a": "d1"}
