"""What only one hosted vendor does, or each in a way of its own."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest

from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.bill import Bill
from pipelines.sandbox.vendors.hosted.vendors import hosted_id, hosted_vendors, key_in

KEYS = {
    "fal": {"authorization": "Key k"},
    "vidu": {"authorization": "Token k"},
    "google-veo": {"x-goog-api-key": "k"},
    "runway": {"authorization": "Bearer k", "x-runway-version": "2024-11-06"},
    "dashscope": {"authorization": "Bearer k", "x-dashscope-async": "enable"},
}
ORDERS = {
    "replicate": ("/models/google/veo-3-fast/predictions", {"input": {"prompt": "a fox"}}),
    "fal": ("/fal-ai/veo3/fast", {"prompt": "a fox"}),
    "runway": ("/text_to_video", {"model": "gen4.5", "promptText": "a fox", "ratio": "1280:720", "duration": 2}),
    "kling": ("/videos/text2video", {"model_name": "kling-v1", "prompt": "a fox"}),
    "minimax": ("/video_generation", {"model": "T2V-01", "prompt": "a fox"}),
    "luma": ("/generations", {"model": "ray-2", "prompt": "a fox"}),
    "ark": (
        "/contents/generations/tasks",
        {"model": "seedance-1-5-pro-251215", "content": [{"type": "text", "text": "a fox"}]},
    ),
    "dashscope": (
        "/services/aigc/video-generation/video-synthesis",
        {"model": "wan2.6-t2v", "input": {"prompt": "a fox"}},
    ),
    "vidu": ("/text2video", {"model": "viduq2", "prompt": "a fox"}),
}
HOUR = 3_600


def token(now, *, algorithm="HS256", start=-5, end=1_800):
    """A token as Kling's page has it; with what it is signed nobody can check here."""
    parts = [{"alg": algorithm, "typ": "JWT"}, {"iss": "k", "exp": now + end, "nbf": now + start}]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return f"Bearer {'.'.join(coded)}.c2lnbmF0dXJl"


@pytest.fixture(scope="module")
def slow(serving):
    """A sandbox where a clip takes its time."""
    options = SandboxOptions(latency="60", renders="light")
    with serving(options) as url, httpx.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def ask(slow):
    def send(name, method, path, body=None, **headers):
        keys = KEYS.get(name, {"authorization": "Bearer k"})
        if name == "kling":
            keys = {"authorization": token(time.time())}
        sent = {**keys, **{key.replace("_", "-"): value for key, value in headers.items()}}
        place = path if path.startswith("http") else f"/{name}/v1{path}"
        return slow.request(method, place, json=body, headers=sent)

    return send


@pytest.fixture
def ordered(ask):
    return lambda name, **more: ask(name, "POST", ORDERS[name][0], {**ORDERS[name][1], **more}).json()


def test_a_signed_token_must_hold_now(ask):
    """Kling tells apart a token that is no token, one that is not valid yet, and one that is no longer."""
    now = time.time()
    wrong = {
        token(now, algorithm="none"): 1002,
        "Bearer k": 1002,
        token(now, start=60): 1003,
        token(now, end=-1): 1004,
        "Basic k": 1001,
    }
    for said, code in wrong.items():
        answer = ask("kling", "GET", "/videos/text2video/1", authorization=said)
        assert (answer.status_code, answer.json()["code"]) == (401, code), said
    assert ask("kling", "GET", "/videos/text2video/1").json()["code"] == 1203


def test_a_key_stands_where_the_vendor_wants_it():
    """Google takes its key in a header or in the query, and nobody takes another's scheme."""
    google, fal = hosted_vendors()["google-veo"], hosted_vendors()["fal"]
    assert key_in(google, "k", {}, 0)[0] == key_in(google, "", {"key": "k"}, 0)[0] == "k"
    assert key_in(fal, "Key k", {}, 0)[0] == "k"
    assert key_in(fal, "Bearer k", {}, 0) == ("", "no_key")
    assert key_in(google, "", {}, 0) == ("", "no_key")


def test_ids_have_the_vendors_forms():
    """Ids are numbers, letters or UUIDs, and follow from what was bought."""
    ids = {name: hosted_id(vendor, 1_800_000_000.0, 0, 1) for name, vendor in hosted_vendors().items()}
    assert ids["ark"].startswith("cgt-20270115080000-")
    assert ids["kling"].isdecimal()
    assert len(ids["luma"]) == 36
    assert ids["kling"] == hosted_id(hosted_vendors()["kling"], 1_800_000_000.0, 0, 1)


