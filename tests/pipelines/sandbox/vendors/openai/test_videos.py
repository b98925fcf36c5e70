from __future__ import annotations

import base64
import io
import time

import httpx
import pytest
from PIL import Image

ORDER = {"prompt": "a lighthouse", "model": "sora-2", "seconds": "8", "size": "1280x720"}
KEYS = {
    "id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at", "prompt", "size",
    "seconds", "remixed_from_video_id", "error",
}  # fmt: skip


def picture(size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "png")
    return file.getvalue()


def test_a_job_goes_from_order_to_file(client, finished):
    """Create, retrieve until completed, download with the key: all keys are there at all times."""
    created = client.post("/openai/v1/videos", json=ORDER).json()
    assert (set(created), created["status"], created["seconds"]) == (KEYS, "queued", "8")
    assert (created["completed_at"], created["expires_at"], created["error"]) == (None, None, None)
    done = finished(client, f"/openai/v1/videos/{created['id']}")
    assert (set(done), done["status"], done["progress"]) == (KEYS, "completed", 100)
    assert done["expires_at"] == done["completed_at"] + 3600
    file = client.get(f"/openai/v1/videos/{created['id']}/content")
    assert (file.headers["content-type"], file.content[4:8]) == ("video/mp4", b"ftyp")


def test_content_needs_patience_and_a_key(start):
    """Before completion there is 404, and without the key nothing at any time."""
    with start(latency="60") as client:
        video = client.post("/openai/v1/videos", json=ORDER).json()["id"]
        assert client.get(f"/openai/v1/videos/{video}/content").status_code == 404
        assert httpx.get(client.base_url.join(f"/openai/v1/videos/{video}/content"), verify=False).status_code == 401


def test_content_dies_an_hour_after_completion(start, finished):
    """After `expires_at` the file is gone for good, while the job still says completed."""
    with start(link_lifetime=0.2) as client:
        video = client.post("/openai/v1/videos", json=ORDER).json()["id"]
        finished(client, f"/openai/v1/videos/{video}")
        time.sleep(0.3)
        assert client.get(f"/openai/v1/videos/{video}/content").status_code == 404
        assert client.get(f"/openai/v1/videos/{video}").json()["status"] == "completed"


def test_variants(client, finished):
    """A thumbnail is WebP, a spritesheet JPEG, anything else an error."""
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/v1/videos/{video}")
    address = f"/v1/videos/{video}/content"
    kinds = [client.get(address, params={"variant": v}).headers["content-type"] for v in ("thumbnail", "spritesheet")]
    assert kinds == ["image/webp", "image/jpeg"]
    assert client.get(address, params={"variant": "gif"}).json()["error"]["param"] == "variant"


def test_a_form_is_as_good_as_json(client, bill):
    """Multipart makes the same order, with a file of the right pixels as its first frame."""
    files = {"input_reference": ("first.png", picture((1280, 720)), "image/png")}
    answer = client.post("/v1/videos", data=ORDER, files=files)
    assert (answer.status_code, answer.json()["seconds"]) == (200, "8")
    assert bill()[-1]["prompt"] == "a lighthouse"
    bare = client.post("/v1/videos", files={name: (None, value) for name, value in ORDER.items()})
    nested = client.post(
        "/v1/videos", files={"prompt": (None, "猫"), "input_reference[image_url]": (None, "https://example.com/a.png")}
    )
    assert (bare.status_code, nested.status_code, nested.json()["prompt"]) == (200, 200, "猫")


