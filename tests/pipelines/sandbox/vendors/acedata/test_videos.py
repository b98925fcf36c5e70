from __future__ import annotations

import base64
import io
import json
import time

import httpx
import pytest
from PIL import Image

V1 = {"prompt": "a lighthouse", "model": "sora-2", "async": True}
V2 = {**V1, "version": "2.0", "duration": 4, "size": "1280x720"}
CHARACTER = {"character_url": "https://example.com/c.mp4", "character_start": 1, "character_end": 3}


def picture(width, height):
    """A picture as a data URL."""
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def test_a_blocking_order_holds_the_line_until_it_is_done(start):
    """Without `async` and callback the one answer is the finished clip."""
    with start(latency="0.4") as client:
        begun = time.monotonic()
        answer = client.post("/sora/videos", json={**V2, "async": False}).json()
        assert time.monotonic() - begun >= 0.4
        assert set(answer) == {"success", "task_id", "trace_id", "data"}
        (item,) = answer["data"]
        assert (set(item), item["state"]) == ({"id", "video_url", "state"}, "succeeded")
        assert httpx.get(item["video_url"], verify=False).content[4:8] == b"ftyp"


def test_the_three_forms_of_acceptance(client, start):
    """An immediate answer is the bare id, says `success` as well, or has the id one storey down [A1 A7 A4]."""
    assert set(client.post("/sora/videos", json=V1).json()) == {"task_id"}
    with start(ace_accepts="success") as other:
        assert set(other.post("/sora/videos", json=V1).json()) == {"success", "task_id"}
    with start(ace_accepts="nested") as other:
        answer = other.post("/kling/videos", json={"action": "text2video", "prompt": "a", "async": True}).json()
        assert (set(answer), set(answer["data"])) == ({"success", "data"}, {"task_id"})


def test_a_task_lives_from_no_response_to_a_result(start, later):
    """First `response` is null, then it only says accepted, at the end it is the answer and `finished_at` is set."""
    with start(latency="0.5") as client:
        identifier = client.post("/acedata/sora/videos", json=V2).json()["task_id"]
        seen = []
        while "finished_at" not in (
            task := client.post("/acedata/sora/tasks", json={"id": identifier, "action": "retrieve"}).json()
        ):
            if task["response"] not in seen:
                seen.append(task["response"])
            later(0.01)
    assert seen == [None, {"success": True, "task_id": identifier}]
    assert task["request"] == V2
    assert task["response"]["data"][0]["state"] == "succeeded"
    assert task["finished_at"] - task["created_at"] == pytest.approx(0.5)


def test_many_tasks_are_asked_about_at_once(client):
    """A batch query answers for those it knows and leaves out the others."""
    ids = [client.post("/sora/videos", json=V1).json()["task_id"] for _ in range(3)]
    answer = client.post("/sora/tasks", json={"ids": [*ids, "unknown"], "action": "retrieve_batch"}).json()
    assert (answer["count"], [item["id"] for item in answer["items"]]) == (3, ids)
    assert client.post("/sora/tasks", json={"id": "unknown"}).json()["error"]["code"] == "task_not_found"


