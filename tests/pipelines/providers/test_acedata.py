from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.providers.acedata import AceData
from pipelines.providers.profile import profile_named
from pipelines.providers.protocol import Phase, Request

CONTRACT = AceData()
PROFILE = profile_named("acedata")
URL = "https://cdn/a.mp4"
RUN, OK, BAD, GONE = Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED


def _progress(response, **task):
    return CONTRACT.read_progress({"id": "t", "response": response, **task}, PROFILE, "https://api")


def test_t1_the_body_of_v2_is_as_the_vendor_documents_it(order_of):
    """`duration` as a number, `version` as text, and always asynchronous."""
    request = CONTRACT.submission(order_of("acedata", "v2"), PROFILE)
    body = {"model": "sora-2", "prompt": "a cat", "duration": 4, "size": "1280x720", "version": "2.0", "async": True}
    assert request == Request("POST", "/sora/videos", body)


def test_the_body_of_v1_is_as_the_vendor_documents_it(order_of):
    """Orientation, named sizes and a character with both bounds."""
    more = {"character_url": "https://x/c.mp4", "character_start": 1, "character_end": 3, "orientation": "portrait"}
    images = ("https://x/1.png", "https://x/2.png")
    order = order_of("acedata", "v1", seconds=15, size="small", image_urls=images, **more)
    assert CONTRACT.submission(order, PROFILE).body == {
        "model": "sora-2",
        "prompt": "a cat",
        "duration": 15,
        "size": "small",
        "orientation": "portrait",
        "image_urls": list(images),
        "character_url": "https://x/c.mp4",
        "character_start": 1,
        "character_end": 3,
        "version": "1.0",
        "async": True,
    }


def test_v2_sends_no_orientation(order_of):
    """Where the size says it all, the orientation is no parameter."""
    assert "orientation" not in CONTRACT.submission(order_of("acedata", "v2", orientation="portrait"), PROFILE).body


def test_the_action_is_always_sent():
    """One id under `id`, many under `ids`, each with its action: the default of an older revision was impossible."""
    assert CONTRACT.status("t", PROFILE) == Request("POST", "/sora/tasks", {"id": "t", "action": "retrieve"})
    many = CONTRACT.batch_status(["a", "b"], PROFILE)
    assert many == Request("POST", "/sora/tasks", {"ids": ["a", "b"], "action": "retrieve_batch"})


@pytest.mark.parametrize(
    ("response", "task", "phase"),
    [
        (None, {}, RUN),
        ({}, {}, RUN),
        ([], {}, RUN),
        ("pending", {}, RUN),
        ({"success": True, "task_id": "t"}, {}, RUN),
        ({"success": True, "data": []}, {}, RUN),
        ({"success": True, "data": None}, {}, RUN),
        ({"data": [{"state": "pending"}]}, {"finished_at": 1.0}, RUN),
        ({"success": False, "error": "fetch failed"}, {}, RUN),
        ({"success": False, "error": None}, {}, RUN),
        ({"success": False, "error": {"message": "no code"}}, {}, RUN),
        ({"data": [{"state": "failed"}]}, {}, BAD),
        ({"data": [{"state": "succeeded", "video_url": URL}, {"state": "failed"}]}, {}, BAD),
        ({"success": True, "data": [{"state": "error", "video_url": URL}]}, {}, BAD),
        ({"data": [{"state": "succeeded", "video_url": URL}]}, {}, OK),
        ({"data": [{"state": "succeeded"}]}, {}, OK),
        ({"data": [{"state": "running"}, {"state": "succeeded", "video_url": URL}]}, {}, RUN),
        ({"data": [{"state": "a new word", "video_url": URL}]}, {}, RUN),
        ({"data": [{"state": "canceled"}]}, {}, GONE),
        ({"success": False, "error": {"code": "api_error", "message": "m"}}, {}, BAD),
        ({"success": False, "error": "m"}, {"finished_at": 1760105730.1}, BAD),
        ({"success": True, "data": [{"video_url": URL}]}, {"finished_at": 1760105730.1}, OK),
        ({"data": [{"video_url": URL}]}, {}, OK),
    ],
    ids=[
        "null",
        "empty",
        "list",
        "text",
        "T8 success is no end",
        "no data",
        "data null",
        "non-terminal though finished",
        "T9 error as text",
        "T9 error null",
        "T9 error without code",
        "1 failed",
        "1 any failed",
        "1 happyhorse",
        "2 done with link",
        "2 W11 done without link: asked again",
        "3 one still runs",
        "3 unknown word",
        "cancelled",
        "4 coded error",
        "5 finished and false",
        "5 finished and true",
        "6 link alone",
    ],
)
def test_the_terminal_rules(response, task, phase):
    """The vendor's rules of what has ended, in their order; a success without a link has none to show."""
    progress = _progress(response, **task)
    assert progress.phase is phase
    assert bool(progress.links) is (phase is OK and URL in str(response))


