from __future__ import annotations

import base64
import io
import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

IMAGE = "https://example.com/a.png"
ORDER = {"model": "sora-2", "prompt": "一只橘色的猫", "seconds": "4", "size": "1280x720"}


def test_a_job_shows_the_vendors_shape(start, later):
    """States come in order, keys come and go as in the samples, and the link ends exactly seven days after."""
    with start(latency="0.6") as client:
        created = client.post("/qiniu/v1/videos", json=ORDER).json()
        assert re.fullmatch(r"qvideo-\w+-\d{19}", created["id"])
        assert set(created) == {"id", "object", "model", "status", "created_at", "updated_at", "seconds", "size"}
        seen = {created["status"]: created}
        while (answer := client.get(f"/qiniu/v1/videos/{created['id']}").json())["status"] != "completed":
            seen[answer["status"]] = answer
            later(0.01)
    assert list(seen) == ["initializing", "queued", "in_progress", "downloading", "uploading"]
    assert "seconds" not in seen["in_progress"]
    (video,) = answer["task_result"]["videos"]
    query = parse_qs(urlsplit(video["url"]).query)
    assert video["duration"] == "4"
    assert int(query["e"][0]) - answer["completed_at"] == 604_800


def test_the_link_needs_no_key_and_no_other_works(client, finished):
    """Whoever has the link has the file; a link that was changed opens nothing."""
    video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
    url = finished(client, f"/qiniu/v1/videos/{video}")["task_result"]["videos"][0]["url"]
    assert httpx.get(url, verify=False).content[4:8] == b"ftyp"
    assert httpx.get(url.replace("token=", "token=0"), verify=False).status_code == 403
    assert httpx.get(re.sub(r"e=\d+", "e=9999999999", url), verify=False).status_code == 403
    assert httpx.get(url.partition("?")[0], verify=False).status_code == 403


