from __future__ import annotations

import av
import httpx
import pytest

IMAGE = "https://example.com/first.png"
ORDERS = {
    "veo": {"action": "text2video", "prompt": "a lighthouse"},
    "kling": {"action": "text2video", "prompt": "a lighthouse"},
    "luma": {"prompt": "a lighthouse", "start_image_url": IMAGE},
    "wan": {"action": "text2video", "model": "wan2.6-t2v", "prompt": "a lighthouse"},
    "hailuo": {"action": "generate", "model": "minimax-i2v", "prompt": "a lighthouse", "first_image_url": IMAGE},
    "seedance": {
        "model": "doubao-seedance-2-0-260128",
        "content": [{"type": "text", "text": "a lighthouse"}],
        "return_last_frame": True,
    },
    "happyhorse": {"prompt": "a lighthouse"},
    "maestro": {"prompt": "a lighthouse", "duration": 2},
}
TEXT = {"type": "text", "text": "a lighthouse"}
SEEDANCE = ORDERS["seedance"]
KLING_3 = {**ORDERS["kling"], "model": "kling-v3"}
KLING_OMNI = {**KLING_3, "model": "kling-v3-omni", "image_list": [{"image_url": IMAGE}]}
#: Where each service has the word and the address of a finished clip, and its word for success.
PLACES = {
    "veo": (("data", 0), "state", "video_url", "succeeded"),
    "kling": ((), "state", "video_url", "succeed"),
    "luma": ((), "state", "video_url", "completed"),
    "wan": ((), "state", "video_url", "completed"),
    "hailuo": (("data", 0), "state", "video_url", "succeeded"),
    "seedance": (("data", 0), "status", ("content", "video_url"), "succeeded"),
    "happyhorse": (("data", 0), "state", "video_url", "succeeded"),
}


def at(document, *path):
    for step in path:
        document = document[step]
    return document


def measured(url):
    with av.open(url) as file:
        video = file.streams.video[0]
        return video.width, video.height, file.duration / 1_000_000


@pytest.fixture
def made(client, finished_task):
    def make(service, **change):
        order = {**ORDERS[service], **change} | ({} if service == "maestro" else {"async": True})
        answer = client.post(f"/{service}/videos", json=order)
        assert answer.status_code == 200, answer.text
        return finished_task(client, answer.json()["task_id"], service)

    return make


@pytest.mark.parametrize("service", PLACES)
def test_each_service_has_a_result_of_its_own_shape(made, service):
    """The word and the address stand where that service's specification has them, and the address is the clip."""
    place, word, url, done = PLACES[service]
    response = made(service)["response"]
    result = at(response, *place)
    assert (response["success"], result[word]) == (True, done)
    address = result[url] if isinstance(url, str) else at(result, *url)
    assert httpx.get(address, verify=False).content[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("service", "change", "expected"),
    [
        ("veo", {}, (1280, 720, 8)),
        ("veo", {"aspect_ratio": "9:16", "resolution": "1080p"}, (1080, 1920, 8)),
        ("kling", {}, (1280, 720, 5)),
        ("kling", {"mode": "pro", "aspect_ratio": "1:1", "duration": 10}, (1080, 1080, 10)),
        ("kling", {"model": "kling-v3", "mode": "4k", "duration": 3}, (3840, 2160, 3)),
        ("luma", {"aspect_ratio": "21:9"}, (1680, 720, 5)),
        ("wan", {"resolution": "480P", "duration": 5}, (854, 480, 5)),
        ("wan", {"size": "832*480"}, (832, 480, 5)),
        ("hailuo", {}, (1280, 720, 6)),
        ("seedance", {"ratio": "3:4", "resolution": "480p", "duration": 4}, (480, 640, 4)),
        (
            "seedance",
            {"ratio": "adaptive", "frames": 49, "duration": 10},
            (1280, 720, pytest.approx(49 / 24, abs=1e-3)),
        ),
        ("happyhorse", {"resolution": "720P", "ratio": "4:3", "duration": 3}, (960, 720, 3)),
        ("happyhorse", {}, (1920, 1080, 5)),
    ],
)
def test_a_clip_has_the_shape_fineness_and_length_of_its_order(client, bill, service, change, expected):
    """Ratio and fineness become pixels; a service without a length makes its usual one; frames win over seconds."""
    client.post(f"/{service}/videos", json={**ORDERS[service], **change, "async": True})
    line = bill()[-1]
    assert (line["width"], line["height"], line["seconds"]) == expected


