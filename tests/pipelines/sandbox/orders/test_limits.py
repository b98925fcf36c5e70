from __future__ import annotations

import pytest

from pipelines.sandbox.orders.limits import AccountLimits
from pipelines.sandbox.vendors.refusals import RefusalError


def test_unfinished_jobs_are_capped_by_account():
    """One more than the cap is refused until one is finished; other accounts, and other vendors, do not count."""
    limits = AccountLimits(in_flight_cap=2, submit_rate=None)
    for finishes in (105.0, 110.0):
        limits.admit("a", 100.0, "acedata")
        limits.started("a", finishes, "acedata")
    with pytest.raises(RefusalError) as refusal:
        limits.admit("a", 104.0, "acedata")
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after) == (429, "rate_limited", None)
    limits.admit("b", 104.0, "acedata")
    limits.admit("a", 104.0, "qiniu")
    limits.admit("a", 105.0, "acedata")


def test_orders_are_spaced_by_rate():
    """At half an order a second the next is admitted after two seconds, and the vendor may say so."""
    limits = AccountLimits(in_flight_cap=None, submit_rate=0.5)
    limits.admit("a", 100.0, "openai")
    with pytest.raises(RefusalError) as refusal:
        limits.admit("a", 101.0, "openai")
    assert refusal.value.retry_after is not None
    limits.admit("a", 102.0, "openai")


def test_orders_are_counted_over_a_minute_where_it_is_said_so():
    """Sixty in any sixty seconds, however they fall; the next when the first of them is a minute old."""
    limits = AccountLimits(in_flight_cap=None, submit_rate=1.0, submit_window=60.0)
    for number in range(60):
        limits.admit("a", 100.0 + number / 10, "openai")
    with pytest.raises(RefusalError):
        limits.admit("a", 159.9, "openai")
    limits.admit("a", 160.0, "openai")


def test_several_status_queries_fit_into_a_second():
    """At 60 a second any second holds 60; at one in two seconds the next comes after two."""
    limits = AccountLimits(None, None, status_rate=60)
    for number in range(60):
        limits.admit_query("a", 100.0 + number / 1_000, "acedata")
    with pytest.raises(RefusalError, match="60 status queries"):
        limits.admit_query("a", 100.5, "acedata")
    limits.admit_query("a", 101.0, "acedata")
    limits.admit_query("b", 100.5, "acedata")
    slow = AccountLimits(None, None, status_rate=0.5)
    slow.admit_query("a", 100.0, "qiniu")
    with pytest.raises(RefusalError):
        slow.admit_query("a", 101.9, "qiniu")
    slow.admit_query("a", 102.0, "qiniu")


def test_a_running_sandbox_enforces_its_cap_over_all_services_of_a_vendor(start):
    """One key's unfinished jobs at Ace count together, whatever the service; at another vendor it starts anew [A13]."""
    with start(latency="60", in_flight_cap=2) as client:
        sora, kling = {"prompt": "a", "async": True}, {"prompt": "a", "action": "text2video", "async": True}
        answers = [
            client.post("/sora/videos", json=sora),
            client.post("/acedata/kling/videos", json=kling),
            client.post("/veo/videos", json=kling),
            client.post("/veo/videos", json=kling, headers={"authorization": "Bearer another"}),
            client.post("/qiniu/v1/videos", json={"prompt": "a", "model": "sora-2"}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200]
        assert (answers[2].json()["success"], answers[2].json()["error"]["code"]) == (False, "rate_limited")
        assert len(client.get("/_sandbox/bill").json()) == 4


def test_a_cap_outlives_a_restart(start, tmp_path):
    """The bill knows what is unfinished."""
    options = {"latency": "60", "in_flight_cap": 1, "bill": tmp_path / "bill.jsonl"}
    order = {"prompt": "a", "async": True}
    with start(**options) as client:
        assert client.post("/sora/videos", json=order).status_code == 200
    with start(**options) as client:
        assert client.post("/sora/videos", json=order).status_code == 429


def test_a_running_sandbox_enforces_its_rate_of_queries(start):
    """A second question within the time is the vendor's own 429; orders do not count as questions [A7 A13]."""
    with start(latency="60", status_rate=0.01) as client:
        orders = [client.post("/sora/videos", json={"prompt": "a", "async": True}) for _ in range(2)]
        asked = [client.post("/sora/tasks", json={"id": order.json()["task_id"]}) for order in orders]
        assert [answer.status_code for answer in (*orders, *asked)] == [200, 200, 200, 429]
        assert asked[1].json()["error"]["code"] == "rate_limited"
