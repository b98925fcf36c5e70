"""Servers that only their operator knows, from a profile in a YAML file."""

from __future__ import annotations

import asyncio
import io
import json

import httpx
import pytest
import yaml
from PIL import Image

from pipelines.providers.profile.model import Profile
from pipelines.sandbox.orders.life import Stage
from pipelines.sandbox.vendors.from_profile.answers import put, words_of

STUDIO = {
    "name": "studio",
    "title": "A studio's own server",
    "contract": "openai",
    "base_url": "https://video.example.com/v1",
    "default_model": "clay-1",
    "prompt_most": 6,
    "prompt_counted_in": "bytes",
    "fixed": {"team": "reels"},
    "paths": {"submit": "/jobs", "status": "/jobs/{id}", "list": "/jobs/all", "delete": "/jobs/{id}"},
    "id_path": "job.ref",
    "status_path": "job.state.word",
    "results": ["output.files[].href"],
    "words": {"waiting": "running", "drawing": "running", "ready": "succeeded", "broken": "failed"},
    "supports": ["list", "delete"],
    "list_parameters": {"team": "reels"},
    "callback_field": "notify",
    "timing": {"otherwise": 10, "link_lifetime_hours": 48},
    "prices": [
        {"model": "clay-1", "seconds": 6, "amount": "0.2", "per": "second", "as_of": "2026-11-01", "source": "us"},
        {"model": "*", "amount": "3", "per": "clip", "as_of": "2026-11-01", "source": "us"},
    ],
    "modes": [
        {
            "name": "text",
            "models": ["clay-1", "clay-2"],
            "model_field": "engine",
            "prompt_field": "description",
            "seconds": {"allowed": [3, 6], "default": 3, "only": {6: ["clay-1"]}, "field": "length", "suffix": "s"},
            "size": {"allowed": ["640x360"], "default": "640x360", "any_pixels": True, "field": "frame"},
            "parameters": {
                "count": {"type": "integer", "least": 1, "most": 3, "multiplies_price": True},
                "style": {"allowed": ["ink", "oil"], "models": ["clay-2"]},
                "noise": {"type": "number", "most": 1, "field": "noiseLevel"},
                "tags": {"type": "list"},
                "camera": {"type": "json"},
                "glow": {"type": "boolean", "needs": {"style": ["oil"], "tags": []}, "excludes": {"camera": []}},
            },
            "remix": {"path": "/jobs/{id}/again"},
        },
        {
            "name": "image",
            "models": ["clay-1"],
            "model_field": "engine",
            "prompt_field": "description",
            "prompt_optional": True,
            "fixed": {"kind": "i2v"},
            "orientation": {
                "values": {"landscape": "wide", "portrait": "tall"},
                "default": "landscape",
                "field": "shape",
            },
            "images": {"least": 1, "most": 2, "style": "frames", "field": "frames", "roles": ["first", "last"]},
        },
    ],
}
GALLERY = {
    "name": "gallery",
    "title": "A server with files",
    "contract": "openai",
    "base_url": "http://10.1.2.3/v1",
    "needs_key": False,
    "default_model": "m",
    "prompt_most": 100,
    "encoding": "auto",
    "results": ["content"],
    "supports": ["variants"],
    "modes": [
        {
            "name": "video",
            "models": ["m"],
            "seconds": {"least": 2, "most": 9, "default": 5, "type": "integer"},
            "size": {"allowed": ["320x192", "192x320"], "default": "320x192"},
            "images": {
                "most": 1,
                "style": "object",
                "forms": ["url", "file"],
                "field": "input_reference",
                "must_match_size": True,
            },
            "remix": {"field": "after", "only_prompt": False},
        }
    ],
}
SISTER = {
    "name": "sister",
    "title": "A service of the Ace family",
    "contract": "acedata",
    "service": "origami",
    "base_url": "https://api.example.com",
    "default_model": "fold-1",
    "prompt_most": 100,
    "fixed": {"async": True},
    "callback_field": "callback_url",
    "results": ["output[].clip.address"],
    "words": {"folding": "running", "folded": "succeeded"},
    "modes": [
        {
            "name": "fold",
            "models": ["fold-1"],
            "seconds": {"allowed": [5], "default": 5, "field": "duration", "type": "integer"},
            "remix": {"field": "video_id", "fixed": {"action": "extend"}},
        }
    ],
}
ORDER = {"description": "a boat", "engine": "clay-1", "team": "reels"}


@pytest.fixture(scope="module")
def custom(start, tmp_path_factory):
    """A sandbox with all three profiles."""
    files = []
    for profile in (STUDIO, GALLERY, SISTER):
        files.append(tmp_path_factory.mktemp("profiles") / f"{profile['name']}.yaml")
        files[-1].write_text(yaml.safe_dump(profile, sort_keys=False))
    with start(profile=tuple(files)) as client:
        yield client