def test_replicate_runs_versions_and_stops_predictions(ask, ordered):
    """A version is named by its hash, alone or behind its model; what runs can be cancelled, and then costs nothing."""
    version = "8c47da666861d081eeb4d1261853087de23923a268a69b63febdf5dc1dee08e4"
    for named in (version, f"lightricks/ltx-video:{version}", "google/veo-3-fast"):
        body = {"version": named, "input": {"prompt": "a fox"}}
        assert ask("replicate", "POST", "/predictions", body).status_code == 201
    unknown = ask("replicate", "POST", "/predictions", {"version": "0" * 64, "input": {"prompt": "a"}})
    assert (unknown.status_code, unknown.json()["title"]) == (422, "Invalid version or not permitted")
    made = ordered("replicate")
    assert made["urls"]["get"].endswith(f"/replicate/v1/predictions/{made['id']}")
    cancelled = ask("replicate", "POST", made["urls"]["cancel"]).json()
    assert (cancelled["status"], cancelled["output"], cancelled["error"]) == ("canceled", None, None)
    listed = ask("replicate", "GET", "/predictions").json()["results"]
    assert listed[0]["id"] == made["id"]


def test_replicate_names_the_next_page(ask, ordered, monkeypatch):
    """Its address has a cursor; the last page names none, and a cursor that is none is refused."""
    monkeypatch.setattr("pipelines.sandbox.vendors.hosted.replicate.MOST_LISTED", 2)
    made = [ordered("replicate")["id"] for _ in range(3)]
    first = ask("replicate", "GET", "/predictions").json()
    second = ask("replicate", "GET", first["next"]).json()
    assert [each["id"] for each in first["results"] + second["results"]][:3] == made[::-1]
    page = second
    while page["next"]:
        page = ask("replicate", "GET", page["next"]).json()
    assert page["results"]
    assert ask("replicate", "GET", "/predictions?cursor=%21").status_code == 422


def test_fal_tells_what_is_wrong_when_it_has_run(ask, ordered):
    """A request for an unknown field is queued; a cancelled one is over; asked too early, there is no result."""
    made = ordered("fal", colour="red")
    assert made["status"] == "IN_QUEUE"
    early = ask("fal", "GET", made["response_url"])
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert ask("fal", "PUT", made["cancel_url"]).json() == {"status": "CANCELLATION_REQUESTED"}
    assert ask("fal", "PUT", made["cancel_url"]).json() == {"status": "ALREADY_COMPLETED"}
    assert ask("fal", "GET", made["status_url"]).json()["error_type"] == "cancelled"
    assert ask("fal", "GET", made["status_url"].replace("/veo3/", "/veo2/")).status_code == 404


def test_runway_wants_a_version_and_https(ask, ordered):
    """No version, an image that is not behind https, and a frame without its position are refused."""
    path, body = ORDERS["runway"]
    assert ask("runway", "POST", path, body, x_runway_version="2023").status_code == 400
    image = {"model": "gen4_turbo", "ratio": "1280:720", "duration": 5}
    for wrong in ("http://example.com/a.png", [{"uri": "https://example.com/a.png"}], [], 7):
        answer = ask("runway", "POST", "/image_to_video", {**image, "promptImage": wrong})
        assert (answer.status_code, "issues" in answer.json()) == (400, True), wrong
    right = [{"uri": "https://example.com/a.png", "position": "first"}]
    task = ask("runway", "POST", "/image_to_video", {**image, "promptImage": right}).json()["id"]
    assert ask("runway", "DELETE", f"/tasks/{task}").status_code == 204
    assert ask("runway", "GET", f"/tasks/{task}").json()["status"] == "CANCELLED"


def test_google_makes_1080p_in_eight_seconds_only(ask):
    """A finer clip of another length is refused, and a number that is text."""
    path = "/models/veo-3.1-generate-preview:predictLongRunning"
    for parameters in ({"resolution": "1080p", "durationSeconds": 4}, {"durationSeconds": "8"}):
        answer = ask("google-veo", "POST", path, {"instances": [{"prompt": "a"}], "parameters": parameters})
        assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    last = {"bytesBase64Encoded": "AAAA", "mimeType": "image/png"}
    alone = ask("google-veo", "POST", path, {"instances": [{"prompt": "a", "lastFrame": last}]})
    assert "lastFrame" in alone.json()["error"]["message"]
    made = ask("google-veo", "POST", path, {"instances": [{"prompt": "a"}], "parameters": {"resolution": "1080p"}})
    assert set(ask("google-veo", "GET", f"/{made.json()['name']}").json()) == {"name"}
    identifier = made.json()["name"].rpartition("/")[2]
    assert ask("google-veo", "GET", f"/files/{identifier}:download?alt=media").status_code == 403