def test_addresses_that_are_not_the_clips_stand_before_it(made):
    """Whoever takes the first `*_url` gets a thumbnail, a last frame or the image that was sent (trap T11)."""

    def addresses(node):
        if isinstance(node, list):
            return [found for item in node for found in addresses(item)]
        pairs = node.items() if isinstance(node, dict) else ()
        here = [value for name, value in pairs if name.endswith("_url") and isinstance(value, str)]
        return here + [found for _, value in pairs if isinstance(value, dict | list) for found in addresses(value)]

    luma = made("luma")["response"]
    assert httpx.get(luma["thumbnail_url"], verify=False).headers["content-type"] == "image/jpeg"
    seedance = made("seedance")["response"]
    assert httpx.get(seedance["data"][0]["content"]["last_frame_url"], verify=False).content[:2] == b"\xff\xd8"
    hailuo = made("hailuo")["response"]
    echoed = {"luma": addresses(luma)[0], "hailuo": addresses(hailuo)[0]}
    assert echoed == {"luma": IMAGE, "hailuo": IMAGE}
    assert addresses(seedance)[0] == seedance["data"][0]["content"]["last_frame_url"]


def test_what_else_the_results_say(made):
    """Kling's length is text, luma measures, veo dates in words, seedance counts tokens and happyhorse repeats."""
    kling, luma, veo = (made(service)["response"] for service in ("kling", "luma", "veo"))
    assert (kling["duration"], kling["video_id"].isdigit()) == ("5.041", True)
    assert (luma["video_width"], luma["video_height"]) == (1280, 720)
    assert veo["data"][0]["complete_at"] >= veo["data"][0]["created_at"]
    assert made("seedance")["response"]["data"][0]["usage"] == {"completion_tokens": 108_000, "total_tokens": 108_000}
    assert made("happyhorse")["response"]["data"][0]["resolution"] == "1080P"


def test_the_vendors_own_tests_show_other_results(start, finished_task):
    """With one option kling's and hailuo's words, kling's length and seedance's `data` are those of the fixtures [A5]."""
    with start(ace_shapes="fixture") as client:
        results = {}
        for service in ("kling", "hailuo", "seedance", "veo"):
            identifier = client.post(f"/{service}/videos", json={**ORDERS[service], "async": True}).json()["task_id"]
            results[service] = finished_task(client, identifier, service)["response"]
    assert (results["kling"]["state"], results["kling"]["duration"]) == ("completed", 5)
    assert results["hailuo"]["data"][0]["status"] == "completed"
    assert results["seedance"]["data"]["content"]["video_url"].startswith("http")
    assert results["veo"]["data"][0]["state"] == "succeeded"