def bill_of(client):
    return client.get("/_sandbox/bill").json()


def waited(client, ask, is_done):
    for _ in range(500):
        if is_done(answer := ask().json()):
            return answer
    raise AssertionError(answer)


def test_paths_names_and_words_are_those_of_the_profile(custom):
    """Orders go to its path under its names, answers nest id, word and links where it says, and links work."""
    created = custom.post("/studio/v1/jobs", json={**ORDER, "length": "6s", "frame": "320x180", "count": 2}).json()
    job = created["job"]
    assert (job["state"], "id" in created, "status" in created) == ({"word": "waiting"}, False, False)
    address = f"/studio/v1/jobs/{job['ref']}"
    done = waited(custom, lambda: custom.get(address), lambda answer: answer["job"]["state"]["word"] == "ready")
    links = [file["href"] for file in done["output"]["files"]]
    clips = [httpx.get(link, trust_env=False, verify=False).content for link in links]
    assert [clip[4:8] for clip in clips] == [b"ftyp"] * 2
    line = bill_of(custom)[-1]
    assert (line["contract"], line["service"], line["model"], line["seconds"]) == ("studio", "text", "clay-1", 6)
    assert (line["width"], line["height"], line["clips"], line["price"]) == (320, 180, 2, pytest.approx(2.4))
    assert custom.get(f"{address}/content").status_code == 404


def test_links_live_as_long_as_the_profile_says(custom):
    """48 hours, here."""
    created = custom.post("/studio/v1/jobs", json=ORDER).json()
    address = f"/studio/v1/jobs/{created['job']['ref']}"
    done = waited(custom, lambda: custom.get(address), lambda answer: "output" in answer)
    expires = int(httpx.URL(done["output"]["files"][0]["href"]).params["e"])
    assert expires == int(bill_of(custom)[-1]["created"] + bill_of(custom)[-1]["latency_s"]) + 48 * 3600


