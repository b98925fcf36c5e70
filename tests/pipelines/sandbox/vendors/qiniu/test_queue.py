from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

QUEUE = "/qiniu/queue"
IMAGE = "https://example.com/first.png"
KLING = "fal-ai/kling-video/v2.5-turbo/pro/text-to-video"
KLING_3 = "fal-ai/kling-video/v3/pro/image-to-video"
VIDU_SUBJECTS = "fal-ai/vidu/q2/reference-to-video"
SEEDANCE_REFERENCES = "bytedance/seedance-2.0/reference-to-video"
VIDU = "fal-ai/vidu/q3/text-to-video/pro"
SEEDANCE = "bytedance/seedance-2.0/fast/text-to-video"
VEO = "fal-ai/veo3.1/fast/image-to-video"
PROMPT = {"prompt": "a lighthouse"}
VIDU_ORDER = {**PROMPT, "aspect_ratio": "16:9", "bgm": False}


@pytest.fixture
def submitted(client):
    def submit(model, order):
        answer = client.post(f"{QUEUE}/{model}", json=order)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return submit


@pytest.fixture
def ended():
    def wait(client, job):
        until = time.monotonic() + 60
        while (answer := client.get(job["status_url"])).status_code == 202:
            assert time.monotonic() < until, answer.text
            time.sleep(0.01)
        return answer.json()

    return wait


def test_a_request_goes_from_the_queue_to_its_result(start, later):
    """The answer says where to ask; 202 until it is over, then 200 with the result, which has an address of its own."""
    with start(latency="0.6") as client:
        job = client.post(f"{QUEUE}/{KLING}", json=PROMPT).json()
        assert set(job) == {"status", "request_id", "response_url", "status_url", "cancel_url"}
        assert (job["status"], job["cancel_url"]) == ("IN_QUEUE", "")
        assert re.fullmatch(r"qvideo-root-\d{19}", job["request_id"])
        early = client.get(job["response_url"])
        assert (early.status_code, isinstance(early.json()["detail"], str)) == (400, True)
        seen = {}
        while (answer := client.get(job["status_url"])).status_code == 202:
            seen[answer.json()["status"]] = answer.json()
            later(0.02)
        result = client.get(job["response_url"]).json()
        size = len(client.get(result["video"]["url"]).content)
    assert list(seen) == ["IN_QUEUE", "IN_PROGRESS"]
    assert seen["IN_QUEUE"]["queue_position"] >= 0
    assert (seen["IN_QUEUE"]["logs"], set(seen["IN_PROGRESS"]["logs"][0])) == (
        [],
        {"message", "level", "source", "timestamp"},
    )
    done = answer.json()
    assert (done["status"], done["detail"]) == ("COMPLETED", None)
    assert (done["result"], done["metrics"]["inference_time"]) == (result, pytest.approx(0.6))
    assert set(result["video"]) == {"url", "content_type", "file_name", "file_size"}
    assert (result["video"]["content_type"], result["video"]["file_size"]) == ("video/mp4", size)


@pytest.mark.parametrize(
    ("model", "order", "family"),
    [
        (KLING, PROMPT, "fal-ai/kling-video"),
        (VIDU, VIDU_ORDER, "fal-ai/vidu"),
        (SEEDANCE, PROMPT, "bytedance/seedance-2.0/fast"),
        ("bytedance/seedance-2.0/text-to-video", PROMPT, "bytedance/seedance-2.0"),
        (VEO, {**PROMPT, "image_url": IMAGE}, "fal-ai/veo3.1"),
    ],
)
def test_the_addresses_of_a_request_cannot_be_guessed(client, submitted, model, order, family):
    """They go on from the family of the model: from its own path nothing leads there, nor from another family's."""
    job = submitted(model, order)
    identifier = job["request_id"]
    assert urlsplit(job["status_url"]).path == f"{QUEUE}/{family}/requests/{identifier}/status"
    assert urlsplit(job["response_url"]).path == f"{QUEUE}/{family}/requests/{identifier}"
    assert client.get(f"{QUEUE}/{model}/requests/{identifier}/status").status_code == 404
    elsewhere = "fal-ai/vidu" if family != "fal-ai/vidu" else "fal-ai/veo3.1"
    assert client.get(f"{QUEUE}/{elsewhere}/requests/{identifier}/status").status_code == 404
    assert client.get(job["status_url"], headers={"authorization": "Bearer other"}).status_code == 404
    assert client.get(f"/qiniu/v1/videos/{identifier}").status_code == 404