@pytest.mark.parametrize(
    ("service", "order", "named"),
    [
        ("veo", {"prompt": "a"}, "action"),
        ("veo", {**ORDERS["veo"], "duration": 8}, "duration"),
        ("veo", {**ORDERS["veo"], "aspect_ratio": "1:1"}, "aspect_ratio"),
        ("veo", {**ORDERS["veo"], "resolution": "720p"}, "resolution"),
        ("veo", {**ORDERS["veo"], "model": "veo31-fast-ingredient"}, "model"),
        ("veo", {**ORDERS["veo"], "translation": "true"}, "translation"),
        ("veo", {"action": "image2video", "prompt": "a"}, "image_urls"),
        ("veo", {"action": "image2video", "image_urls": [1]}, "image_urls[0]"),
        ("veo", {"action": "get1080p"}, "video_id"),
        ("veo", {"action": "get1080p", "video_id": "unknown"}, "video_id"),
        ("kling", {"prompt": "a"}, "action"),
        ("kling", {**ORDERS["kling"], "duration": "5"}, "duration"),
        ("kling", {**ORDERS["kling"], "duration": 3}, "duration"),
        ("kling", {**KLING_3, "duration": 16}, "duration"),
        ("kling", {**ORDERS["kling"], "model": "kling-o1", "duration": 10}, "duration"),
        ("kling", {**ORDERS["kling"], "model": "kling-o1", "cfg_scale": 0.5}, "cfg_scale"),
        ("kling", {**ORDERS["kling"], "mode": "4k"}, "mode"),
        ("kling", {**ORDERS["kling"], "cfg_scale": 2}, "cfg_scale"),
        ("kling", {**ORDERS["kling"], "cfg_scale": "0.5"}, "cfg_scale"),
        ("kling", {**ORDERS["kling"], "negative_prompt": "x" * 201}, "negative_prompt"),
        ("kling", {**ORDERS["kling"], "generate_audio": True}, "model"),
        ("kling", {**ORDERS["kling"], "model": "kling-v2-6", "generate_audio": True}, "mode"),
        ("kling", {**ORDERS["kling"], "image_list": [{"image_url": IMAGE}]}, "model"),
        ("kling", {**KLING_3, "model": "kling-v3-omni", "image_list": [{"url": IMAGE}]}, "image_list[0].url"),
        ("kling", {**KLING_OMNI, "image_list": [{}]}, "image_list[0].image_url"),
        ("kling", {**KLING_OMNI, "video_list": [{}]}, "video_list[0].video_url"),
        ("kling", {**KLING_OMNI, "mode": "4k"}, "mode"),
        ("kling", {**KLING_OMNI, "cfg_scale": 0.5}, "cfg_scale"),
        ("kling", {**KLING_OMNI, "video_list": [{"video_url": IMAGE}], "generate_audio": True}, "generate_audio"),
        ("kling", {**ORDERS["kling"], "end_image_url": IMAGE}, "end_image_url"),
        ("kling", {"action": "image2video", "prompt": "a"}, "start_image_url"),
        ("kling", {"action": "extend", "video_id": "1", "model": "kling-v3"}, "model"),
        ("kling", {"action": "extend", "video_id": "1"}, "video_id"),
        ("luma", {}, "prompt"),
        ("luma", {"prompt": "a", "aspect_ratio": "wide"}, "aspect_ratio"),
        ("luma", {"prompt": "a", "loop": 1}, "loop"),
        ("luma", {"prompt": "a", "duration": 5}, "duration"),
        ("luma", {"action": "extend", "prompt": "a"}, "video_id"),
        ("wan", {"action": "text2video", "prompt": "a"}, "model"),
        ("wan", {**ORDERS["wan"], "duration": 8}, "duration"),
        ("wan", {**ORDERS["wan"], "resolution": "720p"}, "resolution"),
        ("wan", {**ORDERS["wan"], "model": "wan2.6-i2v", "action": "image2video"}, "image_url"),
        ("wan", {**ORDERS["wan"], "model": "wan2.6-r2v"}, "reference_video_urls"),
        ("wan", {**ORDERS["wan"], "action": "image2video"}, "action"),
        ("wan", {**ORDERS["wan"], "shot_type": "both"}, "shot_type"),
        ("hailuo", {"prompt": "a"}, "action"),
        ("hailuo", {"action": "generate"}, "prompt"),
        ("hailuo", {"action": "generate", "model": "minimax-i2v"}, "first_image_url"),
        ("hailuo", {"action": "generate", "prompt": "a", "duration": 6}, "duration"),
        ("seedance", {"model": SEEDANCE["model"]}, "content"),
        ("seedance", {**SEEDANCE, "content": []}, "content"),
        ("seedance", {**SEEDANCE, "content": ["a"]}, "content[0]"),
        ("seedance", {**SEEDANCE, "content": [{"type": "text"}]}, "content[0].text"),
        (
            "seedance",
            {**SEEDANCE, "content": [TEXT, {"type": "image_url", "image_url": IMAGE}]},
            "content[1].image_url",
        ),
        (
            "seedance",
            {**SEEDANCE, "content": [{"type": "image_url", "image_url": {"url": IMAGE}, "role": "reference_audio"}]},
            "content[0].role",
        ),
        ("seedance", {**SEEDANCE, "prompt": "a"}, "prompt"),
        ("seedance", {**SEEDANCE, "frames": 30}, "frames"),
        ("seedance", {**SEEDANCE, "seed": 4_294_967_296}, "seed"),
        ("seedance", {**SEEDANCE, "ratio": "9:21"}, "ratio"),
        ("seedance", {**SEEDANCE, "watermark": "false"}, "watermark"),
        ("happyhorse", {}, "prompt"),
        ("happyhorse", {"prompt": "a", "duration": 2}, "duration"),
        ("happyhorse", {"prompt": "a", "resolution": "480P"}, "resolution"),
        ("happyhorse", {"prompt": "a", "action": "image_to_video"}, "image_url"),
        ("happyhorse", {"prompt": "a", "action": "video_edit"}, "video_url"),
        ("happyhorse", {"prompt": "a", "seed": -1}, "seed"),
        ("maestro", {"duration": 30}, "prompt"),
        ("maestro", {"prompt": "a", "async": True}, "async"),
        ("maestro", {"prompt": "a", "duration": 601}, "duration"),
        ("maestro", {"prompt": "a", "aspect": "4:3"}, "aspect"),
        ("maestro", {"prompt": "a", "quality": "pro"}, "quality"),
        ("maestro", {"prompt": "a", "langs": [1]}, "langs[0]"),
        ("maestro", {"prompt": "a", "action": "remix"}, "ref_task_id"),
        ("maestro", {"prompt": "a", "action": "remix", "ref_task_id": "unknown"}, "ref_task_id"),
    ],
)
def test_what_a_service_does_not_take_is_refused_by_name(client, bill, service, order, named):
    """Unknown fields, wrong JSON types and values outside the lists are 400 `bad_request`, by name and unbilled."""
    before = len(bill())
    answer = client.post(f"/{service}/videos", json=order)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_request")
    assert f"'{named}'" in error["message"]
    assert len(bill()) == before


