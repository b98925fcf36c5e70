"""APIs that are nothing but a file, spoken with over real HTTP: servers as strict as the vendors' pages, profiles as shown."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
import pytest_asyncio

from pipelines.core.errors import KeyRefused, ProviderUnavailable, SlowDown, UnknownJob
from pipelines.core.image import LocalImage
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.http import Answer, Http
from pipelines.providers.client import Client
from pipelines.providers.contracts.described import Described
from pipelines.providers.profile.checks.agreement import checked_profile
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Phase, Supplies
from pipelines.providers.responses.status import readable
from pipelines.providers.responses.submission import classify
from tests.pipelines.providers.strict_apis import CLIP, KEY, PAIR, Fal, GoogleVeo, Kling, Replicate

PROFILES = shipped_profiles()
APIS = {"replicate": Replicate, "fal": Fal, "kling": Kling, "google-veo": GoogleVeo}
BODIES = {
    "replicate": {"input": {"prompt": "a fox", "duration": 5, "aspect_ratio": "9:16", "resolution": "480p"}},
    "fal": {"prompt": "a fox", "duration": "5", "aspect_ratio": "9:16", "negative_prompt": "rain"},
    "kling": {"model_name": "kling-v2-1-master", "prompt": "a fox", "duration": "5", "aspect_ratio": "9:16"},
    "google-veo": {
        "instances": [{"prompt": "a fox"}],
        "parameters": {"durationSeconds": 4, "aspectRatio": "9:16", "resolution": "720p"},
    },
}
EXTRA = {
    "replicate": {"input.resolution": "480p"},
    "fal": {"negative_prompt": "rain"},
    "google-veo": {"parameters.resolution": "720p"},
}


async def nothing():
    """Let it be sent."""


def key_of(name):
    return PAIR if name == "kling" else KEY


def order_for(name, **more):
    """An order as the planner makes it, in the first mode."""
    profile = PROFILES[name]
    mode = profile.modes[0]
    usual = {
        "seconds": (*mode.seconds.allowed, mode.seconds.default)[0],
        "orientation": "portrait",
        "extra": EXTRA.get(name, {}),
    }
    return Order(**{"provider": name, "mode": mode.name, "model": mode.models[0], "prompt": "a fox", **usual, **more})


@pytest_asyncio.fixture
async def spoken(request):
    """A vendor's server, and a client of its profile."""
    name = request.param
    api = APIS[name]()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    base = api.root + {"replicate": "/v1", "kling": "/v1", "google-veo": "/v1beta"}.get(name, "")
    async with server, Http() as http:
        yield name, api, lambda key=None: Client(http, PROFILES[name], base, key or key_of(name), trusted=True), http


every = pytest.mark.parametrize("spoken", APIS, indirect=True)


@every
async def test_a_clip_is_ordered_waited_for_and_fetched(spoken):
    """The order is just what the vendor wants, the waiting ends, and the file comes with the key where it needs it."""
    name, api, client_of, http = spoken
    client = client_of()
    verdict = await client.submit(order_for(name), Supplies(), nothing)
    assert isinstance(verdict, Accepted), verdict
    assert api.asked[0].body == BODIES[name]
    assert (await client.check(verdict.job)).phase is Phase.RUNNING
    ended = await client.check(verdict.job)
    assert (ended.phase, ended.code, ended.message) == (Phase.SUCCEEDED, None, None)
    (link,) = ended.links
    assert link.needs_key is True  # all of them serve it themselves here
    headers = client.key_header() if name == "google-veo" else {}
    async with http.fetch(link.url, headers={}, key_header=headers, trusted=client.trusted) as incoming:
        assert b"".join([chunk async for chunk in incoming.chunks]) == CLIP


