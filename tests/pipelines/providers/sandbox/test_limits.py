from __future__ import annotations

import pytest

from pipelines.providers.sandbox.limits import Limits
from pipelines.providers.sandbox.refusals import RefusalError


def test_unfinished_jobs_are_capped_by_account():
    """One more than the cap is refused until one is finished; other accounts do not count."""
    limits = Limits(in_flight_cap=2, submit_rate=None)
    for finishes in (105.0, 110.0):
        limits.admit("a", 100.0, "acedata")
        limits.started("a", finishes)
    with pytest.raises(RefusalError) as refusal:
        limits.admit("a", 104.0, "acedata")
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after) == (429, "rate_limited", None)
    limits.admit("b", 104.0, "acedata")
    limits.admit("a", 105.0, "acedata")


def test_orders_are_spaced_by_rate():
    """At half an order a second the next is admitted after two seconds, and the vendor may say so."""
    limits = Limits(in_flight_cap=None, submit_rate=0.5)
    limits.admit("a", 100.0, "openai")
    with pytest.raises(RefusalError) as refusal:
        limits.admit("a", 101.0, "openai")
    assert refusal.value.retry_after is not None
    limits.admit("a", 102.0, "openai")


def test_a_running_sandbox_enforces_its_cap(start):
    """The answer over the wire is the vendor's own 429, and nothing is billed for it."""
    with start(latency="60", in_flight_cap=1) as client:
        order = {"prompt": "a", "async": True}
        statuses = [client.post("/sora/videos", json=order).status_code for _ in range(2)]
        assert statuses == [200, 429]
        assert len(client.get("/_sandbox/bill").json()) == 1
