from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.image import LocalImage
from pipelines.core.job import RemoteJob
from pipelines.providers.contracts.openai_videos import STATUS_WORDS, OpenAIVideos
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Link, Phase, Request, Supplies, Upload
from tests.pipelines.providers.answers import any_answer

CONTRACT = OpenAIVideos()
BASE = "https://api/v1"


def _progress(answer, provider="openai", name="v"):
    return CONTRACT.read_progress(answer, RemoteJob(name, "video"), profile_named(provider), BASE)


def test_the_body_is_as_openai_documents_it(order_of):
    """Length as text, size always said, JSON without an upload."""
    request = CONTRACT.submission(order_of("openai"), profile_named("openai"), Supplies())
    body = {"model": "sora-2", "prompt": "a cat", "seconds": "4", "size": "1280x720"}
    assert request == Request("POST", "/videos", body)


def test_t22_the_reference_image_is_as_each_server_wants_it(order_of):
    """OpenAI takes an object with a link, Qiniu a bare link."""
    image = Supplies(("https://x/a.png",))
    openai = CONTRACT.submission(order_of("openai"), profile_named("openai"), image)
    qiniu = CONTRACT.submission(order_of("qiniu"), profile_named("qiniu"), image)
    assert openai.body["input_reference"] == {"image_url": "https://x/a.png"}
    assert qiniu.body["input_reference"] == "https://x/a.png"


CAT = LocalImage("cat.png", "image/png", b"\x89PNG", 2, 2)
FILE = Upload("cat.png", "image/png", CAT.data)
A, B = "https://x/a.png", "https://x/b.png"
RAW = CAT.base64()


@pytest.mark.parametrize(
    ("provider", "mode", "model", "images", "fields"),
    [
        ("openai", "video", "sora-2", (CAT,), {"input_reference": FILE}),
        ("litellm", "video", "sora-2", (A,), {"input_reference": {"image_url": A}}),
        ("new-api", "video", "sora-2", (CAT,), {"input_reference": FILE}),
        ("vllm-omni", "video", "m", (A,), {"image_reference": f'{{"image_url": "{A}"}}'}),
        ("vllm-omni", "video", "m", (CAT,), {"input_reference": FILE}),
        ("sglang", "video", "m", (A,), {"reference_url": A}),
        ("sglang", "video", "m", (CAT,), {"input_reference": FILE}),
        ("qiniu", "kling-v2-5", "kling-v2-5-turbo", (A, B), {"input_reference": A, "image_tail": B}),
        ("qiniu", "kling-v2-6", "kling-v2-6", (CAT, B), {"input_reference": RAW, "image_tail": B}),
        ("qiniu", "kling-v3", "kling-v3", (CAT,), {"input_reference": RAW}),
        (
            "qiniu",
            "kling-o1",
            "kling-video-o1",
            (A, CAT),
            {"image_list": [{"image": A, "type": "first_frame"}, {"image": RAW, "type": "end_frame"}]},
        ),
        ("qiniu", "kling-v3-omni", "kling-v3-omni", (A,), {"image_list": [{"image": A, "type": "first_frame"}]}),
    ],
)
def test_t22_each_server_has_its_own_way_with_images(order_of, provider, mode, model, images, fields):
    """An object, JSON text, a bare link, raw Base64, a list of frames, or a file: as the profile says."""
    profile = profile_named(provider)
    body = CONTRACT.submission(order_of(provider, mode, model=model), profile, Supplies(images)).body
    assert {name: value for name, value in body.items() if name not in ("model", "prompt", "seconds", "size")} == fields


@pytest.mark.parametrize(
    ("provider", "images", "form"),
    [
        ("openai", (), False),
        ("openai", (A,), False),
        ("openai", (CAT,), True),
        ("litellm", (CAT,), True),
        ("new-api", (), False),
        ("vllm-omni", (), True),
        ("vllm-omni", (A,), True),
        ("sglang", (), False),
        ("sglang", (CAT,), True),
        ("qiniu", (A,), False),
    ],
)
def test_t19_json_where_it_can_be_and_forms_where_they_must(order_of, provider, images, form):
    """Qiniu never gets a form, vLLM-Omni always, SGLang only with a file."""
    request = CONTRACT.submission(order_of(provider), profile_named(provider), Supplies(images))
    assert (request.encoding == "multipart") is form