@every
@pytest.mark.parametrize("ends", ["badly", "moderated"])
async def test_a_job_without_a_clip_says_why(spoken, ends):
    """A failure has words, and one by moderation says so, wherever the vendor puts it."""
    name, api, client_of, _ = spoken
    client, api.ends = client_of(), ends
    verdict = await client.submit(order_for(name), Supplies(), nothing)
    await client.check(verdict.job)
    ended = await client.check(verdict.job)
    assert ended.phase is Phase.FAILED
    assert ended.message
    assert (ended.code == "moderation_blocked") is (ends == "moderated"), ended


@every
async def test_a_wrong_key_is_a_matter_of_the_key(spoken):
    """It stops the account and no row, for an order as for a query, and is in none of the words."""
    name, _, client_of, _ = spoken
    wrong = "somebody-else:wrong-0123456789" if name == "kling" else "wrong-0123456789"
    client = client_of(wrong)
    verdict = await client.submit(order_for(name), Supplies(), nothing)
    assert isinstance(verdict, Rejected)
    assert verdict.kind == "key"
    with pytest.raises(KeyRefused) as refused:
        await client.check(RemoteJob("x", PROFILES[name].modes[0].name, f"{client._base_url}/x"))
    assert "wrong-0123456789" not in f"{verdict} {refused.value}"


@every
async def test_what_the_vendor_does_not_have_is_refused(spoken):
    """The server is strict: a field too many is a refusal of the row."""
    name, _, client_of, _ = spoken
    verdict = await client_of().submit(order_for(name, extra={"colour": "red"}), Supplies(), nothing)
    assert isinstance(verdict, Rejected)
    assert verdict.kind == "row"


@pytest.mark.parametrize("spoken", ["replicate"], indirect=True)
async def test_the_newest_jobs_can_be_listed(spoken):
    """The list settles a doubt: it names the jobs with their time, model and prompt."""
    _, _, client_of, _ = spoken
    (listed,) = await client_of().list_recent()
    assert (listed.job.id, listed.prompt) == ("gm3qorzdhgbfurvjtvhg6dckhu", "a fox")
    assert (listed.model, listed.status) == ("bytedance/seedance-1-pro", "succeeded")
    assert listed.created_at is not None


@pytest.mark.parametrize("spoken", ["replicate", "google-veo"], indirect=True)
@pytest.mark.parametrize("model", ["../files", "a//b", "..", "a/./b", ""])
async def test_a_model_cannot_climb_out_of_its_path(spoken, model):
    """A name with `..` or an empty part in it is refused before anything is sent; the account goes on."""
    name, api, client_of, _ = spoken
    verdict = await client_of().submit(order_for(name, model=model), Supplies(), nothing)
    assert (verdict.kind, verdict.code, verdict.http_status) == ("row", "path_unusable", None)
    assert api.asked == []


@pytest.mark.parametrize("spoken", ["replicate"], indirect=True)
@pytest.mark.parametrize("job_id", ["..", "."])
async def test_an_id_cannot_climb_out_of_its_path(spoken, job_id):
    """Nobody is asked about a job whose id leads elsewhere; a slash in one is encoded."""
    _, api, client_of, _ = spoken
    with pytest.raises(UnknownJob):
        await client_of().check(RemoteJob(job_id, "seedance"))
    assert api.asked == []
    with pytest.raises(UnknownJob):
        await client_of().check(RemoteJob("a/b?c", "seedance"))
    assert api.asked[0].path == "/v1/predictions/a%2Fb%3Fc"


@pytest.mark.parametrize("spoken", ["google-veo"], indirect=True)
async def test_a_local_picture_goes_with_its_media_type(spoken):
    """It stands in the instance as an object of data and type."""
    name, api, client_of, _ = spoken
    picture = LocalImage("fox.png", "image/png", b"\x89PNG", 1280, 720)
    verdict = await client_of().submit(order_for(name), Supplies((picture,)), nothing)
    assert isinstance(verdict, Accepted), verdict
    assert api.asked[0].body["instances"][0]["image"] == {"bytesBase64Encoded": "iVBORw==", "mimeType": "image/png"}


