from __future__ import annotations

import json

import pytest

from pipelines.sandbox.vendors.refusals import RefusalError

ORDER = {"prompt": "a lighthouse", "model": "sora-2", "async": True}
KLING = {"action": "text2video", "prompt": "a lighthouse", "async": True}
#: Every HTTP status and error code that the vendor's pages and specifications name [A2 A9 A9old A13].
ROWS = [
    (400, "bad_request"),
    (400, "no_token"),
    (400, "token_mismatched"),
    (401, "token_mismatched"),
    (400, "api_not_implemented"),
    (400, "disabled"),
    (403, "disabled"),
    (401, "invalid_token"),
    (401, "token_expired"),
    (402, "insufficient_balance"),
    (403, "used_up"),
    (403, "forbidden"),
    (403, "content_moderation"),
    (404, "no_api"),
    (404, "task_not_found"),
    (413, "request_too_large"),
    (429, "too_many_requests"),
    (429, "rate_limited"),
    (500, "api_error"),
    (502, "upstream_error"),
    (504, "timeout"),
    (504, "upstream_timeout"),
    (200, "task_failed"),
]


def rule(route, do, **match):
    return {"match": {"route": route, **match}, "do": do}


@pytest.fixture
def running(start):
    """A task of each of two services that stays unfinished, and the sandbox that has them."""
    with start(latency="60") as client:
        sora = client.post("/sora/videos", json=ORDER).json()["task_id"]
        kling = client.post("/kling/videos", json=KLING).json()["task_id"]

        def look(service, **effect):
            client.post("/_sandbox/faults", json=[rule("status", effect)]).raise_for_status()
            return client.post(f"/{service}/tasks", json={"id": sora if service == "sora" else kling}).json()

        yield look


@pytest.mark.parametrize(("status", "code"), ROWS)
def test_every_refusal_has_its_status_and_code(status, code):
    """Each of them comes in the vendor's envelope, with a code even where a rule names none."""
    answer = RefusalError(status, "Not today.", code=code).answer("acedata")
    document = json.loads(answer.body)
    assert answer.status == status
    assert (document["success"], document["error"]) == (False, {"code": code, "message": "Not today."})
    assert json.loads(RefusalError(status, "No.").answer("acedata").body)["error"]["code"]


def test_a_refusal_can_be_had_in_every_form(client, faults, bill):
    """With `success`, without it, as a bare string, as null, and at HTTP 200 too; nothing is billed."""
    before = len(bill())
    refused = {"status": 504, "code": "upstream_timeout", "message": "Not today."}
    answers = []
    for form in ("full", "bare", "string", "null"):
        faults(rule("submit", {**refused, "form": form}))
        answers.append(client.post("/veo/videos", json={"action": "text2video", "prompt": "a", "async": True}))
    faults(rule("submit", {"status": 200, "code": "task_failed"}))
    at_200 = client.post("/sora/videos", json=ORDER)
    full, bare, text, null = (answer.json() for answer in answers)
    assert {answer.status_code for answer in answers} == {504}
    assert (full["success"], full["error"]) == (False, {"code": "upstream_timeout", "message": "Not today."})
    assert ("success" in bare, bare["error"]["code"]) == (False, "upstream_timeout")
    assert (text["success"], text["error"], null["error"]) == (False, "Not today.", None)
    assert (at_200.status_code, at_200.json()["success"], at_200.json()["error"]["code"]) == (200, False, "task_failed")
    assert len(bill()) == before


def test_a_balance_may_be_refused_by_a_challenge(client, faults):
    """402 may come as an offer to pay in another way, with neither `success` nor an error object [A4]."""
    faults(rule("submit", {"status": 402, "form": "x402"}))
    answer = client.post("/sora/videos", json=ORDER)
    assert (answer.status_code, set(answer.json())) == (402, {"x402Version", "error", "accepts"})


def test_an_acceptance_may_say_202(client, faults):
    """An older page answers 202 for accepted; the body is the same."""
    faults(rule("submit", {"success_status": 202}))
    answer = client.post("/sora/videos", json=ORDER)
    assert (answer.status_code, set(answer.json())) == (202, {"task_id"})
    assert client.post("/sora/videos", json={}).status_code == 400


@pytest.mark.parametrize(("hiccup", "error"), [("string", "temporary"), ("null", None)])
def test_a_running_task_may_say_it_failed_and_go_on(running, hiccup, error):
    """`success: false` with a string or null is a hiccup: there is no code in it, and the task is not finished."""
    task = running("sora", hiccup=hiccup)
    assert (task["response"]["success"], task["response"]["error"]) == (False, error)
    assert "finished_at" not in task
    assert running("sora")["response"] is None


@pytest.mark.parametrize("service", ["sora", "kling"])
@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("full", {"success": False, "error": {"code": "api_error", "message": "fetch failed"}}),
        ("bare", {"error": {"code": "api_error", "message": "fetch failed"}}),
        ("string", {"success": False, "error": "fetch failed"}),
        ("null", {"success": False, "error": None}),
    ],
)
def test_a_failed_task_shows_its_error_in_every_form(client, faults, finished_task, service, form, shown):
    """With `success`, without it, as a bare string, and as null: as refusals may look, so may the end of a task."""
    faults(rule("submit", {"outcome": "generation_failed"}), rule("status", {"form": form}))
    order = {"sora": ORDER, "kling": KLING}[service]
    task = finished_task(client, client.post(f"/{service}/videos", json=order).json()["task_id"], service)
    response = task["response"]
    assert {name: response[name] for name in ("success", "error") if name in response} == shown
    assert response["task_id"] == task["id"]
    assert response.get("state") == {"sora": None, "kling": "failed"}[service]


def test_a_held_order_fails_in_every_form_too(client, faults):
    """Whoever holds the line may get the error without `success`."""
    faults(rule("submit", {"outcome": "generation_failed", "form": "bare"}))
    answer = client.post("/sora/videos", json={**ORDER, "async": False})
    assert (answer.status_code, set(answer.json())) == (500, {"error", "trace_id"})


def test_a_running_task_may_already_have_an_end(running):
    """`finished_at` may be set while the word still says that it runs."""
    task = running("kling", stamped=True, word="processing")
    assert task["finished_at"] >= task["created_at"]
    assert (task["response"]["state"], "video_url" in task["response"]) == ("processing", False)


def test_an_order_may_be_finished_when_it_is_accepted(client, faults):
    """The answer to an asynchronous order may be its result [A4]."""
    faults(rule("submit", {"instant": True}))
    answer = client.post("/kling/videos", json=KLING).json()
    assert (answer["state"], "video_url" in answer) == ("succeed", True)
    assert client.post("/kling/tasks", json={"id": answer["task_id"]}).json()["response"]["state"] == "succeed"


def test_a_burst_of_orders_meets_the_documented_limits(start):
    """Five unfinished jobs, and an order every two seconds, are what one account may have [A13]."""
    with start(latency="60", in_flight_cap=5) as client:
        answers = [
            client.post("/veo/videos", json={"action": "text2video", "prompt": "a", "async": True}) for _ in range(6)
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert (answers[-1].json()["success"], answers[-1].json()["error"]["code"]) == (False, "rate_limited")
    with start(submit_rate=0.5) as client:
        statuses = [client.post("/sora/videos", json=ORDER).status_code for _ in range(2)]
        assert statuses == [200, 429]
