"""What the servers of `/v1/videos` do differently, seen from outside."""

from __future__ import annotations

import base64
import io
from urllib.parse import quote

import av
import httpx
import pytest
from PIL import Image

SORA = {"prompt": "a lighthouse", "model": "sora-2", "seconds": "8", "size": "1280x720"}
WAN = {"prompt": "a lighthouse", "model": "Wan-AI/Wan2.2-T2V-A14B-Diffusers", "seconds": "2", "size": "320x192"}
ORDERS = {
    "litellm": {"json": SORA},
    "new-api": {"json": SORA},
    "sglang": {"json": {**WAN, "seconds": 2}},
    "vllm-omni": {"files": {name: (None, value) for name, value in WAN.items()}},
}
ALL = list(ORDERS)


@pytest.fixture(scope="module")
def slow(start):
    """A sandbox where nothing is ever finished."""
    with start(latency="600") as client:
        yield client


def png(size=(64, 64)):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "png")
    return file.getvalue()


def form(**fields):
    return {"files": {name: value if isinstance(value, tuple) else (None, value) for name, value in fields.items()}}


def ordered(client, name, **order):
    answer = client.post(f"/{name}/v1/videos", **(order or ORDERS[name]))
    assert answer.status_code == 200, answer.text
    return answer.json()


def place(name, created):
    return f"/{name}/v1/videos/{quote(created['id'], safe='')}"


def walked(client, places, later):
    """Every word that each job says until it is finished, each once, as the clock of the sandbox goes on."""
    words = {name: [] for name in places}
    for _ in range(100):
        later(0.02)
        for name, address in places.items():
            word = client.get(address).json()["status"]
            words[name] += [word] if words[name][-1:] != [word] else []
    return words


def said(answer):
    """The message of a refusal, in whichever envelope."""
    body = answer.json()
    return body["detail"] if "detail" in body else body["error"]["message"]


@pytest.mark.parametrize("name", ALL)
def test_a_job_goes_from_order_to_file(client, bill, finished, name):
    """Each server sells a clip of the ordered length and size, and serves it at `/content`."""
    created = ordered(client, name)
    address = place(name, created)
    finished(client, address)
    file = client.get(f"{address}/content")
    assert (file.status_code, file.headers["content-type"]) == (200, "video/mp4")
    line = bill()[-1]
    assert (line["id"], line["contract"]) == (created["id"], name)
    with av.open(io.BytesIO(file.content)) as clip:
        picture = clip.streams.video[0]
        assert f"{picture.width}x{picture.height}" == line["size"]
        assert clip.duration / av.time_base == pytest.approx(line["seconds"], abs=0.1)


def test_words(start, later):
    """A job walks through the states of its server, in its words."""
    words = {
        "openai": ["queued", "in_progress", "completed"],
        "litellm": ["queued", "processing", "completed"],
        "vllm-omni": ["queued", "in_progress", "completed"],
        "sglang": ["queued", "completed"],
        "new-api": ["queued", "unknown", "in_progress", "completed"],
    }
    with start(latency="1") as client:
        places = {name: place(name, ordered(client, name, **ORDERS.get(name, {"json": SORA}))) for name in words}
        assert walked(client, places, later) == words


def test_the_servers_leave_out_different_things(start, finished, later):
    """Before and after completion, the video object has only what its server writes."""
    with start(latency="0.4") as client:
        made = {name: ordered(client, name) for name in ALL}
        assert set(made["vllm-omni"]) == {"id", "status", "created_at"}
        running = {name: client.get(place(name, created)).json() for name, created in made.items()}
        later(1)
        done = {name: finished(client, place(name, created)) for name, created in made.items()}
    assert not {"created_at", "seconds", "size", "prompt"} & set(running["litellm"])
    assert (running["litellm"]["model"], running["litellm"]["progress"]) == (None, None)
    assert done["litellm"]["usage"] == {"duration_seconds": 8.0}
    assert {"media_type", "file_name", "inference_time_s", "stage_durations", "peak_memory_mb"} <= set(
        done["vllm-omni"]
    )
    assert (running["sglang"]["progress"], done["sglang"]["progress"]) == (0, 100)
    assert (done["sglang"]["seconds"], "prompt" in done["sglang"]) == ("2", False)
    assert done["new-api"]["task_id"] == done["new-api"]["id"]
    assert not {"completed_at", "error", "remixed_from_video_id"} & set(running["new-api"])


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("litellm", {"code": "generation_failed", "message": "The job ended: generation_failed."}),
        ("vllm-omni", {"code": 500, "message": "The job ended: generation_failed."}),
        ("sglang", {"message": "The job ended: generation_failed."}),
        ("new-api", {"code": "generation_failed", "message": "The job ended: generation_failed."}),
    ],
)
def test_failures(client, faults, finished, name, error):
    """A failed job says why in the form of its server."""
    faults({"match": {"route": "submit", "contract": name}, "do": {"outcome": "generation_failed"}})
    answer = finished(client, place(name, ordered(client, name)))
    assert (answer["status"], answer["error"]) == ("failed", error)