@pytest.mark.parametrize("spoken", ["kling"], indirect=True)
async def test_a_mode_has_paths_of_its_own(spoken):
    """A clip from an image is ordered, and asked about, at another path than one from words; the address to call goes along."""
    name, api, client_of, _ = spoken
    order = order_for(name, mode="image", orientation=None, prompt="", image_urls=("https://example.com/fox.png",))
    supplies = Supplies(order.image_urls, callback_url="https://example.com/call")
    verdict = await client_of().submit(order, supplies, nothing)
    await client_of().check(verdict.job)
    assert [each.path for each in api.asked] == [
        "/v1/videos/image2video",
        "/v1/videos/image2video/CjMT7WdSwWcAAAAAALvB3g",
    ]
    assert api.asked[0].body["callback_url"] == "https://example.com/call"
    assert "prompt" not in api.asked[0].body


@pytest.mark.parametrize(
    ("answer", "phase", "unread"),
    [
        (
            {"data": {"task_status": "succeed", "task_status_msg": "OK", "video": {"href": "https://a.example/b.mp4"}}},
            "succeeded",
            True,
        ),
        ({"data": {"task_status": "succeed", "task_status_msg": "OK", "film": "AbC/" * 2_000}}, "succeeded", True),
        ({"data": {"task_status": "succeed", "task_status_msg": "It broke."}}, "failed", False),
        ({"data": {"task_status": "succeed", "task_status_msg": "It broke. " * 900}}, "failed", False),
        ({"data": {"task_status": "succeed"}}, "succeeded", False),
        ({"data": {"task_status": "asleep", "task_status_msg": "OK"}}, "running", False),
    ],
)
def test_a_clip_in_the_wrong_place_is_no_failure(answer, phase, unread):
    """A job that was paid is not given up because its profile looks elsewhere, whatever words stand beside the links."""
    progress = Described().read_progress(answer, RemoteJob("t", "text"), PROFILES["kling"], "https://a.example")
    assert (progress.phase, progress.unread) == (Phase(phase), unread)


OWN = {
    "name": "own",
    "title": "An API of its own",
    "contract": "described",
    "base_url": "https://own.example/v1",
    "default_model": "a/b/c",
    "prompt_most": 500,
    "paths": {"submit": "/jobs", "status": "/jobs/{id}"},
    "id_path": "id",
    "status_path": "state",
    "words": {"ready": "succeeded", "broken": "failed"},
    "results": ["file.href"],
    "answers": {},
    "modes": [{"name": "clip", "models": ["a/b/c"]}],
}
BASE = "https://own.example/v1"
JOB = RemoteJob("j-1", "clip", contract="described")


def own(**changes):
    """The profile with some keys changed; `answers`, `paths` and the mode are added to."""
    merged = {key: {**OWN[key], **changes.pop(key, {})} for key in ("answers", "paths")}
    mode = {**OWN["modes"][0], **changes.pop("mode", {})}
    return checked_profile({**OWN, **merged, "modes": [mode], **changes})


def ordered(profile, *images, **supplies):
    """The request that buys a clip."""
    order = Order(provider="own", mode="clip", model="a/b/c", prompt="a fox", size=supplies.pop("size", None))
    return Described().submission(order, profile, Supplies(images, **supplies))


def read(profile, **answer):
    """What an answer about the job says."""
    return Described().read_progress({"id": "j-1", **answer}, JOB, profile, BASE)


def test_a_result_may_have_an_id_of_its_own():
    """The finished job names a file, and the file is asked for by its own id, in a query; without one nobody is asked."""
    paths = {"status": "/query?job={id}", "result": "/files?file_id={result_id}"}
    profile = own(paths=paths, answers={"result_id": "file_id"})
    assert Described().status(JOB, profile).path == "/query?job=j-1"
    assert read(profile, state="ready", file_id="a b&c").result_url == "/files?file_id=a%20b%26c"
    assert read(profile, state="ready").result_url is None
    assert read(profile, state="making", file_id="7").result_url is None