@pytest.mark.parametrize(
    ("order", "pixels", "seconds"),
    [
        ({}, (1280, 720), 15),
        ({"orientation": "portrait", "duration": 10}, (720, 1280), 10),
        ({"size": "large", "duration": 10}, (1792, 1024), 10),
        ({"size": "large", "orientation": "portrait", "duration": 10}, (1024, 1792), 10),
        ({"version": "2.0"}, (720, 1280), 4),
        ({"version": "2.0", "seconds": 8, "size": "1280x720"}, (1280, 720), 8),
    ],
)
def test_a_clip_has_the_pixels_and_length_of_the_order(client, bill, order, pixels, seconds):
    """Words for sizes become pixels, and absent fields their documented defaults; a file is as its line on the bill."""
    client.post("/sora/videos", json={**V1, **order})
    line = bill()[-1]
    assert ((line["width"], line["height"]), line["seconds"]) == (pixels, seconds)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({**V1, "foo": 1}, "foo"),
        ({**V1, "duration": "15"}, "duration"),
        ({**V1, "duration": True}, "duration"),
        ({**V1, "duration": 4}, "duration"),
        ({**V1, "duration": 25}, "duration"),
        ({**V1, "size": "1280x720"}, "size"),
        ({**V1, "seconds": 10}, "seconds"),
        ({**V1, "version": 1.0}, "version"),
        ({**V1, "version": "3.0"}, "version"),
        ({**V1, "model": "veo3"}, "model"),
        ({**V1, "async": "true"}, "async"),
        ({**V1, "image_urls": "https://example.com/a.png"}, "image_urls"),
        ({**V1, "image_urls": [1]}, "image_urls"),
        ({**V1, "image_urls": []}, "image_urls"),
        ({**V1, "image_urls": ["data:image/png;base64,AAAA"]}, "image_urls"),
        ({**V1, "image_urls": ["data:text/plain;base64,AAAA"]}, "image_urls"),
        ({**V1, "image_urls": ["https://"]}, "image_urls"),
        ({**V1, **CHARACTER, "character_url": "nonsense"}, "character_url"),
        ({**V2, "image_urls": [picture(8, 8)]}, "image_urls"),
        ({**V1, **CHARACTER, "character_end": 5}, "character_end"),
        ({**V1, "character_url": "https://example.com/c.mp4"}, "character_start"),
        ({**V1, "prompt": ""}, "prompt"),
        ({**V1, "callback_url": "http://[::1"}, "callback_url"),
        ({**V1, "callback_url": "ftp://127.0.0.1"}, "callback_url"),
        ({**V2, "duration": 10}, "duration"),
        ({**V2, "duration": 4, "seconds": 8}, "seconds"),
        ({**V2, "size": "small"}, "size"),
        ({**V2, "orientation": "portrait"}, "orientation"),
        ({**V2, **CHARACTER}, "character_url"),
        ({"model": "sora-2"}, "prompt"),
    ],
)
def test_each_version_refuses_what_it_does_not_take(client, bill, order, named):
    """Wrong types, foreign fields and values of the other version are 400 `bad_request`, by name and unbilled."""
    before = len(bill())
    answer = client.post("/sora/videos", json=order)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], named in error["message"]) == (400, "bad_request", True)
    assert len(bill()) == before


@pytest.mark.parametrize(
    "order",
    [
        {**V1, "model": "sora-2-pro", "duration": 25},
        {**V1, "size": "large"},
        {**V1, **CHARACTER},
        {**V1, "image_urls": ["https://example.com/a.png", "https://example.com/b.png"]},
        {**V2, "image_urls": ["https://example.com/a.png"]},
        {**V1, "image_urls": [picture(8, 8)]},
        {**V2, "image_urls": [picture(1280, 720), picture(8, 8)]},
    ],
)
def test_each_version_takes_what_it_documents(client, order):
    """All documented parameters are accepted."""
    assert client.post("/sora/videos", json=order).status_code == 200


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("", 400, "no_token"), ("Bearer refused", 401, "invalid_token"), ("Bearer broke", 403, "used_up")],
)
def test_keys(client, bill, key, status, code):
    """The vendor's own statuses: a missing key is 400, an empty balance 403."""
    before = len(bill())
    answer = client.post("/sora/videos", json=V1, headers={"authorization": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(bill()) == before


@pytest.mark.parametrize(("outcome", "status"), [("generation_failed", 500), ("moderation_blocked", 403)])
def test_a_blocking_order_that_fails_is_an_error_answer(client, faults, outcome, status):
    """Whoever holds the line gets the failure as an HTTP error."""
    faults({"match": {"route": "submit"}, "do": {"outcome": outcome}})
    assert client.post("/sora/videos", json={**V2, "async": False}).status_code == status


def test_a_held_order_may_be_answered_line_by_line(client):
    """With `accept: application/x-ndjson` the last line is the final envelope [A2]."""
    order = {**V2, "async": False}
    answer = client.post("/sora/videos", json=order, headers={"accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert (len(lines), lines[-1]["data"][0]["state"]) == (2, "succeeded")
    assert lines[0] == {"task_id": lines[-1]["task_id"]}


def test_a_held_order_that_nobody_waits_for_is_made_and_billed(start):
    """A client that gives up sees a timeout; the clip is made all the same, and found under no id it knows."""
    with start(latency="60") as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/sora/videos", json={**V2, "async": False}, timeout=0.3)
        assert len(client.get("/_sandbox/bill").json()) == 1