def test_ids_of_the_gateway_need_encoding(client):
    """LiteLLM's ids hold provider, model and the id behind them in Base64; only when encoded do they find their job."""
    created = ordered(client, "litellm")
    inside = base64.b64decode(created["id"].removeprefix("video_"), validate=True).decode()
    assert inside.startswith("litellm:custom_llm_provider:openai;model_id:sora-2;video_id:video_")
    assert {"/", "+", "="} <= set(created["id"])
    assert client.get(place("litellm", created)).status_code == 200
    assert client.get(f"/litellm/v1/videos/{created['id']}").status_code == 404
    lower = place("litellm", created).replace("%2F", "%2f")
    assert client.get(lower).status_code == 200


def test_the_gateway_codes_an_id_anew(client):
    """LiteLLM names a job in later answers without the model; either id finds it."""
    created = ordered(client, "litellm")
    shown = client.get(place("litellm", created)).json()
    inside = base64.b64decode(shown["id"].removeprefix("video_"), validate=True).decode()
    assert shown["id"] != created["id"]
    assert inside.startswith("litellm:custom_llm_provider:openai;model_id:;video_id:video_")
    assert client.get(place("litellm", shown)).json()["id"] == shown["id"]


def test_ids_have_the_form_of_their_server(client):
    """The other servers have prefixes, or none."""
    starts = {"vllm-omni": "video_gen_", "new-api": "task_", "openai": "video_"}
    for name, start in starts.items():
        assert ordered(client, name, **ORDERS.get(name, {"json": SORA}))["id"].startswith(start)


def test_an_id_of_the_gateway_belongs_to_one_user(client):
    """LiteLLM says 403 to others, where the rest says 404."""
    other = {"authorization": "Bearer other"}
    assert client.get(place("litellm", ordered(client, "litellm")), headers=other).status_code == 403
    assert client.get(place("new-api", ordered(client, "new-api")), headers=other).status_code == 404


@pytest.mark.parametrize(
    ("name", "order", "status"),
    [
        ("vllm-omni", {"json": WAN}, 400),
        ("vllm-omni", form(**WAN), 200),
        ("sglang", form(**WAN), 400),
        ("sglang", form(**WAN, input_reference=("a.png", png(), "image/png")), 200),
        ("sglang", {"json": {**WAN, "seconds": 2}}, 200),
        ("litellm", form(**SORA), 200),
        ("new-api", form(**SORA), 200),
    ],
)
def test_encodings(client, name, order, status):
    """Some take forms only, some only with a file in them, the gateways take anything."""
    assert client.post(f"/{name}/v1/videos", **order).status_code == status


@pytest.mark.parametrize(
    ("name", "order", "field"),
    [
        ("litellm", {"json": {**SORA, "seconds": 8}}, "seconds"),
        ("litellm", {"json": {**SORA, "seed": 1}}, "seed"),
        ("litellm", {"json": {"prompt": "a"}}, "model"),
        ("litellm", {"json": {**SORA, "model": "sora-9"}}, "model"),
        ("new-api", {"json": {**SORA, "image": "https://example.com/a.png"}}, "image"),
        ("new-api", {"json": {**SORA, "model": "veo-3.0-generate-preview", "seconds": 8}}, "seconds"),
        ("sglang", {"json": WAN}, "seconds"),
        ("sglang", {"json": {**WAN, "seconds": 2, "input_reference": "https://example.com/a.png"}}, "input_reference"),
        ("sglang", {"json": {**WAN, "seconds": 2, "guidance_scale": "7"}}, "guidance_scale"),
        ("sglang", {"json": {**WAN, "seconds": 2, "foo": 1}}, "foo"),
        ("sglang", {"json": {**WAN, "seconds": 2, "model": "Wan-AI/Unknown"}}, "model"),
        ("vllm-omni", form(**{**WAN, "model": "sora-2"}), "model"),
        ("vllm-omni", form(**{**WAN, "seconds": "0"}), "seconds"),
        ("vllm-omni", form(**{**WAN, "size": "wide"}), "size"),
        ("vllm-omni", form(**WAN, fps="many"), "fps"),
        ("vllm-omni", form(**WAN, num_inference_steps="0"), "num_inference_steps"),
        ("vllm-omni", form(**WAN, guidance_scale="nan"), "guidance_scale"),
        ("vllm-omni", form(**WAN, width="0"), "width"),
        ("vllm-omni", form(prompt="a", width="20"), "size"),
        ("vllm-omni", form(**WAN, lora="[]"), "lora"),
        ("vllm-omni", form(**WAN, input_reference="https://example.com/a.png"), "input_reference"),
        ("vllm-omni", form(**WAN, image_reference="https://example.com/a.png"), "image_reference"),
        ("vllm-omni", form(**WAN, image_reference='{"file_id": "f"}'), "image_reference.file_id"),
        ("vllm-omni", form(**WAN, **{"image_reference[image_url]": "https://example.com/a.png"}), "image_reference"),
        ("vllm-omni", form(**WAN, input_reference=("a.png", b"no image", "image/png")), "input_reference"),
    ],
)
def test_what_a_server_does_not_take_is_refused_by_name(client, bill, name, order, field):
    """An unknown field, a wrong JSON type or a wrong value is a 400 that names it, and nothing is billed."""
    before = len(bill())
    answer = client.post(f"/{name}/v1/videos", **order)
    assert answer.status_code == 400
    assert f"'{field}'" in said(answer)
    assert len(bill()) == before


