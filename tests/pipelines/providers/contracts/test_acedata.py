from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import UnusableAnswer
from pipelines.core.job import RemoteJob
from pipelines.providers.contracts.acedata import AceData
from pipelines.providers.profile.load import profile_named, shipped_profiles
from pipelines.providers.protocol import Phase, Progress, Request, Supplies
from tests.pipelines.providers.answers import any_answer

CONTRACT = AceData()
PROFILE = profile_named("acedata")
NAMES = [name for name in shipped_profiles() if name.startswith("acedata")]
JOB = RemoteJob("t", "v2")
URL = "https://cdn/a.mp4"
RUN, OK, BAD, GONE = Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED


def _progress(response, **task):
    return CONTRACT.read_progress({"id": "t", "response": response, **task}, JOB, PROFILE, "https://api")


def test_t1_the_body_of_v2_is_as_the_vendor_documents_it(order_of):
    """`duration` as a number, `version` as text, and always asynchronous."""
    request = CONTRACT.submission(order_of("acedata", "v2"), PROFILE, Supplies())
    body = {"model": "sora-2", "prompt": "a cat", "duration": 4, "size": "1280x720", "version": "2.0", "async": True}
    assert request == Request("POST", "/sora/videos", body)


def test_t3_the_body_of_v1_is_as_the_vendor_documents_it(order_of):
    """Orientation, named sizes and a character with both bounds, in whole seconds."""
    more = {"character_url": "https://x/c.mp4", "character_start": 1, "character_end": 3, "orientation": "portrait"}
    images = ("https://x/1.png", "https://x/2.png")
    order = order_of("acedata", "v1", seconds=15, size="small", image_urls=images, **more)
    assert CONTRACT.submission(order, PROFILE, Supplies(images)).body == {
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
    order = order_of("acedata", "v2", orientation="portrait")
    assert "orientation" not in CONTRACT.submission(order, PROFILE, Supplies()).body


def test_the_action_is_always_sent():
    """One id under `id`, many under `ids`, each with its action: the default of an older revision was impossible."""
    assert CONTRACT.status(JOB, PROFILE) == Request("POST", "/sora/tasks", {"id": "t", "action": "retrieve"})
    many = CONTRACT.batch_status(["a", "b"], PROFILE)
    assert many == Request("POST", "/sora/tasks", {"ids": ["a", "b"], "action": "retrieve_batch"})


CODED, TYPED = {"code": "forbidden", "message": "m"}, {"message": "m", "type": "y"}
#: Errors under a response, what the task itself says beside them, and what comes of it.
ERRORS = [
    ("4 a type is no code", {"success": False, "error": TYPED}, {}, RUN),
    ("4 nor is a code beside the error", {"success": False, "error": {"message": "m"}, "code": 200}, {}, RUN),
    ("4 without success", {"error": CODED}, {}, BAD),
    ("4 without success, finished", {"error": CODED}, {"finished_at": 1.0}, BAD),
    ("4 success null", {"success": None, "error": CODED}, {}, BAD),
    ("4 a warning beside a success", {"success": True, "error": CODED}, {}, RUN),
    ("4 a warning beside a clip", {"error": CODED, "data": [{"video_url": URL}]}, {}, OK),
    ("5 an error without success, finished", {"error": "m"}, {"finished_at": 1.0}, BAD),
    ("5 the same, not finished", {"error": "m"}, {}, RUN),
    ("5 a typed error, finished", {"success": False, "error": TYPED}, {"finished_at": 1.0}, BAD),
    ("null though finished", None, {"finished_at": 1.0}, RUN),
    ("4 before the task's own end", {"success": False, "error": CODED}, {"status": "finished"}, BAD),
    ("4 before the task's own running", {"success": False, "error": CODED}, {"status": "processing"}, BAD),
    ("5 before the task's own", {"success": False}, {"status": "processing", "finished_at": 1.0}, BAD),
    ("1 before 4", {"state": "processing", "success": False, "error": CODED}, {"status": "failed"}, RUN),
    ("the task's own failure", {"success": True}, {"status": "failed", "finished_at": 1.0}, BAD),
    ("T9 a hiccup of a task that runs", {"success": False, "error": "m"}, {"status": "processing"}, RUN),
    ("the task's own running, with a link", {"data": [{"video_url": URL}]}, {"status": "processing"}, RUN),
]


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
        *[row[1:] for row in ERRORS],
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
        *[row[0] for row in ERRORS],
    ],
)
def test_t8_t9_the_terminal_rules(response, task, phase):
    """The vendor's rules of what has ended, in their order; a success without a link has none to show.

    They are about the response: what the task itself says counts where the response does not say that it has failed.
    """
    progress = _progress(response, **task)
    assert progress.phase is phase
    assert bool(progress.links) is (phase is OK and URL in str(response))