@pytest.mark.parametrize(
    ("provider", "seconds"),
    [("openai", "4"), ("qiniu", "4"), ("litellm", "4"), ("vllm-omni", "4"), ("new-api", "4"), ("sglang", 4)],
)
def test_t14_only_sglang_takes_the_length_as_a_number(order_of, provider, seconds):
    """Everybody else wants it as text."""
    assert CONTRACT.submission(order_of(provider), profile_named(provider), Supplies()).body["seconds"] == seconds


@pytest.mark.parametrize(
    ("provider", "name", "path"),
    [
        ("openai", "video_1", "/videos/video_1/remix"),
        ("qiniu", "qvideo-u-1", "/videos/qvideo-u-1/remix"),
        ("litellm", "video_a/b==", "/videos/video_a%2Fb%3D%3D/remix"),
    ],
)
def test_a_remix_goes_to_the_other_clip(order_of, provider, name, path):
    """Its path names the other clip, percent-encoded, and its body is the prompt alone."""
    request = CONTRACT.submission(
        order_of(provider, remix_of="parent"), profile_named(provider), Supplies(parent_id=name)
    )
    assert request == Request("POST", path, {"prompt": "a cat"})


def test_a_remix_path_is_no_format_string(order_of):
    """Only {id} is filled in: whatever else stands in braces is neither looked up nor run."""
    profile = profile_named("openai")
    remix = profile.modes[0].remix.model_copy(update={"path": "/v/{id}/{id.__class__}/{x}"})
    odd = profile.model_copy(update={"modes": (profile.modes[0].model_copy(update={"remix": remix}),)})
    request = CONTRACT.submission(order_of("openai", remix_of="parent"), odd, Supplies(parent_id="v 1"))
    assert request.path == "/v/v%201/{id.__class__}/{x}"


def test_a_providers_own_parameters_go_along(order_of):
    """What the profile lets through is sent under its own name."""
    request = CONTRACT.submission(order_of("qiniu", extra={"mode": "pro"}), profile_named("qiniu"), Supplies())
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
    assert CONTRACT.status(RemoteJob(name), profile) == Request("GET", path)
    [link] = _progress({"id": name, "status": "completed"}, name=name).links
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


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        *[(w, Phase.RUNNING) for w in ("initializing", "queued", "in_progress", "downloading", "uploading")],
        ("completed", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("cancelled", Phase.CANCELLED),
    ],
)
def test_qiniu_has_eight_states(word, phase):
    """Each of them is known, so that none is logged as new."""
    assert _progress({"id": "q", "status": word}, "qiniu").phase is phase
    assert word in {**STATUS_WORDS, **profile_named("qiniu").words}


@pytest.mark.parametrize(
    ("provider", "answer", "phase"),
    [
        ("sglang", {"status": "queued", "progress": 0, "model": "sora-2", "url": None}, Phase.RUNNING),
        ("sglang", {"status": "completed", "progress": 100, "file_path": "outputs/v.mp4"}, Phase.SUCCEEDED),
        ("sglang", {"status": "failed", "error": {"message": "CUDA"}}, Phase.FAILED),
        ("sglang", {"status": "deleted"}, Phase.CANCELLED),
        ("new-api", {"task_id": "v", "status": "unknown"}, Phase.RUNNING),
        ("new-api", {"task_id": "v", "status": "completed", "metadata": {}, "usage": {}}, Phase.SUCCEEDED),
        ("litellm", {"status": "processing", "progress": None, "seconds": None, "size": None}, Phase.RUNNING),
        ("litellm", {"status": "completed", "usage": {"duration_seconds": 4.0}}, Phase.SUCCEEDED),
        ("vllm-omni", {"status": "completed", "media_type": "video/mp4", "stage_durations": {}}, Phase.SUCCEEDED),
        ("vllm-omni", {"status": "failed", "error": {"code": 500, "message": "m"}}, Phase.FAILED),
        ("openai", {"status": "in_progress", "progress": 100}, Phase.RUNNING),
        ("openai", {"status": "cancelled", "error": "stopped by the user"}, Phase.CANCELLED),
        ("openai", {"status": "expired", "error": "a text, as OpenRouter has it"}, Phase.RUNNING),
    ],
)
def test_t18_every_server_says_it_in_its_own_words(provider, answer, phase):
    """Known words decide, whatever stands beside them; what nobody knows means still running."""
    progress = _progress({"id": "v", **answer}, provider)
    assert progress.phase is phase
    assert bool(progress.links) is (phase is Phase.SUCCEEDED)


@pytest.mark.parametrize(
    ("provider", "url"),
    [(name, f"{BASE}/videos/v/content") for name in ("openai", "litellm", "vllm-omni", "sglang", "new-api")],
)
def test_t20_a_content_address_is_the_servers_own(provider, url):
    """The file is asked of the host that the operator set, and only there with the key."""
    [link] = _progress({"id": "v", "status": "completed"}, provider).links
    assert (link.url, link.needs_key) == (url, True)


