from __future__ import annotations

import json

import pytest

from pipelines.callbacks.bodies import event_subject, read_call

ACE = {"success": True, "task_id": "t", "trace_id": "x", "data": [{"id": "i", "video_url": "https://a/b.mp4?s=1", "state": "succeeded"}]}  # fmt: skip
ARK = {"content": {"video_url": "https://a/c.mp4?X-Tos-Signature=1"}}
KLING = {"task_result": {"videos": [{"url": "https://a/k.mp4"}]}}
VIDU = {"creations": [{"id": "1", "url": "https://a/u.mp4", "cover_url": "https://a/u.jpg"}]}
VEO = {"id": "v", "status": "Completed", "data": {"videos": [{"url": "https://a/v.mp4"}]}}
QUEUE = {"request_id": "q", "gateway_request_id": "q", "status": "OK", "payload": {"video": {"url": "https://a/q.mp4"}}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ACE, ("t", True, "https://a/b.mp4")),
        ({"success": False, "task_id": "t", "error": {"code": "api_error"}}, ("t", True, None)),
        (VEO, ("v", True, "https://a/v.mp4")),
        (QUEUE, ("q", True, "https://a/q.mp4")),
        ({"request_id": "q", "status": "IN_PROGRESS", "payload": None}, ("q", False, None)),
        ({"id": "r", "status": "starting", "output": None}, ("r", False, None)),
        ({"task_id": "k", "task_status": "submitted"}, ("k", False, None)),
        ({"task_id": "k", "task_status": "succeed", **KLING}, ("k", True, "https://a/k.mp4")),
        ({"id": "l", "state": "dreaming"}, ("l", False, None)),
        ({"id": "l", "state": "completed", "assets": {"video": "https://a/l.mp4"}}, ("l", True, "https://a/l.mp4")),
        ({"id": "c", "status": "succeeded", **ARK}, ("c", True, "https://a/c.mp4")),
        ({"id": "u", "state": "success", **VIDU}, ("u", True, "https://a/u.mp4")),
        ({"request_id": "q", "status": "ERROR", "error": "x"}, ("q", True, None)),
        ({"object": "event", "id": "evt", "type": "video.completed", "data": {"id": "o"}}, ("o", True, None)),
        ({"task_id": 7}, ("7", None, None)),
        ({"task_id": {"a": 1}, "data": "x"}, (None, None, None)),
        ([1], (None, None, None)),
    ],
    ids=str,
)
def test_every_contracts_body_is_recognised(body, expected):
    """Which job it names by the vendor's own word, whether it has ended, and a link without its query."""
    call = read_call("a", json.dumps(body).encode())
    assert (call.named_id, call.has_ended, call.link) == expected


def test_an_event_is_about_its_data():
    """Never about its own id."""
    assert event_subject(b'{"id":"evt","data":{"id":"video_1"}}') == "video_1"
    assert event_subject(b'{"id":"evt"}') is None