@pytest.mark.parametrize(
    ("service", "order"),
    [
        ("veo", {"action": "image2video", "prompt": "a", "image_urls": [IMAGE], "model": "veo31", "resolution": "4k"}),
        ("veo", {"action": "ingredients2video", "image_urls": [IMAGE, IMAGE], "model": "veo31-fast-ingredients"}),
        ("veo", {**ORDERS["veo"], "resolution": "gif", "translation": True}),
        ("kling", {**KLING_3, "duration": 3, "generate_audio": True, "negative_prompt": "rain", "cfg_scale": 1}),
        ("kling", {"action": "image2video", "prompt": "a", "start_image_url": IMAGE, "end_image_url": IMAGE}),
        ("kling", {**ORDERS["kling"], "camera_control": {"type": "simple", "config": {"pan": 0.5}}}),
        (
            "kling",
            {
                **ORDERS["kling"],
                "model": "kling-o1",
                "image_list": [{"image_url": IMAGE, "type": "first_frame"}],
                "video_list": [{"video_url": IMAGE, "refer_type": "feature", "keep_original_sound": "no"}],
            },
        ),
        ("luma", {"end_image_url": IMAGE, "loop": True, "enhancement": False, "aspect_ratio": "9:21"}),
        ("luma", {"action": "extend", "video_url": IMAGE, "prompt": "on it goes"}),
        ("wan", {**ORDERS["wan"], "duration": 15, "audio": True, "shot_type": "multi", "prompt_extend": True}),
        ("wan", {"action": "image2video", "model": "wan2.6-i2v-flash", "prompt": "a", "image_url": IMAGE}),
        ("wan", {**ORDERS["wan"], "model": "wan2.6-r2v", "reference_video_urls": [IMAGE]}),
        ("hailuo", {"action": "generate", "prompt": "a"}),
        ("hailuo", {"action": "generate", "model": "minimax-i2v-director", "first_image_url": IMAGE}),
        (
            "seedance",
            {
                **SEEDANCE,
                "content": [
                    TEXT,
                    {"type": "image_url", "image_url": {"url": IMAGE}, "role": "first_frame"},
                    {"type": "audio_url", "audio_url": {"url": IMAGE}, "role": "reference_audio"},
                    {"type": "video_url", "video_url": {"url": IMAGE}, "role": "reference_video"},
                ],
                "seed": -1,
                "camerafixed": True,
                "execution_expires_after": 172_800,
            },
        ),
        ("happyhorse", {"action": "image_to_video", "image_url": IMAGE, "seed": 7, "ratio": "3:4"}),
        (
            "happyhorse",
            {"action": "video_edit", "prompt": "a", "video_url": IMAGE, "model": "happyhorse-1.0-video-edit"},
        ),
        ("maestro", {"prompt": "a", "file_urls": [IMAGE], "langs": ["en"], "scenario": "drama", "style": "neon"}),
    ],
)
def test_each_service_takes_what_it_documents(client, service, order):
    """Documented parameters are accepted, with the prefix and without."""
    order = order if service == "maestro" else {**order, "async": True}
    assert client.post(f"/acedata/{service}/videos", json=order).status_code == 200
    assert client.post(f"/{service}/videos", json=order).status_code == 200


