"""APIs that are nothing but a file, spoken with over real HTTP: servers as strict as the vendors' pages, profiles as shown."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from pipelines.core.errors import KeyRefused, UnknownJob
from pipelines.core.image import LocalImage
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, Rejected
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.providers.contracts.described import Described
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Phase, Supplies
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
    base = api.root + {"replicate": "/v1", "google-veo": "/v1beta"}.get(name, "")
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
        ({"data": {"task_status": "succeed", "task_status_msg": "It broke."}}, "failed", False),
        ({"data": {"task_status": "succeed"}}, "succeeded", False),
        ({"data": {"task_status": "asleep", "task_status_msg": "OK"}}, "running", False),
    ],
)
def test_a_clip_in_the_wrong_place_is_no_failure(answer, phase, unread):
    """A job that was paid is not given up because its profile looks elsewhere, whatever words stand beside the links."""
    progress = Described().read_progress(answer, RemoteJob("t", "text"), PROFILES["kling"], "https://a.example")
    assert (progress.phase, progress.unread) == (Phase(phase), unread)
