"""The vendor's own Python package, unchanged, as a client of the sandbox: what it cannot do here, no client can."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import openai
import pytest
from PIL import Image

pytestmark = pytest.mark.filterwarnings(
    # the vendor closed its service; what others serve in its words lives on
    "ignore:The Sora API is scheduled to permanently shut down:DeprecationWarning"
)


def png(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "png")
    return file.getvalue()


@pytest.fixture
def sdk(client: httpx.Client) -> Iterator[openai.OpenAI]:
    base_url = str(client.base_url.join("/openai/v1"))
    http_client = openai.DefaultHttpxClient(trust_env=False, verify=False)
    with openai.OpenAI(api_key="the-sdk", base_url=base_url, max_retries=0, http_client=http_client) as sdk:
        yield sdk


def test_text_becomes_a_file(sdk):
    """An order from a text is created, waited for with the package's own helper, retrieved and downloaded."""
    video = sdk.videos.create(model="sora-2", prompt="a lighthouse", seconds="8", size="1280x720")
    assert (video.status, video.seconds, video.error) == ("queued", "8", None)
    done = sdk.videos.create_and_poll(model="sora-2", prompt="a lighthouse at night")
    assert (done.status, done.progress) == ("completed", 100)
    assert sdk.videos.retrieve(done.id) == done
    assert sdk.videos.download_content(done.id).read()[4:8] == b"ftyp"


def test_an_image_file_is_the_first_frame(sdk, bill):
    """A file of the right pixels is taken; one of other pixels is a bad request that costs nothing."""
    order = {"prompt": "it moves", "size": "720x1280"}
    assert sdk.videos.create(**order, input_reference=("first.png", png((720, 1280)), "image/png")).status == "queued"
    before = len(bill())
    with pytest.raises(openai.BadRequestError, match="640x360"):
        sdk.videos.create(**order, input_reference=("first.png", png((640, 360)), "image/png"))
    assert len(bill()) == before


def test_a_reference_object_survives_the_form(sdk):
    """The package sends every order as a form, an object in it too, one part for each of its fields."""
    reference = {"input_reference": {"image_url": "https://example.com/first.png"}}
    assert sdk.videos.create(prompt="it moves", extra_body=reference).status == "queued"


def test_a_remix_names_its_source(sdk):
    """A finished video can be remixed."""
    source = sdk.videos.create_and_poll(prompt="a lighthouse")
    assert sdk.videos.remix(source.id, prompt="at night").remixed_from_video_id == source.id


def test_every_variant_can_be_had(sdk):
    """Video, thumbnail and spritesheet are what they should be."""
    video = sdk.videos.create_and_poll(prompt="a lighthouse")
    starts = {"video": (4, b"ftyp"), "thumbnail": (8, b"WEBP"), "spritesheet": (0, b"\xff\xd8")}
    for variant, (place, mark) in starts.items():
        content = sdk.videos.download_content(video.id, variant=variant).read()
        assert content[place : place + len(mark)] == mark


def test_a_list_goes_over_its_pages_by_itself(sdk):
    """Iterating gives every video once, newest first, whatever the size of a page; deleted ones are not among them."""
    lister = sdk.with_options(api_key="the-lister")
    ids = [lister.videos.create(prompt=f"number {number}").id for number in range(5)]
    assert [video.id for video in lister.videos.list(limit=2)] == ids[::-1]
    assert [video.id for video in lister.videos.list(limit=2, order="asc")] == ids
    lister.videos.poll(ids[2])
    assert lister.videos.delete(ids[2]).deleted is True
    assert [video.id for video in lister.videos.list(limit=2)] == [ids[4], ids[3], ids[1], ids[0]]


def test_refusals_are_the_packages_own_errors(sdk, faults):
    """Wrong values, unknown ids, wrong keys and haste come as the errors that the package has for them."""
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.videos.create(prompt="a", seconds="5")
    assert (refused.value.param, refused.value.type) == ("seconds", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        sdk.videos.retrieve("video_unknown")
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="refused").videos.create(prompt="a")
    faults({"match": {"route": "submit"}, "do": {"status": 429, "retry_after": 1}})
    with pytest.raises(openai.RateLimitError) as slow:
        sdk.videos.create(prompt="a")
    assert slow.value.request_id is not None
    assert slow.value.request_id.startswith("req_")


def test_a_failed_job_says_why(sdk, faults):
    """The helper comes back with a failed job, and its error is read."""
    faults({"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}})
    video = sdk.videos.create_and_poll(prompt="a")
    assert (video.status, video.error.code) == ("failed", "moderation_blocked")


def test_a_redirected_download_arrives_without_the_key(sdk, client, faults):
    """The package follows a redirect to another host, and leaves the key behind."""
    video = sdk.videos.create_and_poll(prompt="a")
    faults({"match": {"route": "download"}, "do": {"file": "redirect"}})
    assert sdk.videos.download_content(video.id).read()[4:8] == b"ftyp"
    assert not any(video.id in path for path in client.get("/_sandbox/requests").json()["leaks"])
