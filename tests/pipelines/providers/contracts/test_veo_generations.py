from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given

from pipelines.core.image import LocalImage
from pipelines.core.job import RemoteJob
from pipelines.providers.contracts.veo_generations import VeoGenerations
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Link, Phase, Request, Supplies
from tests.pipelines.providers.answers import any_answer

CONTRACT = VeoGenerations()
PROFILE = profile_named("qiniu")
JOB = RemoteJob("chatvideo-1-u", "veo")
URL = "https://cdn/1.mp4?e=1767058636&token=t"
CAT = LocalImage("cat.png", "image/png", b"\x89PNG", 2, 2)
VEO = {"model": "veo-3.0-generate-preview", "seconds": 8, "size": None, "orientation": "landscape"}


def _progress(answer):
    return CONTRACT.read_progress(answer, JOB, PROFILE, "https://api/v1")


def test_the_body_is_as_qiniu_documents_it(order_of):
    """The prompt and its frames are an instance, everything else is a parameter under the name that Vertex gives it."""
    extra = {"seed": 42, "negativePrompt": "no", "personGeneration": "dont_allow", "sampleCount": 2}
    order = order_of("qiniu", "veo", **VEO, extra=extra | {"generateAudio": True, "resolution": "720p"})
    request = CONTRACT.submission(order, PROFILE, Supplies((CAT, CAT), callback_url="https://me/token"))
    image = {"bytesBase64Encoded": CAT.base64(), "mimeType": "image/png"}
    assert request == Request(
        "POST",
        "/videos/generations",
        {
            "model": "veo-3.0-generate-preview",
            "instances": [{"prompt": "a cat", "image": image, "lastFrame": image}],
            "parameters": {"aspectRatio": "16:9", "durationSeconds": 8, "generateAudio": True, "resolution": "720p"}
            | extra,
            "callback_url": "https://me/token",
        },
    )


def test_without_images_and_callback_there_are_none(order_of):
    """What the order does not have is not sent."""
    body = CONTRACT.submission(order_of("qiniu", "veo", **VEO), PROFILE, Supplies()).body
    assert body["instances"] == [{"prompt": "a cat"}]
    assert set(body) == {"model", "instances", "parameters"}


def test_an_address_of_an_image_is_a_bug(order_of):
    """This contract takes bytes only, and the planner lets no address through."""
    with pytest.raises(TypeError, match="no local file"):
        CONTRACT.submission(order_of("qiniu", "veo", **VEO), PROFILE, Supplies(("https://x/a.png",)))


@pytest.mark.parametrize(("name", "path"), [("chatvideo-1-u", "chatvideo-1-u"), ("a/b c", "a%2Fb%20c")])
def test_a_job_is_asked_about_at_its_own_path(name, path):
    """Its id is one segment of it."""
    assert CONTRACT.status(RemoteJob(name, "veo"), PROFILE) == Request("GET", f"/videos/generations/{path}")


def test_a_job_is_its_id():
    """The answer to a submission has nothing else."""
    assert CONTRACT.read_job({"id": "chatvideo-1-u"}, PROFILE) == RemoteJob("chatvideo-1-u")
    assert CONTRACT.read_job({"name": "chatvideo-1-u"}, PROFILE) is None


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("Completed", Phase.SUCCEEDED),
        ("COMPLETED", Phase.SUCCEEDED),
        ("Failed", Phase.FAILED),
        ("Cancelled", Phase.CANCELLED),
        *[(word, Phase.RUNNING) for word in ("Pending", "Running", "Initializing", "a new word", "", None, 7)],
    ],
)
def test_t18_words_have_a_capital(word, phase):
    """Only the two words of the page, in any case, end a job; those before the end are not documented."""
    assert _progress({"id": JOB.id, "status": word, "data": {"videos": [{"url": URL}]}}).phase is phase


def test_a_finished_job_has_links_that_need_no_key():
    """Each of its clips has a signed link, and dates come with an offset and nine digits."""
    answer = {
        "id": JOB.id,
        "status": "Completed",
        "message": "完成",
        "updated_at": "2025-03-06T20:05:30.123456789+08:00",
    }
    videos = [{"url": URL, "mimeType": "video/mp4"}, {"url": "https://cdn/2.mp4"}]
    progress = _progress(answer | {"data": {"videos": videos, "raiMediaFilteredCount": 0}})
    ends = datetime(2025, 12, 30, 1, 37, 16, tzinfo=UTC)
    assert progress.links == (Link(URL, expires_at=ends), Link("https://cdn/2.mp4"))
    assert progress.completed_at == datetime(2025, 3, 6, 12, 5, 30, 123456, tzinfo=UTC)


@pytest.mark.parametrize("count", [1, "2", 4.0])
def test_t27_clips_that_were_all_filtered_are_a_failure_by_moderation(count):
    """Completed with nothing but filtered clips will never have one."""
    progress = _progress({"id": JOB.id, "status": "Completed", "data": {"videos": [], "raiMediaFilteredCount": count}})
    assert (progress.phase, progress.code) == (Phase.FAILED, "moderation_blocked")
    assert "filtered by moderation" in progress.message


@pytest.mark.parametrize("data", [None, {}, {"videos": []}, {"videos": None, "raiMediaFilteredCount": 0}, [], "x"])
def test_t27_completed_without_a_clip_has_no_link(data):
    """Without a word about filters nobody knows why; the watch asks on, and then calls it an empty result."""
    progress = _progress({"id": JOB.id, "status": "Completed", "data": data})
    assert (progress.phase, progress.links) == (Phase.SUCCEEDED, ())


def test_a_clip_beside_filtered_ones_is_brought_home():
    """Some of several clips may be filtered; the others were made and paid."""
    progress = _progress({"status": "Completed", "data": {"videos": [{"url": URL}], "raiMediaFilteredCount": 3}})
    assert (progress.phase, len(progress.links)) == (Phase.SUCCEEDED, 1)


def test_a_failure_says_why_at_the_top():
    """`message` is where this protocol puts its reason."""
    progress = _progress({"id": JOB.id, "status": "Failed", "message": "blocked", "updated_at": "2025-03-06T12:05:30Z"})
    assert (progress.phase, progress.message, progress.code) == (Phase.FAILED, "blocked", None)


def test_there_is_no_batch_query():
    """This contract asks about one job at a time."""
    with pytest.raises(NotImplementedError):
        CONTRACT.batch_status(["v"], PROFILE)
    assert CONTRACT.read_batch({"items": [{"id": "v"}]}, [RemoteJob("v")], PROFILE, "") == {}


_NAMES = ["id", "status", "data", "videos", "url", "raiMediaFilteredCount", "updated_at", "message"]


@given(any_answer(_NAMES, "Completed", URL))
def test_w06_no_answer_breaks_it(answer):
    """Any object can be read; only a success has links."""
    progress = _progress(answer)
    assert progress.phase is Phase.SUCCEEDED or not progress.links
    CONTRACT.read_job(answer, PROFILE)