@pytest.mark.parametrize(
    ("model", "order", "expected"),
    [
        (KLING, PROMPT, (1920, 1080, 5)),
        (KLING.replace("/pro/", "/standard/"), {**PROMPT, "duration": "10", "aspect_ratio": "1:1"}, (720, 720, 10)),
        (VIDU, {**VIDU_ORDER, "resolution": "560p", "aspect_ratio": "9:16", "duration": 3}, (560, 996, 3)),
        (SEEDANCE, {**PROMPT, "resolution": "480p", "duration": "4", "aspect_ratio": "21:9"}, (1120, 480, 4)),
        (SEEDANCE, PROMPT, (1280, 720, 5)),
        (VEO, {**PROMPT, "image_url": IMAGE, "duration": "6s", "resolution": "1080p"}, (1920, 1080, 6)),
        ("fal-ai/kling-video/o1/image-to-video", {**PROMPT, "start_image_url": IMAGE}, (1920, 1080, 5)),
    ],
)
def test_a_clip_is_as_ordered(submitted, bill, model, order, expected):
    """Fineness comes from a field or from the mode in the path; lengths are text or numbers, by family."""
    submitted(model, order)
    line = bill()[-1]
    assert (line["width"], line["height"], line["seconds"]) == expected


def test_its_links_live_for_seven_days_and_need_no_key(client, submitted, ended, bill):
    """As those of the first protocol."""
    url = ended(client, submitted(KLING, PROMPT))["result"]["video"]["url"]
    line = bill()[-1]
    assert int(parse_qs(urlsplit(url).query)["e"][0]) - int(line["created"] + line["latency_s"]) == 7 * 86_400
    assert httpx.get(url, verify=False).content[4:8] == b"ftyp"


def test_seedance_tells_its_seed(client, submitted, ended):
    """Beside the video."""
    assert isinstance(ended(client, submitted(SEEDANCE, PROMPT))["result"]["seed"], int)
    assert set(ended(client, submitted(KLING, PROMPT))["result"]) == {"video"}


