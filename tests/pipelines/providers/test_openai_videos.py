from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.providers.openai_videos import OpenAIVideos
from pipelines.providers.profile import profile_named
from pipelines.providers.protocol import Link, Phase, Request

CONTRACT = OpenAIVideos()
BASE = "https://api/v1"


def _progress(answer, provider="openai"):
    return CONTRACT.read_progress(answer, profile_named(provider), BASE)


def test_the_body_is_as_openai_documents_it(order_of):
    """Length as text, size always said, JSON without an upload."""
    request = CONTRACT.submission(order_of("openai"), profile_named("openai"))
    body = {"model": "sora-2", "prompt": "a cat", "seconds": "4", "size": "1280x720"}
    assert request == Request("POST", "/videos", body)


def test_t22_the_reference_image_is_as_each_server_wants_it(order_of):
    """OpenAI takes an object with a link, Qiniu a bare link."""
    image = ("https://x/a.png",)
    openai = CONTRACT.submission(order_of("openai", image_urls=image), profile_named("openai"))
    qiniu = CONTRACT.submission(order_of("qiniu", image_urls=image), profile_named("qiniu"))
    assert openai.body["input_reference"] == {"image_url": "https://x/a.png"}
    assert qiniu.body["input_reference"] == "https://x/a.png"


def test_a_providers_own_parameters_go_along(order_of):
    """What the profile lets through is sent under its own name."""
    request = CONTRACT.submission(order_of("qiniu", extra={"mode": "pro"}), profile_named("qiniu"))
    assert request.body["mode"] == "pro"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("video_123", "/videos/video_123"),
        ("video_bGl0/+A==", "/videos/video_bGl0%2F%2BA%3D%3D"),
        ("a b?c#d%", "/videos/a%20b%3Fc%23d%25"),
        ("../models", "/videos/..%2Fmodels"),
        ("视频", "/videos/%E8%A7%86%E9%A2%91"),
    ],
)
def test_t21_an_id_is_one_segment_of_the_path(name, path):
    """Ids that carry slashes, signs or dots are percent-encoded, in the query and in the content link."""
    profile = profile_named("openai")
    assert CONTRACT.status(name, profile) == Request("GET", path)
    [link] = _progress({"id": name, "status": "completed"}).links
    assert link.url == f"{BASE}{path}/content"


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        *[(w, Phase.RUNNING) for w in ("queued", "in_progress", "pending", "processing", "unknown", "downloading")],
        *[(w, Phase.SUCCEEDED) for w in ("completed", "Completed", "COMPLETED", " completed ", "succeeded")],
        *[(w, Phase.FAILED) for w in ("failed", "Failed")],
        *[(w, Phase.CANCELLED) for w in ("cancelled", "canceled")],
        *[(w, Phase.RUNNING) for w in ("deleted", "expired", "完成", "", None, 7, [], {}, True)],
    ],
)
def test_w07_only_a_known_word_ends_a_job(word, phase):
    """Known words decide in any case; a word that nobody knows means still running."""
    assert _progress({"id": "v", "status": word}).phase is phase


@pytest.mark.parametrize("word", ["initializing", "queued", "in_progress", "downloading", "uploading"])
def test_w15_the_status_alone_decides(word):
    """A progress of 100, a completion time and a link do not finish a job whose status says otherwise."""
    answer = {"id": "v", "status": word, "progress": 100, "completed_at": 1766453836}
    answer["task_result"] = {"videos": [{"url": "https://x/y.mp4"}]}
    progress = _progress(answer, "qiniu")
    assert (progress.phase, progress.links) == (Phase.RUNNING, ())


def test_qiniu_gives_signed_links():
    """The link of a finished Qiniu job needs no key, and its `e` says when it ends."""
    url = "https://cdn/1.mp4?e=1767058636&token=t"
    answer = {"id": "q", "status": "completed", "completed_at": 1766453836}
    progress = _progress(answer | {"task_result": {"videos": [{"id": "q-1", "url": url, "duration": "4"}]}}, "qiniu")
    assert progress.links == (Link(url, expires_at=datetime(2025, 12, 30, 1, 37, 16, tzinfo=UTC)),)
    assert progress.completed_at == datetime(2025, 12, 23, 1, 37, 16, tzinfo=UTC)


def test_openai_gives_a_content_address_that_needs_the_key():
    """Where the server keeps the file itself, its own address is asked with the key, until `expires_at`."""
    [link] = _progress({"id": "v", "status": "completed", "expires_at": 1767058636}).links
    assert (link.url, link.needs_key) == (f"{BASE}/videos/v/content", True)
    assert link.expires_at == datetime(2025, 12, 30, 1, 37, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "result",
    [None, {}, [], {"videos": None}, {"videos": []}, {"videos": [{"url": None}]}, {"videos": [{"url": ""}, 7, "x"]}],
)
def test_w11_completed_without_a_link_has_no_link(result):
    """An empty result is no link; the watch goes on asking."""
    progress = _progress({"id": "q", "status": "completed", "task_result": result}, "qiniu")
    assert (progress.phase, progress.links) == (Phase.SUCCEEDED, ())


def test_w12_all_videos_of_a_job_are_found():
    """A job with several clips gives all of them, in their order."""
    videos = [{"url": f"https://x/{n}.mp4"} for n in range(3)]
    progress = _progress({"id": "q", "status": "completed", "task_result": {"videos": videos}}, "qiniu")
    assert [link.url for link in progress.links] == [video["url"] for video in videos]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": "moderation_blocked", "message": "no"}, "moderation_blocked", "no"),
        ({"code": 500, "message": "no"}, "500", "no"),
        ({"message": "no"}, None, "no"),
        ("no", None, "no"),
        (None, None, None),
    ],
    ids=["object", "numeric code", "sglang", "text", "T27 nothing"],
)
def test_w14_a_failure_says_why_if_it_does(error, code, message):
    """The reason of a failure is read in every form, and may be missing."""
    progress = _progress({"id": "v", "status": "failed", "error": error})
    assert (progress.phase, progress.code, progress.message) == (Phase.FAILED, code, message)


def test_there_is_no_batch_query():
    """This contract asks about one job at a time; nobody may try otherwise."""
    with pytest.raises(NotImplementedError):
        CONTRACT.batch_status(["v"], profile_named("openai"))
    assert CONTRACT.read_batch({"items": [{"id": "v"}]}, profile_named("openai"), BASE) == {}


_KEYS = st.sampled_from(["id", "status", "error", "task_result", "videos", "url", "completed_at", "expires_at", "code"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["completed", "http://["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=6), st.sampled_from(["openai", "qiniu"]))
def test_t09_no_answer_breaks_it(answer, provider):
    """Any object can be read; only a success has links."""
    progress = _progress(answer, provider)
    assert progress.phase is Phase.SUCCEEDED or not progress.links