@pytest.mark.parametrize(
    "reference",
    [
        {"image_reference": '{"image_url": "https://example.com/a.png"}'},
        {"image_reference": '{"image_url": "data:image/png;base64,' + base64.b64encode(png()).decode() + '"}'},
        {"input_reference": ("a.png", png(), "image/png")},
    ],
)
def test_references_of_vllm_omni(client, reference):
    """An address goes into `image_reference` as JSON text, a file into `input_reference`, of any pixels."""
    assert client.post("/vllm-omni/v1/videos", **form(**WAN, **reference)).status_code == 200


def test_frames_make_the_length(client, bill):
    """Width, height, frames and frames a second say the same as size and seconds, and more exactly."""
    order = form(prompt="a", width="640", height="352", num_frames="81", fps="16", seed="7", guidance_scale="5.5")
    created = ordered(client, "vllm-omni", **order)
    line = bill()[-1]
    assert (line["size"], line["width"], line["height"], line["seconds"]) == ("640x352", 640, 352, 81 / 16)
    assert client.get(place("vllm-omni", created)).json()["seconds"] == "5"


def test_a_prompt_is_text_even_if_it_looks_like_json(client, bill):
    """In a form a prompt that begins with a brace stays as it is."""
    ordered(client, "vllm-omni", **form(**{**WAN, "prompt": '{"a": 1}'}))
    assert bill()[-1]["prompt"] == '{"a": 1}'


def test_the_gateways_serve_other_makers_models(client, bill):
    """A gateway passes other models on, and leaves their lengths to them."""
    for name in ("litellm", "new-api"):
        ordered(client, name, json={"prompt": "a", "model": "kling-v2-6", "seconds": "5", "size": "960x960"})
        assert (bill()[-1]["model"], bill()[-1]["seconds"]) == ("kling-v2-6", 5)


@pytest.mark.parametrize("name", ["vllm-omni", "sglang"])
def test_a_server_of_ones_own_needs_no_key_and_no_money(client, bill, name):
    """Without a key, and with one that has no balance, an order is taken, and it costs nothing; a refused one is not."""
    address = str(client.base_url.join(f"/{name}/v1/videos"))
    broke, refused = ({"authorization": f"Bearer {key}"} for key in ("broke", "refused"))
    assert httpx.post(address, **ORDERS[name], verify=False).status_code == 200
    assert bill()[-1]["price"] == 0
    assert client.post(address, headers=broke, **ORDERS[name]).status_code == 200
    assert client.post(address, headers=refused, **ORDERS[name]).status_code == 401


def test_a_gateway_wants_a_key_and_money(client):
    """Both need a key; LiteLLM takes it in a header of its own too; new-api charges beforehand."""
    for name in ("litellm", "new-api"):
        assert httpx.post(str(client.base_url.join(f"/{name}/v1/videos")), json=SORA, verify=False).status_code == 401
    address = str(client.base_url.join("/litellm/v1/videos"))
    assert httpx.post(address, json=SORA, headers={"x-litellm-api-key": "sk-1"}, verify=False).status_code == 200
    poor = client.post("/new-api/v1/videos", json=SORA, headers={"authorization": "Bearer broke"})
    assert (poor.status_code, poor.json()["error"]["code"]) == (403, "insufficient_user_quota")


