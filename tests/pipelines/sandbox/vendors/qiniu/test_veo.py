from __future__ import annotations

import base64
import io
import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

PATH = "/qiniu/v1/videos/generations"
ORDER = {"model": "veo-3.0-generate-preview", "instances": [{"prompt": "a lighthouse"}]}
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{9})?\+08:00")


def picture():
    file = io.BytesIO()
    Image.new("RGB", (64, 36)).save(file, "png")
    return {"bytesBase64Encoded": base64.b64encode(file.getvalue()).decode(), "mimeType": "image/png"}


def ordered(**parameters):
    return {**ORDER, "parameters": parameters}


@pytest.fixture
def ended():
    def wait(client, identifier):
        until = time.monotonic() + 60
        while (answer := client.get(f"{PATH}/{identifier}").json())["status"] not in ("Completed", "Failed"):
            assert time.monotonic() < until, answer
            time.sleep(0.01)
        return answer

    return wait


def test_a_job_goes_from_a_bare_id_to_its_clips(start, later):
    """An order is answered by its id alone; the words are capitalised, and dates have the offset of China."""
    with start(latency="0.5") as client:
        created = client.post(PATH, json=ORDER).json()
        assert set(created) == {"id"}
        assert re.fullmatch(r"chatvideo-\d{19}-\w+", created["id"])
        seen = {}
        while (answer := client.get(f"{PATH}/{created['id']}").json())["status"] != "Completed":
            seen[answer["status"]] = answer
            later(0.02)
    assert list(seen) == ["Pending", "Running"]
    assert "data" not in seen["Running"]
    assert DATE.fullmatch(answer["created_at"])
    assert DATE.fullmatch(answer["updated_at"])[1]
    assert (answer["model"], answer["message"]) == (ORDER["model"], "完成")
    (video,) = answer["data"]["videos"]
    assert (video["mimeType"], answer["data"]["raiMediaFilteredCount"]) == ("video/mp4", 0)


def test_its_links_live_for_fourteen_days(client, ended, bill):
    """The link ends two weeks after completion, needs no key, and opens nothing when it was changed."""
    answer = ended(client, client.post(PATH, json=ORDER).json()["id"])
    url = answer["data"]["videos"][0]["url"]
    line = bill()[-1]
    assert int(parse_qs(urlsplit(url).query)["e"][0]) - int(line["created"] + line["latency_s"]) == 14 * 86_400
    assert httpx.get(url, verify=False).content[4:8] == b"ftyp"
    assert httpx.get(url.replace("token=", "token=0"), verify=False).status_code == 403


def test_one_order_may_make_several_clips(client, ended, bill):
    """`sampleCount` clips come of it, each of its own; one price covers them all."""
    identifier = client.post(PATH, json=ordered(sampleCount=3, durationSeconds=4)).json()["id"]
    videos = ended(client, identifier)["data"]["videos"]
    films = [httpx.get(video["url"], verify=False).content for video in videos]
    assert (len(films), len(set(films))) == (3, 3)
    assert bill()[-1]["price"] == pytest.approx(0.4 * 4 * 3)
    assert httpx.get(videos[2]["url"].replace("/3.mp4", "/4.mp4"), verify=False).status_code == 403


@pytest.mark.parametrize(
    ("parameters", "pixels", "seconds"),
    [
        ({}, (1280, 720), 8),
        ({"aspectRatio": "9:16", "durationSeconds": 4}, (720, 1280), 4),
        ({"resolution": "1080p", "durationSeconds": 6}, (1920, 1080), 6),
    ],
)
def test_a_clip_is_as_ordered(client, bill, parameters, pixels, seconds):
    """Ratio, resolution and length are those of the order, or the vendor's defaults."""
    client.post(PATH, json=ordered(**parameters))
    line = bill()[-1]
    assert ((line["width"], line["height"]), line["seconds"]) == (pixels, seconds)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"model": ORDER["model"]}, "instances"),
        ({**ORDER, "prompt": "a"}, "prompt"),
        ({**ORDER, "instances": []}, "instances"),
        ({**ORDER, "instances": ORDER["instances"] * 2}, "instances"),
        ({**ORDER, "instances": [{}]}, "instances[0].prompt"),
        ({**ORDER, "instances": [{"prompt": "a", "image": "https://example.com/a.png"}]}, "instances[0].image"),
        (
            {**ORDER, "instances": [{"prompt": "a", "image": {**picture(), "bytesBase64Encoded": "AAAA"}}]},
            "instances[0].image.bytesBase64Encoded",
        ),
        (
            {**ORDER, "instances": [{"prompt": "a", "image": {**picture(), "mimeType": "image/gif"}}]},
            "instances[0].image.mimeType",
        ),
        ({**ORDER, "instances": [{"prompt": "a", "lastFrame": picture()}]}, "instances[0].lastFrame"),
        (ordered(durationSeconds="8"), "parameters.durationSeconds"),
        (ordered(durationSeconds=5), "parameters.durationSeconds"),
        (ordered(sampleCount=5), "parameters.sampleCount"),
        (ordered(aspectRatio="1:1"), "parameters.aspectRatio"),
        (ordered(aspect_ratio="16:9"), "parameters.aspect_ratio"),
        (ordered(generateAudio="true"), "parameters.generateAudio"),
        (ordered(resolution="4k"), "parameters.resolution"),
        (ordered(personGeneration="everybody"), "parameters.personGeneration"),
        ({**ORDER, "callback_url": "ftp://127.0.0.1"}, "callback_url"),
        ({**ORDER, "model": "sora-2"}, "model"),
    ],
)
def test_what_the_protocol_does_not_know_is_refused_by_name(client, bill, order, named):
    """Fields of other protocols, wrong types and values are 400 with the path of the field, and unbilled."""
    before = len(bill())
    answer = client.post(PATH, json=order)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, named)
    assert len(bill()) == before