@pytest.mark.parametrize(
    ("model", "order", "named"),
    [
        (KLING, {}, "prompt"),
        (KLING, {**PROMPT, "duration": 5}, "duration"),
        (KLING, {**PROMPT, "duration": "8"}, "duration"),
        (KLING, {**PROMPT, "image_url": IMAGE}, "image_url"),
        (KLING, {**PROMPT, "aspect_ratio": "4:3"}, "aspect_ratio"),
        (KLING, {**PROMPT, "cfg_scale": 1.5}, "cfg_scale"),
        (KLING, {**PROMPT, "seed": 1}, "seed"),
        (KLING, {**PROMPT, "model": "kling-v2-5-turbo"}, "model"),
        (KLING.replace("text", "image"), PROMPT, "image_url"),
        (KLING.replace("text", "image"), {**PROMPT, "image_url": "first.png"}, "image_url"),
        (KLING.replace("text", "image"), {**PROMPT, "start_image_url": IMAGE}, "start_image_url"),
        ("fal-ai/kling-video/v2.6/pro/image-to-video", {**PROMPT, "image_url": IMAGE}, "image_url"),
        ("fal-ai/kling-video/v3/4k/text-to-video", {**PROMPT, "multi_prompt": [{}]}, "multi_prompt"),
        ("fal-ai/kling-video/o3/pro/reference-to-video", PROMPT, "image_urls"),
        (VIDU, {**PROMPT, "aspect_ratio": "16:9"}, "bgm"),
        (VIDU, {**PROMPT, "bgm": True}, "aspect_ratio"),
        (VIDU, {**VIDU_ORDER, "duration": "5"}, "duration"),
        (VIDU, {**VIDU_ORDER, "duration": 17}, "duration"),
        (VIDU, {**VIDU_ORDER, "resolution": "540p"}, "resolution"),
        ("fal-ai/vidu/q1/text-to-video", {**VIDU_ORDER, "aspect_ratio": "4:3"}, "aspect_ratio"),
        ("fal-ai/vidu/q2/image-to-video/pro", {"image_url": IMAGE}, "end_image_url"),
        ("fal-ai/vidu/q3/image-to-video/pro", {"image_url": IMAGE, "bgm": True}, "bgm"),
        (
            "fal-ai/vidu/q3/reference-to-video",
            {**VIDU_ORDER, "reference_image_urls": [IMAGE], "duration": 2},
            "duration",
        ),
        ("fal-ai/vidu/q2/reference-to-video", VIDU_ORDER, "reference_image_urls"),
        (
            "fal-ai/vidu/q2/reference-to-video",
            {**VIDU_ORDER, "reference_image_urls": [IMAGE] * 8},
            "reference_image_urls",
        ),
        ("fal-ai/vidu/q2/reference-to-video", {**VIDU_ORDER, "reference_image_urls": [1]}, "reference_image_urls[0]"),
        (VIDU_SUBJECTS, {**VIDU_ORDER, "subjects": [{"id": "host", "images": [1]}]}, "subjects[0].images[0]"),
        (VIDU_SUBJECTS, {**VIDU_ORDER, "subjects": [{"id": "host", "images": ["host"]}]}, "subjects[0].images[0]"),
        (KLING_3, {"start_image_url": IMAGE, "shot_type": "customize", "multi_prompt": [None]}, "multi_prompt[0]"),
        (KLING_3, {"start_image_url": IMAGE, "elements": [None]}, "elements[0]"),
        (KLING_3, {"start_image_url": IMAGE, "elements": []}, "elements"),
        (KLING_3, {"start_image_url": "https://"}, "start_image_url"),
        (KLING.replace("text", "image"), {**PROMPT, "image_url": "data:image/png;base64,AAAA"}, "image_url"),
        ("fal-ai/kling-video/o3/pro/reference-to-video", {**PROMPT, "video_list": ["fox"]}, "video_list[0]"),
        (SEEDANCE_REFERENCES, {**PROMPT, "image_urls": [IMAGE], "audio_urls": [None]}, "audio_urls[0]"),
        (SEEDANCE, {**PROMPT, "duration": 5}, "duration"),
        (SEEDANCE, {**PROMPT, "duration": "3"}, "duration"),
        (SEEDANCE, {**PROMPT, "resolution": "1080p"}, "resolution"),
        (SEEDANCE, {**PROMPT, "generate_audio": "true"}, "generate_audio"),
        (SEEDANCE, {"prompt": "x" * 2_501}, "prompt"),
        (VEO, {**PROMPT, "image_url": IMAGE, "duration": "8"}, "duration"),
        (VEO.replace("image", "first-last-frame"), {**PROMPT, "first_frame_url": IMAGE}, "last_frame_url"),
        ("fal-ai/sora/text-to-video", PROMPT, "model"),
        (KLING, {**PROMPT, "callback_url": "nowhere"}, "fal_webhook"),
    ],
)
def test_what_a_model_does_not_take_is_refused_in_the_words_of_the_queue(client, bill, model, order, named):
    """A 400 has `detail` with the place and the message, and nothing is billed."""
    before = len(bill())
    answer = client.post(f"{QUEUE}/{model}", json=order)
    assert (answer.status_code, answer.json()["detail"]["loc"]) == (400, ["body", named])
    assert len(bill()) == before