@pytest.mark.parametrize(
    "reference",
    [
        {"image_url": "https://example.com/first.png"},
        {"file_id": "file-1"},
        {"image_url": "data:image/png;base64," + base64.b64encode(picture((1280, 720))).decode()},
    ],
)
def test_references_as_objects(client, reference):
    """JSON orders name the first frame by URL, data URL or file id."""
    assert client.post("/openai/v1/videos", json={**ORDER, "input_reference": reference}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"foo": 1}, "foo"),
        ({"duration": 8}, "duration"),
        ({"seconds": 8}, "seconds"),
        ({"seconds": "5"}, "seconds"),
        ({"size": "1024x1792"}, "size"),
        ({"size": 720}, "size"),
        ({"model": "sora-3"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"input_reference": "https://example.com/a.png"}, "input_reference"),
        ({"input_reference": {"image_url": "https://a", "file_id": "b"}}, "input_reference"),
        ({"input_reference": {"image_url": "data:image/png;base64,AAAA"}}, "input_reference.image_url"),
    ],
)
def test_what_the_contract_does_not_know_is_refused_by_name(client, bill, change, field):
    """An unknown field or a wrong value names itself in the vendor's envelope, and is not billed."""
    before = len(bill())
    answer = client.post("/openai/v1/videos", json={**ORDER, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["type"]) == (400, field, "invalid_request_error")
    assert field in error["message"]
    assert len(bill()) == before
    assert client.get("/_sandbox/requests").json()["refusals"][-1]["route"] == "POST /openai/v1/videos"


def test_a_first_frame_of_other_pixels_is_refused(client):
    """The image must have the pixels of the clip."""
    files = {"input_reference": ("first.png", picture((640, 360)), "image/png")}
    answer = client.post("/v1/videos", data=ORDER, files=files)
    assert (answer.status_code, "640x360" in answer.text) == (400, True)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, body):
    """Malformed JSON is a 400, never a crash."""
    answer = client.post("/v1/videos", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_keys(client, bill):
    """Any key will do, except none, `refused` and `broke`."""

    def codes(key):
        answer = client.post("/v1/videos", json=ORDER, headers={"authorization": key})
        return answer.status_code, answer.json().get("error", {}) and answer.json()["error"]["code"]

    before = len(bill())
    assert codes("") == (401, "invalid_api_key")
    assert codes("Bearer refused") == (401, "invalid_api_key")
    assert codes("Bearer broke") == (429, "insufficient_quota")
    assert len(bill()) == before
    assert codes("Bearer x")[0] == 200


def test_an_id_answers_only_to_its_own_account(client):
    """Another key's video is not found."""
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    other = client.get(f"/v1/videos/{video}", headers={"authorization": "Bearer other"})
    assert other.status_code == 404


def test_pages_follow_each_other(client):
    """A list gives each video of the account once, newest first, page by page."""
    key = {"authorization": "Bearer lister"}
    ids = [client.post("/openai/v1/videos", json=ORDER, headers=key).json()["id"] for _ in range(5)]
    seen, after = [], {}
    while True:
        page = client.get("/openai/v1/videos", params={"limit": 2, **after}, headers=key).json()
        seen += [video["id"] for video in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert seen == ids[::-1]


def test_deleted_is_gone_but_still_billed(client, bill, finished):
    """A finished video can be deleted; its line stays on the bill."""
    video = client.post("/openai/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/openai/v1/videos/{video}")
    assert client.delete(f"/openai/v1/videos/{video}").json()["deleted"] is True
    assert client.get(f"/openai/v1/videos/{video}").status_code == 404
    assert bill()[-1]["id"] == video


def test_a_remix_is_a_purchase_of_its_own(client, bill, finished):
    """A remix inherits all but the prompt, names its source, and is billed."""
    source = client.post("/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/v1/videos/{source}")
    remix = client.post(f"/v1/videos/{source}/remix", json={"prompt": "at night"}).json()
    assert (remix["remixed_from_video_id"], remix["seconds"], remix["size"]) == (source, "8", "1280x720")
    assert bill()[-1]["id"] == remix["id"] != source
    refused = client.post(f"/v1/videos/{source}/remix", json={"prompt": "x", "seconds": "4"})
    assert refused.json()["error"]["param"] == "seconds"


def test_an_unfinished_job_cannot_be_remixed_or_deleted(start):
    """Both need something finished."""
    with start(latency="60") as client:
        video = client.post("/v1/videos", json=ORDER).json()["id"]
        assert client.post(f"/v1/videos/{video}/remix", json={"prompt": "x"}).status_code == 400
        assert client.delete(f"/v1/videos/{video}").status_code == 400


def test_links_name_the_host_that_the_client_reached(client, finished):
    """Addresses in answers follow the Host header of the question."""
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/v1/videos/{video}")
    answer = client.get(f"/v1/videos/{video}", headers={"host": "sandbox.test:99"}).json()
    assert answer["task_result"]["videos"][0]["url"].startswith("http://sandbox.test:99/files/")


def test_unknown_addresses_are_refused_in_the_contracts_own_words(client):
    """A path that no contract has is 404 in the envelope of its prefix."""
    assert client.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert client.patch("/v1/videos").status_code == 404
    assert client.get("/nothing").json()["error"]["code"] == "no_api"