@pytest.mark.parametrize(
    ("response", "phase", "urls"),
    [
        ({"data": [{"id": "i", "video_url": URL, "state": "succeeded"}]}, OK, [URL]),
        ({"state": "succeed", "video_url": URL, "video_id": "v", "duration": "5.041"}, OK, [URL]),
        ({"state": "completed", "video_url": URL, "thumbnail_url": "https://cdn/t.jpg"}, OK, [URL]),
        ({"data": [{"video_url": URL, "status": "completed"}]}, OK, [URL]),
        ({"data": {"status": "succeeded", "content": {"video_url": URL, "last_frame_url": "https://c/f"}}}, OK, [URL]),
        ({"data": [{"status": "succeeded", "content": {"video_url": URL}}]}, OK, [URL]),
        ({"data": [{"state": "error"}]}, BAD, []),
        ({"data": [{"state": "SUCCEEDED", "video_url": URL}], "video_url": URL}, OK, [URL]),
        ({"data": [{"state": "succeeded", "image_url": "https://x/i.png", "url": "https://x/u"}]}, OK, []),
    ],
    ids=[
        "sora",
        "kling",
        "luma",
        "hailuo with status",
        "seedance, object",
        "seedance, array",
        "happyhorse",
        "said twice",
        "T11 other links",
    ],
)
def test_t10_every_sister_service_is_read(response, phase, urls):
    """Flat, in `data`, under `content`: the clip is found, and thumbnails and echoed inputs never are."""
    progress = _progress(response)
    assert (progress.phase, [link.url for link in progress.links]) == (phase, urls)


def test_t12_the_echo_of_the_request_is_not_a_result():
    """Links in the echoed request, such as reference images, are not looked at."""
    task = {"request": {"image_urls": ["https://x/i.png"], "callback_url": "https://me/secret"}}
    assert _progress(None, **task).phase is RUN


def test_a_finished_task_says_when():
    """`finished_at` is kept, and the link's own expiry."""
    response = {"data": [{"state": "succeeded", "video_url": f"{URL}?se=2025-10-16T00%3A00%3A00Z"}]}
    progress = _progress(response, finished_at=1760105730.0)
    assert progress.completed_at == datetime(2025, 10, 10, 14, 15, 30, tzinfo=UTC)
    assert progress.links[0].expires_at == datetime(2025, 10, 16, tzinfo=UTC)


def test_a_batch_answer_is_sorted_by_id():
    """Each task of a batch answer speaks for itself; what has no id speaks for nobody."""
    items = [{"id": "a", "response": {"data": [{"state": "failed"}]}}, {"id": "b"}, {"response": {}}, None, 7]
    found = CONTRACT.read_batch({"items": items, "count": 5}, PROFILE, "https://api")
    assert {name: progress.phase for name, progress in found.items()} == {"a": BAD, "b": RUN}
    for nonsense in ({}, {"items": None}, {"items": {"a": 1}}, {"items": "x"}):
        assert CONTRACT.read_batch(nonsense, PROFILE, "https://api") == {}


_KEYS = st.sampled_from(
    ["id", "response", "data", "state", "status", "success", "error", "code", "video_url", "content", "finished_at"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["failed", URL]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_t09_no_answer_breaks_it(answer):
    """Any object can be read, alone or in a batch; only a success has links."""
    progress = CONTRACT.read_progress(answer, PROFILE, "https://api")
    assert progress.phase is Phase.SUCCEEDED or not progress.links
    CONTRACT.read_batch({"items": [answer]}, PROFILE, "https://api")
    CONTRACT.read_id(answer)