@pytest.mark.parametrize(
    ("service", "identity", "order"),
    [
        ("kling", ("video_id",), {"action": "extend", "prompt": "on it goes"}),
        ("luma", ("video_id",), {"action": "extend", "prompt": "on it goes"}),
        ("veo", ("data", 0, "id"), {"action": "get1080p"}),
    ],
)
def test_a_clip_can_be_made_from_an_earlier_one(client, made, finished_task, bill, service, identity, order):
    """The id in a result opens the way to another clip of it, for the account that owns it alone."""
    source = made(service, aspect_ratio="9:16")
    again = {**order, "video_id": at(source["response"], *identity), "async": True}
    stranger = client.post(f"/{service}/videos", json=again, headers={"authorization": "Bearer other"})
    assert (stranger.status_code, "video_id" in stranger.text) == (400, True)
    task = finished_task(client, client.post(f"/{service}/videos", json=again).json()["task_id"], service)
    line = bill()[-1]
    assert (line["remixed_from"], line["id"]) == (source["id"], task["id"])
    larger = (1080, 1920) if service == "veo" else (720, 1280)
    assert (line["width"], line["height"]) == larger


def test_an_unfinished_clip_cannot_be_extended(start):
    """What is not there yet is refused as what never was."""
    with start(latency="60") as client:
        task = client.post("/maestro/videos", json=ORDERS["maestro"]).json()["task_id"]
        answer = client.post("/maestro/videos", json={"prompt": "b", "action": "edit", "ref_task_id": task})
        assert (answer.status_code, "ref_task_id" in answer.text) == (400, True)


def test_maestro_answers_at_once_and_shows_its_stages(start, later):
    """It knows no `async`; its task has a word for each stage, and nothing under `response` until it is done."""
    words = {}
    with start(latency="0.5") as client:
        answer = client.post("/maestro/videos", json={**ORDERS["maestro"], "langs": ["zh-cn", "en"]}).json()
        assert set(answer) == {"success", "task_id", "trace_id"}
        while "finished_at" not in (task := client.post("/maestro/tasks", json={"id": answer["task_id"]}).json()):
            words[task["status"]] = task["response"]
            later(0.01)
    assert list(words) == ["pending", "scripting", "generating", "rendering", "captioning", "qc"]
    assert set(words.values()) == {None}
    assert task["status"] == "succeeded"
    assert [variant["lang"] for variant in task["response"]["data"]["variants"]] == ["zh-cn", "en"]