@pytest.mark.parametrize(
    ("model", "order"),
    [
        (KLING, {**PROMPT, "duration": "10", "negative_prompt": "blur", "cfg_scale": 0.5, "aspect_ratio": "9:16"}),
        (KLING.replace("text", "image"), {**PROMPT, "image_url": IMAGE, "tail_image_url": IMAGE}),
        (
            "fal-ai/kling-video/v2.6/standard/image-to-video",
            {**PROMPT, "start_image_url": IMAGE, "generate_audio": True},
        ),
        ("fal-ai/kling-video/v3/pro/image-to-video", {"start_image_url": IMAGE, "multi_prompt": None}),
        ("fal-ai/kling-video/o3/4k/text-to-video", {**PROMPT, "shot_type": "customize", "multi_prompt": [{}]}),
        ("fal-ai/kling-video/o3/pro/reference-to-video", {**PROMPT, "image_urls": [IMAGE], "duration": "10"}),
        (VIDU, {**VIDU_ORDER, "duration": 16, "movement_amplitude": "large", "seed": 42}),
        ("fal-ai/vidu/q1/text-to-video", {**VIDU_ORDER, "style": "anime"}),
        ("fal-ai/vidu/q2/text-to-video", {**VIDU_ORDER, "duration": 5, "resolution": "1080p"}),
        ("fal-ai/vidu/q2/image-to-video/pro", {"image_url": IMAGE, "end_image_url": IMAGE}),
        ("fal-ai/vidu/q3/image-to-video/turbo", {**PROMPT, "image_url": IMAGE, "audio": False, "duration": 16}),
        ("fal-ai/vidu/q3/reference-to-video", {**PROMPT, "aspect_ratio": "16:9", "reference_image_urls": [IMAGE]}),
        (
            "fal-ai/vidu/q2/reference-to-video",
            {**VIDU_ORDER, "subjects": [{"id": "host", "images": [IMAGE], "voice_id": ""}], "audio": True},
        ),
        (
            "bytedance/seedance-2.0/image-to-video",
            {**PROMPT, "image_url": IMAGE, "end_image_url": IMAGE, "duration": "8"},
        ),
        ("bytedance/seedance-2.0/reference-to-video", {**PROMPT, "image_urls": [IMAGE], "audio_urls": [IMAGE]}),
        (VEO, {**PROMPT, "image_url": IMAGE, "safety_tolerance": "4", "auto_fix": False, "aspect_ratio": "auto"}),
    ],
)
def test_each_model_takes_what_the_cookbook_sends(client, model, order):
    """All samples of the vendor's cookbook are accepted."""
    assert client.post(f"{QUEUE}/{model}", json=order).status_code == 200