def test_kling_knows_the_clients_own_names(ask, ordered):
    """A task is found by the name that the client gave it; the same name twice is refused."""
    made = ordered("kling", external_task_id="row-7")["data"]
    assert ask("kling", "GET", "/videos/text2video/row-7").json()["data"]["task_id"] == made["task_id"]
    again = ordered("kling", external_task_id="row-7")
    assert (again["code"], "external_task_id" in again["message"]) == (1201, True)
    assert ask("kling", "GET", f"/videos/image2video/{made['task_id']}").status_code == 404
    listed = ask("kling", "GET", "/videos/text2video?pageNum=1&pageSize=500").json()["data"]
    assert made["task_id"] in [each["task_id"] for each in listed]
    assert ask("kling", "GET", "/videos/text2video?pageNum=x").json()["code"] == 1201


def test_minimax_has_no_file_before_the_end(ask, ordered):
    """A file that is not there is no HTTP error: its code stands in the body."""
    task = ordered("minimax")["task_id"]
    assert ask("minimax", "GET", f"/query/video_generation?task_id={task}").json()["file_id"] == ""
    early = ask("minimax", "GET", f"/files/retrieve?file_id=3{task[1:]}")
    assert (early.status_code, early.json()["base_resp"]["status_code"]) == (200, 2013)
    wide = {"model": "MiniMax-Hailuo-2.3", "prompt": "a", "resolution": "1080P", "duration": 10}
    assert ask("minimax", "POST", "/video_generation", wide).json()["base_resp"]["status_code"] == 2013


def test_luma_goes_on_from_a_generation(ask, ordered):
    """A frame may be an image or one's own generation; a deleted generation is not found."""
    made = ordered("luma")
    for frame, status in (
        ({"type": "generation", "id": made["id"]}, 201),
        ({"type": "generation", "id": "nobody's"}, 404),
        ({"type": "image", "id": made["id"]}, 400),
        ({"type": "image", "url": "https://example.com/a.png"}, 201),
    ):
        body = {"model": "ray-2", "prompt": "a fox", "keyframes": {"frame0": frame}}
        assert ask("luma", "POST", "/generations", body).status_code == status, frame
    assert ask("luma", "POST", "/generations", {"model": "ray-2"}).json()["detail"].endswith("it is required.")
    page = ask("luma", "GET", "/generations?limit=1&offset=0").json()
    assert (len(page["generations"]), page["has_more"]) == (1, True)
    assert ask("luma", "DELETE", f"/generations/{made['id']}").status_code == 204
    assert ask("luma", "GET", f"/generations/{made['id']}").status_code == 404


def test_ark_cancels_what_waits(ask, ordered):
    """A waiting task is cancelled by DELETE and stays to be seen; a part that is not what its type says is refused."""
    made = ordered("ark")["id"]
    assert ask("ark", "DELETE", f"/contents/generations/tasks/{made}").json() == {}
    assert ask("ark", "GET", f"/contents/generations/tasks/{made}").json()["status"] == "cancelled"
    wanted = "/contents/generations/tasks?page_num=1&page_size=10&filter.status=cancelled"
    listed = ask("ark", "GET", wanted).json()
    assert [each["id"] for each in listed["items"]] == [made]
    wrong = ordered("ark", content=[{"type": "text", "image_url": {"url": "https://example.com/a.png"}}])
    assert wrong["error"]["param"] == "content[0]"


def test_dashscope_wants_the_call_to_be_asynchronous(ask, ordered):
    """Without its header an order is refused; an unknown task is a task of unknown state, and no error."""
    path, body = ORDERS["dashscope"]
    answer = ask("dashscope", "POST", path, body, x_dashscope_async="")
    assert (answer.status_code, answer.json()["code"]) == (403, "AccessDenied")
    unknown = ask("dashscope", "GET", "/tasks/nobody").json()["output"]
    assert unknown == {"task_id": "nobody", "task_status": "UNKNOWN"}
    task = ordered("dashscope")["output"]["task_id"]
    assert ask("dashscope", "POST", f"/tasks/{task}/cancel").status_code == 200
    again = ask("dashscope", "POST", f"/tasks/{task}/cancel")
    assert (again.status_code, again.json()["code"]) == (400, "UnsupportedOperation")
    listed = ask("dashscope", "GET", "/tasks/?page_size=1").json()
    assert listed["data"][0]["task_status"] == "CANCELED"