#: A finished answer of each service as its specification or its own tests have it, and the one link that is its clip.
TASK = {"success": True, "task_id": "t", "trace_id": "tr"}
DONE = [
    ("acedata", "sora", {"data": [{"id": "sora-2:task_01", "video_url": URL, "state": "succeeded"}]}),
    (
        "acedata-veo",
        "dates as text",
        {"data": [{"id": "i", "video_url": URL, "created_at": "2026-01-01 10:00:00", "state": "succeeded"}]},
    ),
    (
        "acedata-kling",
        "specification",
        {
            "state": "succeed",
            "video_url": URL,
            "video_id": "842",
            "duration": "5.041",
            "start_image_url": "https://x/i",
        },
    ),
    (
        "acedata-kling",
        "own tests",
        {"state": "completed", "video_url": URL, "video_id": "842", "duration": 5, "end_image_url": "https://x/i"},
    ),
    (
        "acedata-luma",
        "specification",
        {"state": "completed", "video_url": URL, "thumbnail_url": "https://cdn/t.jpg", "video_width": 1552},
    ),
    (
        "acedata-wan",
        "specification",
        {"state": "completed", "image_url": "https://x/i.png", "video_url": URL, "thumbnail_url": "https://cdn/t.jpg"},
    ),
    ("acedata-hailuo", "state", {"data": [{"id": "i", "first_image_url": "", "video_url": URL, "state": "succeeded"}]}),
    ("acedata-hailuo", "status", {"data": [{"first_image_url": "https://x", "video_url": URL, "status": "completed"}]}),
    (
        "acedata-seedance",
        "list",
        {"data": [{"status": "succeeded", "content": {"video_url": URL}, "usage": {"total_tokens": 108900}}]},
    ),
    (
        "acedata-seedance",
        "object",
        {"data": {"status": "succeeded", "content": {"video_url": URL, "last_frame_url": "https://cdn/f.jpg"}}},
    ),
    (
        "acedata-happyhorse",
        "specification",
        {"data": [{"video_url": URL, "state": "succeeded", "image_urls": ["https://x/i.png"], "ratio": None}]},
    ),
    (
        "acedata-maestro",
        "specification",
        {
            "data": {
                "variants": [{"output_url": URL, "cover_url": "https://c/c.jpg", "captions_url": "https://c/c.srt"}]
            }
        },
    ),
]


def _of(name, response, **task):
    profile = profile_named(name)
    return CONTRACT.read_progress(
        {"id": "t", "response": response, **task}, RemoteJob("t", profile.modes[0].name), profile, "https://api"
    )


@pytest.mark.parametrize(("name", "shape", "result"), DONE, ids=[f"{name}, {shape}" for name, shape, _ in DONE])
def test_t10_t11_every_sister_service_is_read(name, shape, result):
    """Flat, in a list, in an object, under `content`: the clip is found; thumbnails and echoed inputs never are."""
    task = {"status": "succeeded"} if name == "acedata-maestro" else {}
    progress = _of(name, TASK | result, finished_at=1.0, **task)
    assert (progress.phase, [link.url for link in progress.links]) == (OK, [URL])


@pytest.mark.parametrize(("name", "shape", "result"), DONE, ids=[f"{name}, {shape}" for name, shape, _ in DONE])
@pytest.mark.parametrize(
    ("word", "phase"),
    [("pending", RUN), ("processing", RUN), ("a new word", RUN), ("failed", BAD), ("error", BAD), ("canceled", GONE)],
)
def test_t10_the_word_of_every_service_decides(name, shape, result, word, phase):
    """Another word at the same place, and the same answer is no success, whatever links it has."""
    bent = json.loads(json.dumps(TASK | result))
    places = [bent, *(bent["data"] if isinstance(bent.get("data"), list) else [bent.get("data") or {}])]
    for place in places:
        for key in {"state", "status"} & set(place):
            place[key] = word
    task = {"status": word} if name == "acedata-maestro" else {}
    progress = _of(name, bent, finished_at=1.0, **task)
    assert (progress.phase, progress.links) == (phase, ())