@pytest.mark.parametrize(
    ("url", "needs_key"),
    [
        ("https://cdn/v.mp4", False),
        ("https://cdn.api/v1/videos/v/content", False),
        ("http://api/v1/videos/v/content", False),
        ("https://api:8443/v1/videos/v/content", False),
        ("https://api@cdn/v.mp4", False),
        ("https://api:port/v.mp4", False),
        ("https://api/v1/videos/v/content", True),
        ("https://API:443/v1/videos/v/content?variant=video", True),
        ("https://api/v.mp4?e=1767058636&token=t", False),
    ],
)
def test_t20_a_direct_link_gets_the_key_at_the_apis_own_origin_only(url, needs_key):
    """What the API serves itself it serves with the key; not if the link is signed, and nobody else gets to see it."""
    for provider in ("qiniu", "openai"):
        answer = {"id": "v", "status": "completed", "task_result": {"videos": [{"url": url}]}}
        [link] = _progress(answer, provider).links
        assert (link.url, link.needs_key) == (url, needs_key)


@pytest.mark.parametrize(
    ("url", "whole", "needs_key"),
    [
        ("/v1/videos/v/content", "https://api/v1/videos/v/content", True),
        ("/files/v.mp4?e=1767058636&token=t", "https://api/files/v.mp4?e=1767058636&token=t", False),
        ("//cdn/v.mp4", "https://cdn/v.mp4", False),
        ("//api/v.mp4", "https://api/v.mp4", True),
    ],
)
def test_a_link_without_a_host_is_meant_at_the_apis_own(url, whole, needs_key):
    """OpenRouter and its like give mere paths; they are fetched from where the answer came from."""
    answer = {"id": "v", "status": "completed", "task_result": {"videos": [{"url": url}]}}
    [link] = _progress(answer, "qiniu").links
    assert (link.url, link.needs_key) == (whole, needs_key)


@pytest.mark.parametrize(
    "url", ["", "/", "//", "//[::1", "/a b", "/a\r\nx: y", "v.mp4", "outputs/v.mp4", "file:///etc/x"]
)
def test_what_leads_nowhere_is_no_link(url):
    """A name, an empty address or one with a line break in it is not fetched; a bare slash is the API, and no clip."""
    answer = {"id": "v", "status": "completed", "task_result": {"videos": [{"url": url}]}}
    assert _progress(answer, "qiniu").links == ()


def test_t27_a_path_that_the_profile_does_not_mean_parks_the_job():
    """A clip that was paid for is not given up as long as the answer shows where it may be."""
    assert _progress({"id": "v", "status": "completed", "url": "/v1/videos/v/content"}, "qiniu").unread
    assert _progress({"id": "v", "status": "completed", "url": "v.mp4"}, "qiniu").unread
    assert not _progress({"id": "v", "status": "completed", "task_result": {"videos": []}}, "qiniu").unread
    assert not _progress({"id": "v", "status": "completed", "task_result": None}, "qiniu").unread


@pytest.mark.parametrize(
    ("answer", "seconds", "size"),
    [
        ({"seconds": "8", "size": "1280x720"}, 8, "1280x720"),
        ({"seconds": 8}, 8, None),
        ({"duration": "5.0"}, 5, None),
        ({"seconds": None, "duration": None, "size": None}, None, None),
        ({"seconds": "long", "size": {}}, None, None),
        ({"seconds": True, "size": 7}, None, "7"),
    ],
)
def test_t28_what_is_made_is_read_as_it_is_said(answer, seconds, size):
    """Length and size that an answer names are kept, so that a silent change is seen; numbers are compared as numbers."""
    progress = _progress({"id": "v", "status": "in_progress", **answer})
    assert (progress.seconds, progress.size) == (seconds, size)


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
    assert CONTRACT.read_batch({"items": [{"id": "v"}]}, [RemoteJob("v")], profile_named("openai"), BASE) == {}


_NAMES = ["id", "status", "error", "task_result", "videos", "url", "completed_at", "expires_at", "code"]


@given(any_answer(_NAMES, "completed", "http://["), st.sampled_from(["openai", "qiniu", "sglang", "new-api"]))
def test_w06_no_answer_breaks_it(answer, provider):
    """Any object can be read; only a success has links."""
    progress = _progress(answer, provider)
    assert progress.phase is Phase.SUCCEEDED or not progress.links