def test_maestros_variants_are_films_of_their_own(made):
    """Each language has a file, and the cover and the captions are something else."""
    task = made("maestro", langs=["zh-cn", "en"], aspect="1:1")
    variants = task["response"]["data"]["variants"]
    films = [httpx.get(variant["output_url"], verify=False).content for variant in variants]
    assert all(film[4:8] == b"ftyp" for film in films)
    assert films[0] != films[1]
    assert measured(variants[0]["output_url"]) == (720, 720, 2)
    kinds = [
        httpx.get(variants[0][name], verify=False).headers["content-type"] for name in ("cover_url", "captions_url")
    ]
    assert kinds == ["image/jpeg", "application/x-subrip"]
    assert httpx.get(variants[1]["output_url"].replace("/2.mp4", "/3.mp4"), verify=False).status_code == 403


def test_maestro_goes_on_from_a_finished_film(made, bill):
    """`remix`, `edit` and `extend` name the task of a finished film."""
    first = made("maestro")
    made("maestro", action="remix", ref_task_id=first["id"])
    assert bill()[-1]["remixed_from"] == first["id"]


@pytest.mark.parametrize("service", ["sora", *ORDERS])
def test_many_tasks_of_any_service_are_asked_about_at_once(client, service):
    """A batch query leaves out the ids of other accounts, of other services, and of nobody."""
    order = {"prompt": "a", "async": True} if service == "sora" else {**ORDERS[service], "async": True}
    order = ORDERS[service] if service == "maestro" else order
    elsewhere = "wan" if service == "veo" else "veo"
    own = client.post(f"/{service}/videos", json=order).json()["task_id"]
    foreign = client.post(f"/{service}/videos", json=order, headers={"authorization": "Bearer other"}).json()["task_id"]
    other = client.post(f"/{elsewhere}/videos", json={**ORDERS[elsewhere], "async": True}).json()["task_id"]
    ids = [own, foreign, other, "unknown"]
    answer = client.post(f"/{service}/tasks", json={"ids": ids, "action": "retrieve_batch"}).json()
    assert (answer["count"], [item["id"] for item in answer["items"]]) == (1, [own])
    for identifier in ids[1:]:
        lost = client.post(f"/{service}/tasks", json={"id": identifier, "action": "retrieve"})
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "task_not_found")


def test_a_held_order_may_be_let_go_after_a_while(start):
    """Where a service has `timeout`, a held order falls back to a task id when that is over."""
    with start(latency="60") as client:
        answer = client.post("/luma/videos", json={"prompt": "a", "timeout": 1})
        assert set(answer.json()) == {"task_id"}


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        ("veo", {}),
        ("kling", {"state": "failed"}),
        ("happyhorse", {"state": "error"}),
        ("seedance", {"status": "failed"}),
    ],
)
def test_a_failure_in_the_words_of_the_service(client, faults, finished_task, service, shown):
    """Each says `success: false` with a coded error; some show their own word for it as well."""
    faults({"match": {"route": "submit"}, "do": {"outcome": "generation_failed"}})
    identifier = client.post(f"/{service}/videos", json={**ORDERS[service], "async": True}).json()["task_id"]
    response = finished_task(client, identifier, service)["response"]
    assert (response["success"], response["error"]["code"]) == (False, "api_error")
    result = response.get("data", [response])[0]
    assert {name: result.get(name) for name in shown} == shown
    assert "video_url" not in str(response)


@pytest.mark.parametrize(
    ("service", "change", "price"),
    [
        ("veo", {}, 0.3),
        ("kling", {"duration": 10}, 0.4),
        ("maestro", {"duration": 30}, 30 * 0.85 * 0.095215),
        ("maestro", {"duration": 30, "quality": "premium", "scenario": "drama"}, 30 * 0.85 * 2 * 1.35 * 0.095215),
        ("maestro", {"duration": 10, "quality": "draft", "langs": ["en", "fr"]}, (10 * 0.85 * 0.5 + 6) * 0.095215),
    ],
)
def test_prices(client, bill, service, change, price):
    """Maestro is paid by seconds, quality, scenario and further languages, in credits; the others by the second."""
    client.post(
        f"/{service}/videos", json={**ORDERS[service], **change} | ({} if service == "maestro" else {"async": True})
    )
    assert bill()[-1]["price"] == pytest.approx(price, abs=1e-5)
