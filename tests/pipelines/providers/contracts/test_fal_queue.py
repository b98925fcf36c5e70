from __future__ import annotations

import pytest
from hypothesis import given

from pipelines.core.errors import UnusableAnswer
from pipelines.core.image import LocalImage
from pipelines.core.job import RemoteJob
from pipelines.providers.contracts.fal_queue import FalQueue
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Phase, Request, Supplies
from tests.pipelines.providers.answers import any_answer

CONTRACT = FalQueue()
PROFILE = profile_named("qiniu")
QUEUE = "https://api.qnaigc.com/queue/fal-ai/vidu/requests/qvideo-root-1"
JOB = RemoteJob("qvideo-root-1", "queue-vidu-q2-text", f"{QUEUE}/status", QUEUE)
URL = "https://cdn/1.mp4?e=1767058636&token=t"
A, B = "https://x/a.png", "https://x/b.png"
CAT = LocalImage("cat.png", "image/png", b"\x89PNG", 2, 2)


def _progress(answer, job=JOB):
    return CONTRACT.read_progress(answer, job, PROFILE, "https://api.qnaigc.com")


@pytest.mark.parametrize(
    ("mode", "order", "images", "body"),
    [
        ("vidu-q1-text", {}, (), {"duration": 5, "aspect_ratio": "16:9", "bgm": False}),
        (
            "vidu-q2-text",
            {"extra": {"bgm": True, "seed": 4}},
            (),
            {"duration": 5, "aspect_ratio": "16:9", "bgm": True, "seed": 4},
        ),
        ("vidu-q3-image", {}, (CAT,), {"duration": 5, "image_url": CAT.base64()}),
        (
            "vidu-reference",
            {},
            (A, B),
            {"duration": 5, "aspect_ratio": "16:9", "bgm": False} | {"reference_image_urls": [A, B]},
        ),
        ("kling-text", {}, (), {"duration": "5", "aspect_ratio": "16:9"}),
        ("kling-v2-5-image", {}, (A, B), {"duration": "5", "image_url": A, "tail_image_url": B}),
        ("kling-v3-image", {}, (A, B), {"duration": "5", "start_image_url": A, "end_image_url": B}),
        ("seedance-text", {"orientation": "adaptive"}, (), {"duration": "5", "aspect_ratio": "auto"}),
        ("seedance-reference", {}, (A, B), {"duration": "5", "aspect_ratio": "16:9", "image_urls": [A, B]}),
        ("veo-image", {"seconds": 8}, (CAT,), {"duration": "8s", "aspect_ratio": "16:9", "image_url": CAT.data_url()}),
        (
            "veo-frames",
            {"seconds": 4},
            (A, B),
            {"duration": "4s", "aspect_ratio": "16:9", "first_frame_url": A, "last_frame_url": B},
        ),
    ],
)
def test_t22_the_body_of_every_family_is_as_the_cookbook_has_it(order_of, mode, order, images, body):
    """The model is the path and not sent again; names and types of length and images differ by family."""
    rules = PROFILE.mode(f"queue-{mode}")
    given = {"model": rules.models[0], "seconds": 5, "size": None, "orientation": "landscape", **order}
    request = CONTRACT.submission(order_of("qiniu", rules.name, **given), PROFILE, Supplies(images))
    assert request == Request("POST", f"/queue/{rules.models[0]}", {"prompt": "a cat", **body})


def test_a_model_is_a_path_and_nothing_more(order_of):
    """What could be a query or another path in its name is encoded."""
    order = order_of("qiniu", "queue-vidu-q1-text", model="fal-ai/v?x=1#y", seconds=5)
    assert CONTRACT.submission(order, PROFILE, Supplies()).path == "/queue/fal-ai/v%3Fx%3D1%23y"


def test_the_address_to_call_is_in_the_body(order_of):
    """As the page documents it, beside the parameters."""
    order = order_of("qiniu", "queue-vidu-q1-text", model="fal-ai/vidu/q1/text-to-video", seconds=5)
    body = CONTRACT.submission(order, PROFILE, Supplies(callback_url="https://me/token")).body
    assert body["callback_url"] == "https://me/token"


def test_a_job_is_its_id_with_the_addresses_to_ask():
    """They are used as they come, because they cannot be built from the model's path."""
    answer = {"status": "IN_QUEUE", "request_id": JOB.id, "response_url": QUEUE, "status_url": f"{QUEUE}/status"}
    job = CONTRACT.read_job(answer | {"cancel_url": ""}, PROFILE)
    assert job == RemoteJob(JOB.id, "", f"{QUEUE}/status", QUEUE)
    assert CONTRACT.status(job, PROFILE) == Request("GET", f"{QUEUE}/status")