@pytest.mark.parametrize("name", [f"acedata-{name}" for name in ("veo", "hailuo", "seedance", "happyhorse", "maestro")])
@pytest.mark.parametrize(
    "beside",
    [
        {"thumbnail_url": URL},
        {"data": [{"image_url": URL, "url": URL, "first_image_url": URL, "cover_url": URL}]},
        {"data": {"last_frame_url": URL, "image_urls": [URL], "content": {"last_frame_url": URL}}},
        {"video_url": URL},
        {"data": [{"source_video_url": URL}]},
    ],
    ids=["thumbnail", "inputs", "last frame", "another service's place", "source"],
)
def test_t11_no_other_link_is_the_clip(name, beside):
    """What stands anywhere but at the service's own place is not catalogued, so the job shows no video."""
    if name == "acedata-maestro":
        progress = _of(name, TASK | beside, status="succeeded")
    else:
        progress = _of(name, {**TASK, "state": "succeeded", **beside})
    assert (progress.phase, progress.links) == (OK, ())


@pytest.mark.parametrize("word", ["pending", "scripting", "generating", "rendering", "captioning", "qc"])
def test_the_stages_of_a_film_are_known(word):
    """Maestro says where it is beside the response; none of its words is new, and none is an end."""
    progress = _of("acedata-maestro", None, status=word)
    assert (progress.phase, progress.word) == (RUN, word)
    assert profile_named("acedata-maestro").words[word] == "running"


def test_every_language_of_a_film_is_brought_home():
    """Several variants are several clips, in their order."""
    variants = [{"lang": lang, "output_url": f"https://cdn/{lang}.mp4"} for lang in ("zh-cn", "en")]
    progress = _of("acedata-maestro", {"success": True, "data": {"variants": variants}}, status="succeeded")
    assert [link.url for link in progress.links] == ["https://cdn/zh-cn.mp4", "https://cdn/en.mp4"]


A, B, C = "https://x/a.png", "https://x/b.png", "https://x/c.png"
ASYNC = {"async": True}
#: service, mode, what the order holds, images, and the whole body
BODIES = [
    ("veo", "text", {}, (), {"action": "text2video", "aspect_ratio": "16:9"}),
    (
        "veo",
        "image",
        {"orientation": "portrait"},
        (A,),
        {"action": "image2video", "aspect_ratio": "9:16"} | {"image_urls": [A]},
    ),
    ("veo", "ingredients", {}, (A, B), {"action": "ingredients2video", "aspect_ratio": "16:9", "image_urls": [A, B]}),
    ("veo", "upscale", {"orientation": None, "extra": {"video_id": "v"}}, (), {"action": "get1080p", "video_id": "v"}),
    ("kling", "text", {"seconds": 5}, (), {"action": "text2video", "duration": 5, "aspect_ratio": "16:9"}),
    (
        "kling",
        "image",
        {"seconds": 10, "extra": {"cfg_scale": 0.5}},
        (A, B),
        {"action": "image2video", "duration": 10, "aspect_ratio": "16:9", "cfg_scale": 0.5}
        | {"start_image_url": A, "end_image_url": B},
    ),
    (
        "kling",
        "o1-reference",
        {"seconds": 5},
        (A, B, C),
        {"action": "text2video", "duration": 5, "aspect_ratio": "16:9"}
        | {"image_list": [{"image_url": A}, {"image_url": B}, {"image_url": C}]},
    ),
    ("luma", "text", {"orientation": "21:9"}, (), {"action": "generate", "aspect_ratio": "21:9"}),
    ("luma", "image", {}, (A,), {"action": "generate", "aspect_ratio": "16:9", "start_image_url": A}),
    ("luma", "extend", {"orientation": None, "extra": {"video_id": "v"}}, (), {"action": "extend", "video_id": "v"}),
    ("wan", "text", {"seconds": 15}, (), {"action": "text2video", "duration": 15, "resolution": "720P"}),
    (
        "wan",
        "image",
        {"seconds": 5, "extra": {"resolution": "1080P"}},
        (A,),
        {"action": "image2video", "duration": 5, "resolution": "1080P", "image_url": A},
    ),
    ("hailuo", "text", {}, (), {"action": "generate"}),
    ("hailuo", "image", {}, (A,), {"action": "generate", "first_image_url": A}),
    (
        "happyhorse",
        "text",
        {"seconds": 5},
        (),
        {"action": "generate", "duration": 5, "ratio": "16:9", "resolution": "1080P"},
    ),
    (
        "happyhorse",
        "reference",
        {"seconds": 5},
        (A, B),
        {"action": "reference_to_video", "duration": 5, "ratio": "16:9", "resolution": "1080P", "image_urls": [A, B]},
    ),
]