def test_the_mode_is_found_by_what_was_sent(custom):
    """An order of the other mode has other fields, and another price."""
    frames = [{"image": "https://example.com/a.png", "type": "first"}]
    order = {"engine": "clay-1", "team": "reels", "kind": "i2v", "frames": frames, "shape": "tall"}
    assert custom.post("/studio/v1/jobs", json=order).status_code == 200
    line = bill_of(custom)[-1]
    assert (line["service"], line["prompt"], line["width"] < line["height"], line["price"]) == ("image", "", True, 3.0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"team": "others"}, "team"),
        ({"team": None}, "team"),
        ({"engine": "clay-3"}, "engine"),
        ({"model": "clay-1"}, "model"),
        ({"prompt": "a"}, "prompt"),
        ({"description": "Boot äö"}, "description"),
        ({"length": 3}, "length"),
        ({"length": "3"}, "length"),
        ({"length": "4s"}, "length"),
        ({"length": "6s", "engine": "clay-2"}, "length"),
        ({"frame": "wide"}, "frame"),
        ({"count": 4}, "count"),
        ({"count": "2"}, "count"),
        ({"style": "ink"}, "style"),
        ({"style": "chalk", "engine": "clay-2"}, "style"),
        ({"noise": 0.5}, "noise"),
        ({"noiseLevel": 1.5}, "noiseLevel"),
        ({"tags": [1]}, "tags[0]"),
        ({"glow": True, "tags": ["a"]}, "glow"),
        ({"glow": True, "tags": ["a"], "style": "ink", "engine": "clay-2"}, "glow"),
        ({"glow": True, "style": "oil", "engine": "clay-2"}, "glow"),
        ({"glow": True, "tags": ["a"], "style": "oil", "engine": "clay-2", "camera": {}}, "glow"),
        ({"notify": "mailto:me"}, "notify"),
        ({"kind": "i2v"}, "frames"),
        ({"kind": "i2v", "frames": [{"image": "https://example.com/a.png"}]}, "frames[0].type"),
        ({"kind": "i2v", "frames": [{"image": "data:image/png;base64,AA==", "type": "first"}]}, "frames[0].image"),
    ],
)
def test_what_the_profile_does_not_allow_is_refused_by_name(custom, change, field):
    """Unknown names, wrong JSON types and values of another model are a 400 in OpenAI's envelope, and not billed."""
    before = len(bill_of(custom))
    answer = custom.post("/studio/v1/jobs", json={**ORDER, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["type"]) == (400, field, "invalid_request_error")
    assert len(bill_of(custom)) == before


def test_good_parameters_pass(custom):
    """All of a mode's own parameters together."""
    more = {"style": "oil", "noiseLevel": 0.25, "tags": ["a", "b"], "camera": {"pan": [1, 2]}, "engine": "clay-2"}
    assert custom.post("/studio/v1/jobs", json={**ORDER, **more}).status_code == 200
    for change in ({"glow": False}, {"glow": True, "camera": None}):
        order = {name: value for name, value in {**ORDER, **more, **change}.items() if value is not None}
        assert custom.post("/studio/v1/jobs", json=order).status_code == 200


def test_only_what_the_profile_supports_is_there(custom):
    """List with its parameters, delete, and the remix at its path; the other profile has none of the first two."""
    key = {"authorization": "Bearer collector"}
    made = custom.post("/studio/v1/jobs", json=ORDER, headers=key).json()["job"]["ref"]
    address = f"/studio/v1/jobs/{made}"
    assert custom.get("/studio/v1/jobs/all", headers=key).status_code == 400
    page = custom.get("/studio/v1/jobs/all", params={"team": "reels"}, headers=key).json()
    assert ([video["job"]["ref"] for video in page["data"]], page["last_id"]) == ([made], made)
    waited(custom, lambda: custom.get(address, headers=key), lambda answer: "output" in answer)
    remix = {"description": "again", "team": "reels"}
    assert custom.post(f"{address}/again", json=remix, headers=key).json()["error"]["param"] == "team"
    again = custom.post(f"{address}/again", json={"description": "again"}, headers=key).json()
    line = bill_of(custom)[-1]
    assert (line["id"], line["remixed_from"], line["model"]) == (again["job"]["ref"], made, "clay-1")
    assert custom.delete(address, headers=key).json()["deleted"] is True
    assert custom.get(address, headers=key).status_code == 404
    assert custom.get("/gallery/v1/videos").status_code == 404


async def test_the_end_of_a_job_is_posted_to_whom_the_order_names(custom):
    """`callback_field` is called with the object that the status query gives."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split()[1]
        )
        await arrived.put(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c"
    async with server:
        order = {**ORDER, "notify": url}
        made = await asyncio.to_thread(custom.post, "/studio/v1/jobs", json=order)
        body = json.loads(await asyncio.wait_for(arrived.get(), 10))
    assert body["job"] == {"ref": made.json()["job"]["ref"], "state": {"word": "ready"}}


def png(size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "png")
    return file.getvalue()


def test_a_file_needs_a_form_and_nothing_else_does(custom):
    """With `encoding: auto` a form must carry a file of the clip's pixels; addresses go as JSON; no key is needed."""
    order = {"model": "m", "prompt": "a", "seconds": "3", "size": "192x320"}
    address = str(custom.base_url.join("/gallery/v1/videos"))
    files = {"input_reference": ("a.png", png((192, 320)), "image/png")}
    assert httpx.post(address, data=order, files=files, trust_env=False, verify=False).status_code == 200
    wrong = {"input_reference": ("a.png", png((64, 64)), "image/png")}
    assert custom.post(address, data=order, files=wrong).json()["error"]["param"] == "input_reference"
    assert custom.post(address, files={name: (None, value) for name, value in order.items()}).status_code == 400
    typed = {**order, "seconds": 3}
    assert (
        custom.post(address, json={**typed, "input_reference": {"image_url": "https://a.b/c.png"}}).status_code == 200
    )
    for reference in ("https://a.b/c.png", {"image_url": "data:image/png;base64,AA=="}, {"file_id": "f"}):
        assert custom.post(address, json={**typed, "input_reference": reference}).status_code == 400
    assert custom.post(address, json=order).json()["error"]["param"] == "seconds"
    assert custom.post(address, json={**typed, "seconds": 10}).json()["error"]["param"] == "seconds"


def test_content_and_a_remix_by_field(custom):
    """Where results say `content`, the file is there; a remix names its source in a field of an ordinary order."""
    order = {"model": "m", "prompt": "a", "seconds": 2, "size": "320x192"}
    video = custom.post("/gallery/v1/videos", json=order).json()["id"]
    address = f"/gallery/v1/videos/{video}"
    waited(custom, lambda: custom.get(address), lambda answer: answer["status"] == "completed")
    assert custom.get(f"{address}/content").content[4:8] == b"ftyp"
    assert custom.get(f"{address}/content", params={"variant": "thumbnail"}).headers["content-type"] == "image/webp"
    remix = custom.post("/gallery/v1/videos", json={**order, "prompt": "b", "after": video})
    assert (remix.status_code, bill_of(custom)[-1]["remixed_from"]) == (200, video)
    assert custom.post("/gallery/v1/videos", json={**order, "after": "unknown"}).status_code == 404


def test_a_failed_job_uses_the_words_of_the_profile(custom):
    """A fault may name a profile as its contract; the job then ends in its word for failure."""
    rule = {"match": {"route": "submit", "contract": "studio"}, "do": {"outcome": "generation_failed"}}
    custom.post("/_sandbox/faults", json=[rule]).raise_for_status()
    try:
        made = custom.post("/studio/v1/jobs", json=ORDER).json()["job"]["ref"]
    finally:
        custom.post("/_sandbox/faults", json=[]).raise_for_status()
    ask = lambda: custom.get(f"/studio/v1/jobs/{made}")  # noqa: E731  # said twice otherwise
    done = waited(custom, ask, lambda answer: answer["job"]["state"]["word"] == "broken")
    assert done["error"]["code"] == "generation_failed"


@pytest.mark.parametrize("prefix", ["/sister/v1", "/acedata"])
def test_a_service_of_the_ace_family(custom, prefix):
    """Orders and task queries at the service's own place, results under the profile's path and words."""
    order = {"model": "fold-1", "prompt": "a crane", "duration": 5, "async": True}
    made = custom.post(f"{prefix}/origami/videos", json=order).json()["task_id"]
    done = waited(
        custom,
        lambda: custom.post(f"{prefix}/origami/tasks", json={"id": made, "action": "retrieve"}),
        lambda task: "finished_at" in task,
    )
    (item,) = done["response"]["output"]
    assert item["state"] == "folded"
    assert httpx.get(item["clip"]["address"], trust_env=False, verify=False).content[4:8] == b"ftyp"
    extended = custom.post(f"{prefix}/origami/videos", json={"prompt": "b", "video_id": made, "action": "extend"})
    assert extended.status_code == 200, extended.text
    assert bill_of(custom)[-1]["remixed_from"] == made
    for change in ({"async": False}, {"duration": "5"}, {"style": "x"}, {"model": "fold-2"}):
        assert (
            custom.post(f"{prefix}/origami/videos", json={**order, **change}).json()["error"]["code"] == "bad_request"
        )


def test_a_profile_takes_the_place_of_a_dialect_of_its_name(start, tmp_path):
    """Whoever has another idea of a known server rehearses against that."""
    files = (tmp_path / "sglang.yaml", tmp_path / "acedata-wan.yaml")
    files[0].write_text(yaml.safe_dump({**GALLERY, "name": "sglang"}))
    files[1].write_text(yaml.safe_dump({**SISTER, "name": "acedata-wan", "service": "wan"}))
    with start(profile=files) as client:
        folded = {"model": "fold-1", "prompt": "a", "duration": 5, "async": True}
        assert client.post("/acedata/wan/videos", json=folded).status_code == 200
        order = {"model": "m", "prompt": "a", "seconds": 2, "size": "320x192"}
        assert client.post("/sglang/v1/videos", json=order).status_code == 200
        assert client.get("/sglang/v1/videos").status_code == 404
        assert client.post("/vllm-omni/v1/videos", json=order).status_code == 400


@pytest.mark.parametrize("text", ["name: [", "name: lonely", "- 1"])
def test_a_file_that_is_no_profile_is_explained(start, tmp_path, text):
    """A sandbox does not start with a profile that it cannot play."""
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"wrong\.yaml"), start(profile=(file,)):
        pass