def test_all_that_is_documented_is_taken(client):
    """An order may say everything at once, images included."""
    parameters = {
        "aspectRatio": "16:9",
        "durationSeconds": 8,
        "sampleCount": 1,
        "seed": 42,
        "negativePrompt": "blurry",
        "personGeneration": "dont_allow",
        "generateAudio": True,
        "resolution": "720p",
    }
    instance = {"prompt": "a", "image": picture(), "lastFrame": picture()}
    assert client.post(PATH, json={**ordered(**parameters), "instances": [instance]}).status_code == 200


def test_the_protocols_of_one_host_do_not_know_each_others_ids(client, ended):
    """An id answers only where it was given, and only to its account (trap T26)."""
    veo = client.post(PATH, json=ORDER).json()["id"]
    sora = client.post("/qiniu/v1/videos", json={"model": "sora-2", "prompt": "a"}).json()["id"]
    assert client.get(f"/qiniu/v1/videos/{veo}").status_code == 404
    assert client.get(f"{PATH}/{sora}").status_code == 404
    assert client.get(f"{PATH}/{veo}", headers={"authorization": "Bearer other"}).status_code == 404
    assert client.get(f"/qiniu/v1/videos/{sora}").status_code == 200
    ended(client, veo)


def test_an_unknown_word_stands_in_for_an_unfinished_state(start):
    """The words of unfinished jobs are not documented: any may come."""
    with start(latency="60") as client:
        identifier = client.post(PATH, json=ORDER).json()["id"]
        client.post("/_sandbox/faults", json=[{"match": {"route": "status"}, "do": {"word": "Queueing"}}])
        assert client.get(f"{PATH}/{identifier}").json()["status"] == "Queueing"


def test_a_failure_says_so(client, faults, ended, bill):
    """A failed job has a message and no data; when the filters took all clips it is completed without any."""
    faults({"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}})
    failed = ended(client, client.post(PATH, json=ORDER).json()["id"])
    assert (failed["status"], "data" in failed, "safety" in failed["message"]) == ("Failed", False, True)
    faults({"match": {"route": "submit"}, "do": {"outcome": "no_videos"}})
    filtered = ended(client, client.post(PATH, json=ordered(sampleCount=2)).json()["id"])
    assert (filtered["status"], filtered["data"]) == ("Completed", {"videos": [], "raiMediaFilteredCount": 2})
    assert not bill()[-1]["charged"]


async def test_the_callback_is_the_answer_to_a_query(calling):
    """At its end the job posts what a query would say, and again after a 5xx, but three times at most."""
    async with calling(500, 500, 500) as (client, receiver):
        identifier = (await client.post(PATH, json={**ORDER, "callback_url": receiver.url})).json()["id"]
        bodies = [(await receiver.next())[1] for _ in range(3)]
        answer = (await client.get(f"{PATH}/{identifier}")).json()
        counts = {}
        while "given up" not in counts:
            counts = (await client.get("/_sandbox/requests")).json()["callbacks"]
    assert bodies == [answer] * 3
    assert counts == {"answered 500": 3, "given up": 1}


async def test_a_callback_that_is_refused_does_not_come_again(calling):
    """A 4xx ends it."""
    async with calling(410, do={"callback": "twice"}) as (client, receiver):
        await client.post(PATH, json={**ORDER, "callback_url": receiver.url})
        for _ in range(2):  # the second copy is the fault's, not a further try
            await receiver.next()
        counts = {}
        while "answered 204" not in counts:
            counts = (await client.get("/_sandbox/requests")).json()["callbacks"]
    assert counts == {"answered 410": 1, "answered 204": 1}