def test_an_expired_link_is_replaced_by_the_next_query(start, finished):
    """A link dies at its `e`; the job then answers with a fresh one."""
    with start(link_lifetime=1.0) as client:
        video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
        old = finished(client, f"/qiniu/v1/videos/{video}")["task_result"]["videos"][0]["url"]
        until = time.monotonic() + 60
        while httpx.get(old, verify=False).status_code == 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert httpx.get(old, verify=False).json()["error"]["code"] == "expired_token"
        fresh = client.get(f"/qiniu/v1/videos/{video}").json()["task_result"]["videos"][0]["url"]
        assert httpx.get(fresh, verify=False).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seconds": 4}, "seconds"),
        ({"size": "1024x1792"}, "size"),
        ({"model": "sora-2-pro"}, "model"),
        ({"input_reference": "data:image/png;base64,AAAA"}, "input_reference"),
        ({"input_reference": {"image_url": "https://example.com/a.png"}}, "input_reference"),
        ({"prompt": "x" * 2_501}, "prompt"),
        ({"callback_url": "https://example.com"}, "callback_url"),
    ],
)
def test_it_is_stricter_than_openai(client, bill, change, field):
    """What Qiniu's page does not list is refused by name and not billed."""
    before = len(bill())
    answer = client.post("/qiniu/v1/videos", json={**ORDER, **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert len(bill()) == before


def test_a_reference_is_a_bare_url(client):
    """The first frame is a public address, as a string."""
    order = {**ORDER, "input_reference": "https://example.com/a.png"}
    assert client.post("/qiniu/v1/videos", json=order).status_code == 200


def test_it_has_neither_forms_nor_content_nor_lists(client, finished):
    """Multipart, `/content`, list and delete belong to OpenAI alone."""
    assert client.post("/qiniu/v1/videos", files={n: (None, v) for n, v in ORDER.items()}).status_code == 400
    video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/qiniu/v1/videos/{video}")
    assert client.get(f"/qiniu/v1/videos/{video}/content").status_code == 404
    assert client.get("/qiniu/v1/videos").status_code == 404
    assert client.delete(f"/qiniu/v1/videos/{video}").status_code == 404


def test_without_balance_nothing_is_sold(client):
    """The key `broke` has no balance, but may look at what it has."""
    key = {"authorization": "Bearer broke"}
    assert client.post("/qiniu/v1/videos", json=ORDER, headers=key).status_code == 402
    assert client.get("/qiniu/v1/videos/any", headers=key).status_code == 404


def raw_picture():
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("order", "pixels"),
    [
        ({"model": "kling-video-o1", "image_list": [{"image": IMAGE, "type": "first_frame"}]}, (1280, 720)),
        (
            {
                "model": "kling-video-o1",
                "video_list": [{"video_url": IMAGE, "refer_type": "base", "keep_original_sound": "yes"}],
            },
            (1280, 720),
        ),
        ({"model": "kling-v2-1", "input_reference": IMAGE, "image_tail": IMAGE, "mode": "pro"}, (1280, 720)),
        ({"model": "kling-v2-5-turbo", "seconds": "10", "size": "1920x1080", "cfg_scale": 0.5}, (1920, 1080)),
        ({"model": "kling-v2-6", "sound": "on", "negative_prompt": "blur", "size": "1080x1080"}, (1080, 1080)),
        ({"model": "kling-v2-6", "input_reference": raw_picture()}, (1280, 720)),
        ({"model": "kling-v3", "seconds": "15", "sound": "off", "watermark_info": {"enabled": False}}, (1280, 720)),
        (
            {
                "model": "kling-v3-omni",
                "seconds": "3",
                "multi_shot": True,
                "shot_type": "customize",
                "multi_prompt": [{"index": 1, "prompt": "first", "duration": "3"}],
                "image_list": [{"image": raw_picture()}],
            },
            (1280, 720),
        ),
    ],
)
def test_kling_takes_its_own_fields(client, bill, order, pixels):
    """Each Kling model is sold with its own fields, lengths and images, raw Base64 among them."""
    answer = client.post("/qiniu/v1/videos", json={"prompt": "一只橘色的猫", **order})
    assert answer.status_code == 200, answer.text
    line = bill()[-1]
    assert (line["model"], line["seconds"]) == (order["model"], int(order.get("seconds", "5")))
    assert (line["width"], line["height"]) == pixels


@pytest.mark.parametrize(
    ("model", "change", "field"),
    [
        ("kling-v2-1", {}, "input_reference"),  # no text-to-video
        ("kling-v2-5-turbo", {"image_tail": IMAGE}, "image_tail"),
        ("kling-v2-5-turbo", {"sound": "on"}, "sound"),
        ("kling-v2-5-turbo", {"image_list": []}, "image_list"),
        ("kling-v2-5-turbo", {"seconds": "8"}, "seconds"),
        ("kling-v2-5-turbo", {"seconds": 5}, "seconds"),
        ("kling-v2-5-turbo", {"duration": 5}, "duration"),
        ("kling-v2-6", {"mode": "4k"}, "mode"),
        ("kling-v2-6", {"size": "2048x1080"}, "size"),
        ("kling-v2-6", {"size": "1200x1200"}, "size"),
        ("kling-v2-6", {"cfg_scale": 1.5}, "cfg_scale"),
        ("kling-v2-6", {"cfg_scale": "0.5"}, "cfg_scale"),
        ("kling-v2-6", {"input_reference": f"data:image/png;base64,{raw_picture()}"}, "input_reference"),
        ("kling-v2-6", {"input_reference": "bm8gaW1hZ2U="}, "input_reference"),
        ("kling-v2-6", {"multi_shot": True}, "multi_shot"),
        ("kling-v3", {"seconds": "16"}, "seconds"),
        ("kling-v3", {"image_list": [{"image": IMAGE}]}, "image_list"),
        ("kling-v3", {"multi_shot": "true"}, "multi_shot"),
        ("kling-v3", {"shot_type": "intelligent"}, "shot_type"),
        ("kling-v3-omni", {"multi_shot": True, "multi_prompt": [{"prompt": "x"}]}, "multi_prompt[0].index"),
        ("kling-video-o1", {"input_reference": IMAGE}, "input_reference"),
        ("kling-video-o1", {"image_list": [{"image": IMAGE, "type": "middle"}]}, "image_list[0].type"),
        ("kling-video-o1", {"image_list": [IMAGE]}, "image_list[0]"),
        ("kling-video-o1", {"video_list": [{"refer_type": "base"}]}, "video_list[0].video_url"),
        ("sora-2", {"mode": "pro"}, "mode"),
        ("sora-2", {"input_reference": raw_picture()}, "input_reference"),
    ],
)
def test_what_a_model_does_not_take_is_refused_by_name(client, bill, model, change, field):
    """A field of another model is unknown, and a wrong value names itself down to its place in a list."""
    before = len(bill())
    answer = client.post("/qiniu/v1/videos", json={"model": model, "prompt": "a", **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert len(bill()) == before


def test_a_model_that_is_not_enabled_says_so(client):
    """An unknown model is refused in the words that clients know."""
    answer = client.post("/qiniu/v1/videos", json={"model": "kling-v9", "prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "no available channels for model kling-v9")


def test_a_job_can_end_cancelled(client, faults, finished, bill):
    """The eighth state: cancelled, with the time of its end, no link and no charge."""
    faults({"match": {"route": "submit", "contract": "qiniu"}, "do": {"outcome": "cancelled"}})
    video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
    answer = finished(client, f"/qiniu/v1/videos/{video}")
    assert (answer["status"], "task_result" in answer) == ("cancelled", False)
    assert "completed_at" in answer
    assert not bill()[-1]["charged"]


def test_only_what_is_completed_can_be_remixed(start, faults, client, finished):
    """A remix needs a source that ended well, and inherits all but the prompt."""
    with start(latency="60") as slow:
        running = slow.post("/qiniu/v1/videos", json=ORDER).json()["id"]
        assert slow.post(f"/qiniu/v1/videos/{running}/remix", json={"prompt": "x"}).status_code == 400
    faults({"match": {"route": "submit", "nth": [1]}, "do": {"outcome": "generation_failed"}})
    failed, done = (client.post("/qiniu/v1/videos", json=ORDER).json()["id"] for _ in range(2))
    for video in (failed, done):
        finished(client, f"/qiniu/v1/videos/{video}")
    assert client.post(f"/qiniu/v1/videos/{failed}/remix", json={"prompt": "x"}).status_code == 400
    remix = client.post(f"/qiniu/v1/videos/{done}/remix", json={"prompt": "at night"}).json()
    assert (remix["remixed_from_video_id"], remix["seconds"], remix["size"]) == (done, "4", "1280x720")


def test_every_answer_names_its_request(client):
    """Good answers and refusals carry the request's id under both names that clients look for."""
    for answer in (client.post("/qiniu/v1/videos", json=ORDER), client.get("/qiniu/v1/videos/unknown")):
        assert answer.headers["x-qiniu-request-id"] == answer.headers["x-request-id"]