def test_words_of_a_profile_fill_every_stage():
    """A profile that names no words for a phase gets those of the contract."""
    usual = {"running": ["queued", "in_progress"], "succeeded": ["completed"], "failed": ["failed"]}
    studio = words_of(Profile.model_validate(STUDIO), usual)
    assert list(dict.fromkeys(studio.values())) == ["waiting", "drawing", "ready", "broken"]
    assert list(dict.fromkeys(words_of(Profile.model_validate(GALLERY), usual).values())) == [
        "queued", "in_progress", "completed", "failed",
    ]  # fmt: skip
    assert set(studio) == set(Stage)


@pytest.mark.parametrize(
    ("path", "values", "document"),
    [
        ("id", ["a"], {"id": "a"}),
        ("id", [], {}),
        ("job.ref", ["a"], {"job": {"ref": "a"}}),
        ("urls[]", ["a", "b"], {"urls": ["a", "b"]}),
        ("urls[]", [], {"urls": []}),
        ("out.videos[].url", ["a", "b"], {"out": {"videos": [{"url": "a"}, {"url": "b"}]}}),
        ("videos[].file.url", ["a"], {"videos": [{"file": {"url": "a"}}]}),
    ],
)
def test_a_path_becomes_an_answer(path, values, document):
    """What a client reads along a path is laid down along it."""
    found = {}
    put(found, path, values)
    assert found == document


def test_paths_that_share_their_beginning_share_it_in_the_answer():
    """The second value joins the item that the first one made."""
    document = {}
    put(document, "data[].url", ["a"])
    put(document, "data[].state", ["done"])
    assert document == {"data": [{"url": "a", "state": "done"}]}