@pytest.mark.parametrize(("service", "mode", "order", "images", "body"), BODIES, ids=[f"{b[0]} {b[1]}" for b in BODIES])
def test_t22_the_body_of_every_sister_service_is_as_documented(order_of, service, mode, order, images, body):
    """Each service has an action of its own, its own names, and its own place for images."""
    profile = profile_named(f"acedata-{service}")
    model = profile.mode(mode).models[0]
    given = {"model": model, "seconds": None, "size": None, "orientation": "landscape", **order}
    request = CONTRACT.submission(order_of(profile.name, mode, **given), profile, Supplies(images))
    named = {} if profile.mode(mode).model_field is None else {"model": model}
    assert request == Request("POST", f"/{service}/videos", {"prompt": "a cat", **named, **ASYNC, **body})


def test_seedance_takes_one_list_of_items(order_of):
    """Prompt and images are typed items; one image is the first frame, two are both ends, more are references."""
    profile = profile_named("acedata-seedance")
    given = {"model": "doubao-seedance-2-0-260128", "seconds": 5, "size": None, "orientation": "adaptive"}

    def content(mode, *images):
        body = CONTRACT.submission(order_of(profile.name, mode, **given), profile, Supplies(images)).body
        assert (body["duration"], body["ratio"], "prompt" in body) == (5, "adaptive", False)
        return [(item.get("text") or item["image_url"]["url"], item.get("role")) for item in body["content"]]

    assert content("text") == [("a cat", None)]
    assert content("image", A) == [("a cat", None), (A, "first_frame")]
    assert content("image", A, B) == [("a cat", None), (A, "first_frame"), (B, "last_frame")]
    assert content("reference", A, B, C)[1:] == [(image, "reference_image") for image in (A, B, C)]


def test_maestro_remixes_by_the_earlier_job(order_of):
    """It knows no `async`, and a remix names the earlier task and takes everything else."""
    profile = profile_named("acedata-maestro")
    given = {"model": "maestro", "seconds": 30, "size": None, "orientation": "portrait"}
    body = {"prompt": "a cat", "duration": 30, "aspect": "9:16", "quality": "standard"}
    new = CONTRACT.submission(order_of(profile.name, **given), profile, Supplies((A,)))
    assert new == Request("POST", "/maestro/videos", body | {"action": "generate", "file_urls": [A]})
    order = order_of(profile.name, remix_of="parent", **given)
    again = CONTRACT.submission(order, profile, Supplies(parent_id="t-1"))
    assert again == Request("POST", "/maestro/videos", body | {"action": "remix", "ref_task_id": "t-1"})


def test_a_remix_goes_to_a_path_of_its_own_where_the_profile_has_one(order_of):
    """The other clip may be named by the path, percent-encoded, instead of by a field."""
    profile = profile_named("acedata-maestro")
    remix = profile.modes[0].remix.model_copy(update={"path": "/films/{id}/again", "field": None})
    own = profile.model_copy(update={"modes": (profile.modes[0].model_copy(update={"remix": remix}),)})
    given = {"model": "maestro", "seconds": 30, "size": None, "orientation": "portrait"}
    order = order_of(profile.name, remix_of="parent", **given)
    assert CONTRACT.submission(order, own, Supplies(parent_id="t/1")).path == "/films/t%2F1/again"
    assert CONTRACT.submission(order_of(profile.name, **given), own, Supplies()).path == "/maestro/videos"


def test_t5_the_address_to_call_goes_along(order_of):
    """With an address to call, the answer is still asked for at once, and polling goes on."""
    order = order_of("acedata", "v2")
    body = CONTRACT.submission(order, PROFILE, Supplies(callback_url="https://me/token")).body
    assert (body["callback_url"], body["async"]) == ("https://me/token", True)


def test_t24_nothing_waits_for_a_clip(order_of):
    """A call that is held until the clip is done outlives proxies; every service that can is asked to answer at once."""
    for name in NAMES:
        profile = profile_named(name)
        mode = profile.modes[0]
        order = order_of(name, mode.name, model=mode.models[0], seconds=None, size=None)
        body = CONTRACT.submission(order, profile, Supplies()).body
        assert body.get("async") is (None if name == "acedata-maestro" else True)