@pytest.mark.parametrize("address", [None, "", "/relative", "ftp://x/y", "https://", 7, {}, "https://x/a b"])
def test_an_address_that_is_none_is_not_kept(address):
    """The job was accepted all the same; asking about it says what is missing."""
    job = CONTRACT.read_job({"request_id": JOB.id, "status_url": address, "response_url": address}, PROFILE)
    assert job == RemoteJob(JOB.id)
    with pytest.raises(UnusableAnswer, match="no address"):
        CONTRACT.status(job, PROFILE)


@pytest.mark.parametrize("answer", [{}, {"id": "x"}, {"request_id": None}, {"request_id": ""}, {"request_id": {}}])
def test_an_answer_without_a_request_id_names_no_job(answer):
    """An `id` is another protocol's."""
    assert CONTRACT.read_job(answer, PROFILE) is None


@pytest.mark.parametrize(
    ("answer", "phase", "asks_elsewhere"),
    [
        ({"status": "IN_QUEUE", "queue_position": 3, "logs": []}, Phase.RUNNING, False),
        ({"status": "IN_PROGRESS", "logs": [{"message": "video.url"}]}, Phase.RUNNING, False),
        ({"status": "a new word"}, Phase.RUNNING, False),
        ({}, Phase.RUNNING, False),
        ({"status": "COMPLETED", "result": {"video": {"url": URL}}}, Phase.SUCCEEDED, False),
        ({"status": "COMPLETED", "metrics": {}}, Phase.SUCCEEDED, True),
        ({"status": "COMPLETED", "result": None, "detail": None}, Phase.SUCCEEDED, True),
        ({"status": "COMPLETED", "detail": {"msg": "no", "type": "content_policy_violation"}}, Phase.FAILED, False),
        ({"status": "COMPLETED", "error": "no"}, Phase.FAILED, False),
        ({"status": "OK", "payload": {"video": {"url": URL}}}, Phase.SUCCEEDED, False),
        ({"status": "ERROR", "error": "no", "payload": {"detail": {"msg": "no"}}}, Phase.FAILED, False),
        ({"status": "FAILED"}, Phase.FAILED, False),
        ({"status": "CANCELLED"}, Phase.CANCELLED, False),
        ({"video": {"url": URL, "content_type": "video/mp4"}, "seed": 4}, Phase.SUCCEEDED, False),
        ({"video": None}, Phase.SUCCEEDED, False),
        ({"video": None, "detail": {"msg": "no"}}, Phase.FAILED, False),
    ],
)
def test_t18_the_states_of_the_queue(answer, phase, asks_elsewhere):
    """A failure is completed too, then its reason stands in the place of the file; the result itself has no status."""
    progress = _progress(answer)
    assert progress.phase is phase
    assert [link.url for link in progress.links] == ([URL] if URL in str(answer) else [])
    assert progress.result_url == (QUEUE if asks_elsewhere else None)


def test_a_failure_says_why():
    """In the words of `detail`, as fal has it."""
    progress = _progress(
        {"status": "COMPLETED", "detail": {"msg": "未知错误", "type": "unknown_error", "loc": ["body"]}}
    )
    assert (progress.code, progress.message) == ("unknown_error", "未知错误")


def test_t11_other_links_are_not_the_clip():
    """An image in a log, or in an echoed input, is no result."""
    answer = {"status": "COMPLETED", "image": {"url": URL}, "input": {"video": {"url": URL}}, "logs": [{"url": URL}]}
    assert _progress(answer).links == ()


def test_there_is_no_batch_query():
    """This contract asks about one job at a time."""
    with pytest.raises(NotImplementedError):
        CONTRACT.batch_status(["v"], PROFILE)
    assert CONTRACT.read_batch({"items": [{"id": "v"}]}, [RemoteJob("v")], PROFILE, "") == {}


_NAMES = ["status", "result", "video", "videos", "url", "payload", "detail", "error", "request_id"]


@given(any_answer(_NAMES, "COMPLETED", URL))
def test_w06_no_answer_breaks_it(answer):
    """Any object can be read; only a success has links."""
    progress = _progress(answer)
    assert progress.phase is Phase.SUCCEEDED or not progress.links
    CONTRACT.read_job(answer, PROFILE)