def test_vidu_cancels_by_a_body_that_names_the_task(ask, ordered):
    """The number stands in the path and in the body; a cancelled task has failed by its user."""
    made = ordered("vidu", payload="row 7")
    assert (made["credits"], made["payload"]) == (25, "row 7")
    path = f"/tasks/{made['task_id']}/cancel"
    assert ask("vidu", "POST", path, {}).json()["reason"] == "FieldLacking"
    assert ask("vidu", "POST", path, {"id": made["task_id"]}).json() == {}
    seen = ask("vidu", "GET", f"/tasks/{made['task_id']}/creations").json()
    assert (seen["state"], seen["err_code"], seen["creations"]) == ("failed", "UserCancelled", [])
    assert ask("vidu", "POST", path, {"id": made["task_id"]}).json()["reason"] == "BadRequest"


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("kling", {"code": "1301"}, lambda answer: answer["code"] == 1301),
        ("minimax", {"code": "1026"}, lambda answer: answer["base_resp"]["status_code"] == 1026),
        ("ark", {"code": "InputTextSensitiveContentDetected"}, lambda answer: "Sensitive" in answer["error"]["code"]),
        ("vidu", {"code": "AuditSubmitIllegal"}, lambda answer: answer["reason"] == "AuditSubmitIllegal"),
    ],
)
def test_a_fault_may_name_the_vendors_own_code(slow, ordered, name, fault, said):
    """A code of a rule stands in the vendor's shape, a number where the vendor has numbers."""
    rule = {"match": {"route": "submit", "contract": name}, "do": {"status": 400, **fault}}
    slow.post("/_sandbox/faults", json=[rule]).raise_for_status()
    answer = ordered(name)
    slow.post("/_sandbox/faults", json=[]).raise_for_status()
    assert said(answer), answer


def test_replicate_may_hold_on_for_the_result(start):
    """With `Prefer: wait` the answer to an order is the finished prediction."""
    path, body = ORDERS["replicate"]
    with start(latency="0.05") as client:
        for preferred, status in ({"wait": "succeeded", "wait=0": "starting", "respond-async": "starting"}).items():
            made = client.post(f"/replicate/v1{path}", json=body, headers={"prefer": preferred}).json()
            assert (made["status"], made["output"] is not None) == (status, status == "succeeded")


def test_a_cancelled_purchase_stays_cancelled(tmp_path, start):
    """A bill that is read again knows what was cancelled: no clip, and nothing to pay."""
    file = tmp_path / "bill.jsonl"
    with start(bill=file, latency="60") as client:
        path, body = ORDERS["replicate"]
        made = client.post(f"/replicate/v1{path}", json=body).json()
        client.post(made["urls"]["cancel"])
        line = client.get("/_sandbox/bill").json()[0]
        assert (line["state"], line["charged"]) == ("cancelled", False)
    again = Bill(file)
    assert again.purchases[made["id"]].outcome == "cancelled"
    assert again.bought(line["account"], "replicate") == [again.purchases[made["id"]]]
    again.close()


def test_results_are_forgotten(start):
    """After an hour Replicate has removed the data of a prediction; after a day DashScope knows no task."""
    with start(latency="0", link_lifetime=0.01) as client:
        client.headers["x-dashscope-async"] = "enable"
        made = {name: client.post(f"/{name}/v1{path}", json=body).json() for name, (path, body) in ORDERS.items()}
        time.sleep(0.02)
        prediction = client.get(made["replicate"]["urls"]["get"]).json()
        assert (prediction["data_removed"], prediction["output"], prediction["status"]) == (True, None, "succeeded")
        task = client.get(f"/dashscope/v1/tasks/{made['dashscope']['output']['task_id']}").json()
        assert task["output"]["task_status"] == "UNKNOWN"


@pytest.mark.parametrize(
    ("name", "field", "told"),
    [
        ("replicate", "webhook", lambda said: (said["id"], said["status"] == "succeeded")),
        ("kling", "callback_url", lambda said: (said["task_id"], said["task_status"] == "succeed")),
        ("minimax", "callback_url", lambda said: (said["task_id"], said["status"] == "success")),
        ("luma", "callback_url", lambda said: (said["id"], said["state"] == "completed")),
        ("ark", "callback_url", lambda said: (said["id"], said["status"] == "succeeded")),
        ("vidu", "callback_url", lambda said: (said["id"], said["state"] == "success")),
        ("fal", "?fal_webhook", lambda said: (said["request_id"], said["status"] == "OK")),
    ],
)
async def test_the_end_is_called_back(calling, name, field, told):
    """Whom an order names is told of its end, in the vendor's shape."""
    path, body = ORDERS[name]
    headers = {**KEYS.get(name, {}), **({"authorization": token(time.time())} if name == "kling" else {})}
    async with calling(latency="0.02") as (client, receiver):
        asked = {field[1:]: receiver.url} if field.startswith("?") else None
        sent = body if asked else {**body, field: receiver.url}
        made = (await client.post(f"/{name}/v1{path}", params=asked, json=sent, headers=headers)).text
        identifier, well = told((await receiver.next())[1])
        assert (identifier in made, well) == (True, True)