@pytest.mark.parametrize(
    ("said", "clip"),
    [
        (base64.b64encode(CLIP).decode(), CLIP),
        (f"data:video/mp4;base64,{base64.b64encode(CLIP).decode()}", CLIP),
        ("not base64!", None),
        ("", None),
        (7, None),
    ],
)
def test_a_clip_may_stand_in_the_answer(said, clip):
    """In base64, bare or as a data: address; what is neither is no clip."""
    profile = own(answers={"clip_base64": "clip.data"}, results=[])
    links = read(profile, state="ready", clip={"data": said}).links
    assert [link.data for link in links] == ([clip] if clip else [])
    assert read(profile, state="making", clip={"data": said}).links == ()


def test_the_address_to_call_may_stand_in_the_query():
    """It is added to the path of the order, encoded; without callbacks there is none."""
    profile = own(callback_query="hook")
    assert ordered(profile).path == "/jobs"
    assert (
        ordered(profile, callback_url="https://me.example/c?t=1").path
        == "/jobs?hook=https%3A%2F%2Fme.example%2Fc%3Ft%3D1"
    )


def test_an_attempt_may_have_a_name_in_the_order():
    """In a field of the body, for those who tell attempts apart by it."""
    profile = own(attempt_field="meta.name")
    assert ordered(profile, attempt="x-1").body["meta"] == {"name": "x-1"}
    assert "meta" not in ordered(profile).body


@pytest.mark.parametrize("between", ["x", "*", ":"])
def test_a_size_is_written_as_the_api_writes_it(between):
    """With whatever stands between width and height."""
    size = {"allowed": ["1280x720", "max"], "default": "1280x720", "between": between}
    profile = own(mode={"size": size})
    assert ordered(profile, size="1280x720").body["size"] == f"1280{between}720"
    assert ordered(profile, size="max").body["size"] == "max"


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (
            {"style": "each", "fields": ["keys.a", "keys.b"], "item_field": "url", "item_fixed": {"type": "image"}},
            {"keys": {"a": {"url": "u1", "type": "image"}, "b": {"url": "u2", "type": "image"}}},
        ),
        (
            {"style": "frames", "field": "pics", "item_field": "uri", "roles": ["first", "last"], "role_field": "at"},
            {"pics": [{"uri": "u1", "at": "first"}, {"uri": "u2", "at": "last"}]},
        ),
        (
            {"style": "list", "field": "pics", "item_field": "uri", "item_fixed": {"kind": 1}},
            {"pics": [{"uri": "u1", "kind": 1}, {"uri": "u2", "kind": 1}]},
        ),
    ],
)
def test_a_picture_may_be_an_object(images, expected):
    """With its address under a name, and what the API wants beside it."""
    profile = own(mode={"images": {"most": 2, **images}})
    assert expected.items() <= ordered(profile, "u1", "u2").body.items()


def test_an_error_may_stand_in_several_places():
    """The first that says something counts; 0, and words such as "success", say nothing."""
    profile = own(answers={"error_code": ["err", "base.code"], "error_message": ["why", "base.words"]})
    failed = read(profile, state="broken", err="", base={"code": 1027, "words": "rude"})
    assert (failed.code, failed.message) == ("1027", "rude")
    silent = read(profile, state="broken", err="0", base={"code": 0, "words": "SUCCEED"})
    assert (silent.code, silent.message) == (None, None)


def test_words_beside_a_code_do_not_make_a_failure():
    """Some say "success" where others have an error: where a code has a place, the code decides."""
    answers = {"error_code": "base.code", "error_message": "base.words", "result_id": "file"}
    profile = own(answers=answers, paths={"result": "/files/{result_id}"})
    fine = read(profile, state="ready", file="7", base={"code": 0, "words": "success"})
    assert (fine.phase, fine.result_url) == (Phase.SUCCEEDED, "/files/7")
    assert read(profile, state="ready", base={"code": 13, "words": "broken"}).phase is Phase.FAILED