def test_t12_the_echo_of_the_request_is_neither_a_result_nor_kept():
    """Links in the echoed request are not looked at, and nothing of it is in what is read: it may hold a secret."""
    request = {
        "image_urls": ["https://x/i.png"],
        "video_url": URL,
        "callback_url": "https://me/secret",
        "state": "failed",
    }
    assert _progress(None, request=request) == Progress(RUN)
    for response in ({"data": [{"state": "failed"}]}, {"data": [{"state": "succeeded", "video_url": URL}]}):
        assert "secret" not in repr(_progress(response, request=request))


def test_t4_a_finished_task_says_when_and_its_link_until_when():
    """`finished_at` is kept, and the link's own expiry."""
    response = {"data": [{"state": "succeeded", "video_url": f"{URL}?se=2025-10-16T00%3A00%3A00Z"}]}
    progress = _progress(response, finished_at=1760105730.0)
    assert progress.completed_at == datetime(2025, 10, 10, 14, 15, 30, tzinfo=UTC)
    assert progress.links[0].expires_at == datetime(2025, 10, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("task", "response", "trace_id"),
    [
        ({"trace_id": "a"}, {"trace_id": "b"}, "a"),
        ({}, {"trace_id": "b"}, "b"),
        ({"trace_id": {}}, None, None),
        ({}, {"error": {"trace_id": "c"}}, None),
    ],
)
def test_a_task_carries_its_trace_id(task, response, trace_id):
    """What the vendor's support asks for stands beside the response or in it."""
    assert _progress(response, **task).trace_id == trace_id


def test_a_batch_answer_is_sorted_by_id():
    """Each task of a batch answer speaks for itself; what has no id speaks for nobody."""
    items = [{"id": "a", "response": {"data": [{"state": "failed"}]}}, {"id": "b"}, {"response": {}}, None, 7]
    jobs = [RemoteJob(name, "v2") for name in "abc"]
    found = CONTRACT.read_batch({"items": items, "count": 5}, jobs, PROFILE, "https://api")
    assert {name: progress.phase for name, progress in found.items()} == {"a": BAD, "b": RUN}
    assert CONTRACT.read_batch({"items": []}, jobs, PROFILE, "https://api") == {}


@pytest.mark.parametrize("answer", [{}, {"items": None}, {"items": {"a": 1}}, {"items": "x"}, {"success": True}])
def test_an_answer_without_a_list_says_nothing_of_any_job(answer):
    """It is a query that failed, and not the news that none of the jobs is known."""
    with pytest.raises(UnusableAnswer, match="2 jobs without a list") as caught:
        CONTRACT.read_batch(answer, [RemoteJob("a", "v2"), RemoteJob("b", "v2")], PROFILE, "https://api")
    assert type(caught.value) is UnusableAnswer


def test_each_job_of_a_batch_answer_is_read_as_its_mode_says():
    """Where one mode names its files in a place of its own, they are found there in a batch answer too."""
    own = PROFILE.mode("v2").model_copy(update={"results": ("film.address",)})
    profile = PROFILE.model_copy(update={"modes": (PROFILE.mode("v1"), own)})
    items = [
        {"id": "a", "response": {"state": "succeeded", "film": {"address": URL}}},
        {"id": "b", "response": {"data": [{"state": "succeeded", "video_url": URL}]}},
    ]
    jobs = [RemoteJob("a", "v2"), RemoteJob("b", "v1")]
    found = CONTRACT.read_batch({"items": items}, jobs, profile, "https://api")
    assert {name: [link.url for link in progress.links] for name, progress in found.items()} == {"a": [URL], "b": [URL]}


_NAMES = [
    "id",
    "response",
    "data",
    "state",
    "status",
    "success",
    "error",
    "code",
    "video_url",
    "content",
    "finished_at",
]


@given(any_answer(_NAMES, "failed", URL), st.sampled_from(NAMES))
def test_w06_no_answer_breaks_it(answer, name):
    """Any object can be read, alone or in a batch, by each service; only a success has links."""
    profile = profile_named(name)
    progress = CONTRACT.read_progress(answer, JOB, profile, "https://api")
    assert progress.phase is Phase.SUCCEEDED or not progress.links
    CONTRACT.read_batch({"items": [answer]}, [JOB], profile, "https://api")
    CONTRACT.read_job(answer, profile)