def test_a_failure_is_completed_too(client, faults, submitted, ended, bill):
    """The status says COMPLETED with the reason in `detail`; the result is an error with the same reason."""
    faults({"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}})
    job = submitted(KLING, PROMPT)
    status, response = ended(client, job), client.get(job["response_url"])
    assert (status["status"], "result" in status) == ("COMPLETED", False)
    assert (response.status_code, response.json()["detail"]) == (422, status["detail"])
    assert "moderation" in status["detail"]["msg"]
    assert not bill()[-1]["charged"]


@pytest.mark.parametrize("status", [422, 200])
def test_only_the_address_of_the_result_may_tell_how_it_ended(client, faults, submitted, ended, status):
    """By two faults the status says no more than COMPLETED, and a failure is told where the file would be, at 422 or 200."""
    job = submitted(KLING, PROMPT)
    faults(
        {"match": {"route": "submit"}, "do": {"outcome": "generation_failed"}},
        {"match": {"route": "status", "contract": "qiniu"}, "do": {"quiet": True, "failure_status": status}},
    )
    failed = submitted(KLING, PROMPT)
    for request in (job, failed):
        silent = ended(client, request)
        assert (silent["status"], {"result", "detail"} & set(silent)) == ("COMPLETED", set())
    assert client.get(job["response_url"]).json()["video"]["url"].startswith("http")
    told = client.get(failed["response_url"])
    assert (told.status_code, set(told.json()), told.json()["detail"]["type"]) == (status, {"detail"}, "unknown_error")


def test_nothing_may_come_of_it(client, faults, submitted, ended):
    """Completed may mean that there is no video."""
    faults({"match": {"route": "submit"}, "do": {"outcome": "no_videos"}})
    assert ended(client, submitted(KLING, PROMPT))["result"] == {"video": None}


def test_an_unknown_word_stands_in_for_an_unfinished_state(start):
    """Any word may be shown while a request is under way."""
    with start(latency="60") as client:
        job = client.post(f"{QUEUE}/{KLING}", json=PROMPT).json()
        client.post("/_sandbox/faults", json=[{"match": {"route": "status"}, "do": {"word": "PAUSED"}}])
        answer = client.get(job["status_url"])
        assert (answer.status_code, answer.json()["status"]) == (202, "PAUSED")


def test_what_the_gateway_refuses_has_its_own_envelope(client, faults, submitted):
    """Keys, balances and faults are answered as on the other protocols, unless a fault asks for the queue's words."""
    job = submitted(KLING, PROMPT)
    faults({"match": {"route": "status"}, "do": {"status": 502}})
    assert set(client.get(job["status_url"]).json()) == {"error"}
    assert client.post(f"{QUEUE}/{KLING}", json=PROMPT, headers={"authorization": ""}).status_code == 401
    assert client.post(f"{QUEUE}/{KLING}", json=PROMPT, headers={"authorization": "Bearer broke"}).status_code == 402
    faults({"match": {"route": "submit"}, "do": {"status": 429, "form": "detail", "message": "Slow down."}})
    assert client.post(f"{QUEUE}/{KLING}", json=PROMPT).json()["detail"]["msg"] == "Slow down."


async def test_the_webhook_comes_when_it_starts_and_when_it_ends(calling):
    """First IN_PROGRESS with nothing, then OK with the video; the address in the query beats that in the body."""
    async with calling(latency="0.3") as (client, receiver):
        order = {**PROMPT, "callback_url": f"{receiver.url}-not"}
        answer = await client.post(f"{QUEUE}/{KLING}", params={"fal_webhook": receiver.url}, json=order)
        (head, first, _), (_, last, _) = [await receiver.next() for _ in range(2)]
        result = (await client.get(answer.json()["response_url"])).json()
    identity = {"request_id": answer.json()["request_id"], "gateway_request_id": answer.json()["request_id"]}
    assert head.startswith(b"POST /c/token HTTP/1.1")
    assert first == {**identity, "status": "IN_PROGRESS", "payload": None}
    video = {name: result["video"][name] for name in ("url", "content_type")}
    assert last == {**identity, "status": "OK", "payload": {"video": video}}


async def test_the_webhook_of_a_failure(calling):
    """ERROR comes with a text and the detail; a body without the query names the address as well."""
    async with calling() as (client, receiver):
        rules = [{"match": {"route": "submit"}, "do": {"outcome": "generation_failed"}}]
        (await client.post("/_sandbox/faults", json=rules)).raise_for_status()
        await client.post(f"{QUEUE}/{KLING}", json={**PROMPT, "callback_url": receiver.url})
        _, last, _ = [await receiver.next() for _ in range(2)][1]
    assert (last["status"], last["error"]) == ("ERROR", last["payload"]["detail"]["msg"])


async def test_a_webhook_that_nobody_takes_is_tried_four_times(calling):
    """Three more tries follow the first, after a 4xx too."""
    async with calling(*[404] * 20) as (client, receiver):
        await client.post(f"{QUEUE}/{KLING}", params={"fal_webhook": receiver.url}, json=PROMPT)
        counts = {}
        while counts.get("given up") != 2:
            counts = (await client.get("/_sandbox/requests")).json()["callbacks"]
    assert counts == {"answered 404": 8, "given up": 2}