def test_a_result_may_come_without_a_word():
    """An answer that has the name of a result and no word is one, also where it says that there is no file."""
    profile = own(answers={"bare_result": ["file"]}, paths={"result": "/jobs/{id}/file"})
    assert read(profile, file={"href": "https://x.example/1.mp4"}).links[0].url == "https://x.example/1.mp4"
    assert (read(profile, file=None).phase, read(profile, file=None).result_url) == (Phase.SUCCEEDED, None)
    assert read(profile).phase is Phase.RUNNING


def test_a_job_of_which_only_the_id_is_known_is_asked_about_where_it_usually_stands():
    """Its order tells the model, and the app that is the first two parts of it; an id that leads elsewhere is nobody's."""
    paths = {"status": "/{app}/jobs/{id}", "result": "/{model}/jobs/{id}"}
    profile = own(paths=paths, answers={"status_url": "ask", "result_url": "get"})
    order = Order(provider="own", mode="clip", model="a/b/c", prompt="a fox")
    job = Described().job_named("j 1", order, profile)
    assert (job.status_url, job.result_url) == ("/a/b/jobs/j%201", "/a/b/c/jobs/j%201")
    assert Described().status(job, profile).path == "/a/b/jobs/j%201"
    lost = Described().job_named("..", order, profile)
    assert lost.status_url is None
    with pytest.raises(UnknownJob):
        Described().status(lost, profile)


def test_a_list_may_be_shaped_as_nothing_else():
    """Its items have places of their own, and a mode a list of its own."""
    answers = {"list_items": "data[]", "list_id": "task", "list_status": "stands", "list_created": "at"}
    profile = own(
        supports=["list"], answers=answers, mode={"paths": {"list": "/mine?kind=clip"}}, list_parameters={"n": "9"}
    )
    assert Described().listing(profile, "clip", 20, None).path == "/mine?kind=clip&n=9"
    (listed,) = (
        Described().read_listing({"data": [{"task": "j", "stands": "Ready", "at": 1_700_000_000}, {}]}, profile).jobs
    )
    assert (listed.job.id, listed.status, listed.created_at.year) == ("j", "ready", 2023)


def minimax_says(code, words="no", **more):
    """An answer of MiniMax, with HTTP 200 as all of them."""
    return Answer(200, {}, json.dumps({**more, "base_resp": {"status_code": code, "status_msg": words}}).encode())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (minimax_says(1008, task_id=""), "funds"),
        (minimax_says(1026), "moderation"),
        (minimax_says(1002), "slow_down"),
        (minimax_says(2049), "key"),
        (minimax_says(1000), None),
        (minimax_says(4711), None),
        (minimax_says(0, "success", task_id="7"), "accepted"),
    ],
)
def test_an_error_with_http_200_is_a_refusal_only_where_its_code_is_known(answer, kind):
    """A code that nobody knows, or a server's own fault, may have begun something: that is in doubt."""
    verdict = classify(answer, PROFILES["minimax"], Described())
    known = {Accepted: "accepted", InDoubt: None}
    assert (verdict.kind if isinstance(verdict, Rejected) else known[type(verdict)]) == kind


@pytest.mark.parametrize(
    ("answer", "error"),
    [(minimax_says(1004), KeyRefused), (minimax_says(1002), SlowDown), (minimax_says(1000), ProviderUnavailable)],
)
def test_an_error_with_http_200_is_no_news_of_a_job(answer, error):
    """It is said what is the matter, and asked again later."""
    with pytest.raises(error):
        readable(answer, PROFILES["minimax"])


def test_a_job_that_failed_with_http_200_says_why():
    """The code of its moderation is in the answer that says how it stands."""
    answer = {"task_id": "7", "status": "Fail", "base_resp": {"status_code": 1027, "status_msg": "sensitive output"}}
    progress = Described().read_progress(answer, RemoteJob("7", "text"), PROFILES["minimax"], "https://api.minimax.io")
    assert (progress.phase, progress.code, progress.message) == (Phase.FAILED, "1027", "sensitive output")
