from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

ORDER = {"model": "sora-2", "prompt": "一只橘色的猫", "seconds": "4", "size": "1280x720"}


def test_a_job_shows_the_vendors_shape(start, finished):
    """States come in order, keys come and go as in the samples, and the link ends exactly seven days after."""
    with start(latency="0.6") as client:
        created = client.post("/qiniu/v1/videos", json=ORDER).json()
        assert re.fullmatch(r"qvideo-\w+-\d{19}", created["id"])
        assert set(created) == {"id", "object", "model", "status", "created_at", "updated_at", "seconds", "size"}
        seen = {created["status"]: created}
        while (answer := client.get(f"/qiniu/v1/videos/{created['id']}").json())["status"] != "completed":
            seen[answer["status"]] = answer
            time.sleep(0.01)
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
    assert httpx.get(url).content[4:8] == b"ftyp"
    assert httpx.get(url.replace("token=", "token=0")).status_code == 403
    assert httpx.get(re.sub(r"e=\d+", "e=9999999999", url)).status_code == 403
    assert httpx.get(url.partition("?")[0]).status_code == 403


def test_an_expired_link_is_replaced_by_the_next_query(start, finished):
    """A link dies at its `e`; the job then answers with a fresh one."""
    with start(link_lifetime=1.0) as client:
        video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
        old = finished(client, f"/qiniu/v1/videos/{video}")["task_result"]["videos"][0]["url"]
        until = time.monotonic() + 5
        while httpx.get(old).status_code == 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert httpx.get(old).json()["error"]["code"] == "expired_token"
        fresh = client.get(f"/qiniu/v1/videos/{video}").json()["task_result"]["videos"][0]["url"]
        assert httpx.get(fresh).status_code == 200


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