def test_envelopes(client):
    """FastAPI's `detail`, codes that are numbers or numbers as text, and request ids where there are any."""
    answers = {name: client.get(f"/{name}/v1/videos/unknown") for name in ("openai", *ALL)}
    assert {answer.status_code for answer in answers.values()} == {404}
    assert set(answers["sglang"].json()) == {"detail"}
    codes = {name: answer.json()["error"]["code"] for name, answer in answers.items() if name != "sglang"}
    assert codes == {"openai": "not_found", "litellm": "404", "vllm-omni": 404, "new-api": "not_found"}
    named = {name for name, answer in answers.items() if "x-request-id" in answer.headers}
    assert named == {"openai", "litellm", "new-api"}


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("openai", 404, "is not ready"),
        ("litellm", 404, "is not ready"),
        ("vllm-omni", 404, "no content yet"),
        ("sglang", 404, "Generation is still in-progress"),
        ("new-api", 400, "Task is not completed yet"),
    ],
)
def test_content_that_is_not_there_yet(slow, name, status, message):
    """Before completion each server refuses in its own words; new-api with a 400."""
    created = ordered(slow, name, **ORDERS.get(name, {"json": SORA}))
    answer = slow.get(f"{place(name, created)}/content")
    assert (answer.status_code, message in said(answer)) == (status, True)
    if name == "new-api":
        assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("name", "variants", "ranges"),
    [("openai", True, True), ("litellm", False, False), ("vllm-omni", False, True), ("new-api", False, True)],
)
def test_content_by_variant_and_by_part(client, finished, name, variants, ranges):
    """Only OpenAI looks at `variant`; LiteLLM sends everything at once, to be saved."""
    address = place(name, ordered(client, name, **ORDERS.get(name, {"json": SORA})))
    finished(client, address)
    thumbnail = client.get(f"{address}/content", params={"variant": "thumbnail"})
    assert thumbnail.headers["content-type"] == ("image/webp" if variants else "video/mp4")
    part = client.get(f"{address}/content", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content == b"ftyp") == ((206, True) if ranges else (200, False))
    assert ("content-disposition" in part.headers) == (name == "litellm")


def test_lists(client):
    """vLLM-Omni has OpenAI's pages, SGLang a bare list, LiteLLM wants to know the provider, new-api has none."""
    key = {"authorization": "Bearer lister"}
    made = {
        name: [client.post(f"/{name}/v1/videos", headers=key, **ORDERS[name]).json()["id"] for _ in range(3)]
        for name in ALL
    }

    def listed(name, **query):
        return client.get(f"/{name}/v1/videos", params=query, headers=key)

    page = listed("vllm-omni", limit=2).json()
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, *made["vllm-omni"][:0:-1])
    rest = listed("vllm-omni", after=page["last_id"]).json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (made["vllm-omni"][:1], False)

    bare = listed("sglang").json()
    assert set(bare) == {"object", "data"}
    assert [video["id"] for video in bare["data"]] == made["sglang"][::-1]
    assert [v["id"] for v in listed("sglang", order="asc", limit=1).json()["data"]] == made["sglang"][:1]
    assert [v["id"] for v in listed("sglang", after=made["sglang"][1]).json()["data"]] == made["sglang"][:1]
    assert listed("sglang", after="unknown").json()["data"] == []

    assert listed("litellm").status_code == 400
    by_query, by_header = (
        listed("litellm", custom_llm_provider="openai"),
        client.get("/litellm/v1/videos", headers={**key, "custom-llm-provider": "openai"}),
    )
    assert [v["id"] for v in by_query.json()["data"]] == [v["id"] for v in by_header.json()["data"]]
    assert by_query.json()["first_id"] == made["litellm"][-1]
    assert listed("new-api").status_code == 404


@pytest.mark.parametrize(
    "query", [{"limit": "101"}, {"limit": "-1"}, {"limit": "x"}, {"order": "up"}, {"after": "who"}]
)
def test_a_page_that_makes_no_sense_is_refused(client, query):
    """OpenAI's list knows its own parameters."""
    answer = client.get("/openai/v1/videos", params=query)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, next(iter(query)))


def test_deletes(slow):
    """The self-hosted servers delete what still runs; SGLang shows what it was; the gateways delete nothing."""
    made = {name: ordered(slow, name) for name in ALL}
    gone = {name: slow.delete(place(name, created)) for name, created in made.items()}
    assert (gone["litellm"].status_code, gone["new-api"].status_code) == (404, 404)
    assert gone["vllm-omni"].json() == {"id": made["vllm-omni"]["id"], "object": "video.deleted", "deleted": True}
    assert gone["sglang"].json() == {**made["sglang"], "status": "deleted"}
    for name in ("vllm-omni", "sglang"):
        assert slow.get(place(name, made[name])).status_code == 404


def test_remixes(client, finished):
    """The gateways pass a remix on, the self-hosted servers have none."""
    for name in ALL:
        address = place(name, ordered(client, name))
        finished(client, address)
        answer = client.post(f"{address}/remix", json={"prompt": "at night"})
        assert answer.status_code == (200 if name in ("litellm", "new-api") else 404)


def test_one_servers_id_means_nothing_to_another(client):
    """Each server knows its own jobs only."""
    made = {name: ordered(client, name) for name in ALL}
    for name, created in made.items():
        for other in ALL:
            assert client.get(place(other, created)).status_code == (200 if other == name else 404)
