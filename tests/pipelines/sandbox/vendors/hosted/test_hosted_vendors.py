"""What every hosted vendor does, each asked as its pages have it, by requests that are made by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.vendors.hosted.orders import hosted_models
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES, hosted_vendors

PROMPT = "a fox in the snow"


def signed(key="somebody", *, start=-5, end=1800, head=None, secret=b"secret"):
    """A token as Kling's page has it."""
    claims = {"iss": key, "exp": int(time.time()) + end, "nbf": int(time.time()) + start}
    parts = [json.dumps(each).encode() for each in (head or {"alg": "HS256", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.new(secret, text, hashlib.sha256).digest()).rstrip(b"=")
    return f"{text.decode()}.{signature.decode()}"


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Spoken:
    """How one vendor is spoken to, and where its answers have what."""

    order: str  # path of an order
    body: dict[str, Any]
    asked: Callable[[Any], str]  # from the answer to an order: path of the query
    word: Callable[[Any], Any]
    done: Any
    failed: Any
    broke: tuple[int, str]  # status and a part of the body, of an account without money
    slow: tuple[int, str]  # of one that asks too often
    unsigned: tuple[int, str]
    wrong: tuple[int, str]  # of a field that it does not have
    length: tuple[str, Any]  # of a clip: where it stands, and a wrong one
    links: Callable[[Any], list[str]] = lambda _: []
    moderated: str = ""
    key: Callable[[str], dict[str, str]] = bearer
    headers: dict[str, str] = field(default_factory=dict)
    accepted: int = 200
    running: tuple[int, ...] = (200,)


def veo_word(answer):
    return (
        ("failed" if "generatedSamples" not in answer.get("response", {}).get("generateVideoResponse", {}) else "done")
        if answer.get("done")
        else "running"
    )


SPOKEN = {
    "replicate": Spoken(
        "/models/google/veo-3-fast/predictions",
        {"input": {"prompt": PROMPT, "duration": 4}},
        lambda a: f"/predictions/{a['id']}",
        *(lambda a: a["status"], "succeeded", "failed"),
        *((402, "Insufficient credit"), (429, "Too many requests"), (401, "Unauthenticated")),
        *((422, "invalid_fields"), ("input.duration", 5)),
        links=lambda a: [a["output"]],
        moderated="flagged as sensitive",
        accepted=201,
    ),
    "fal": Spoken(
        "/fal-ai/veo3/fast",
        {"prompt": PROMPT, "duration": "4s"},
        lambda a: a["status_url"].partition("/fal/v1")[2],
        *(lambda a: "FAILED" if a.get("error") else a["status"], "COMPLETED", "FAILED"),
        *((403, "Exhausted balance"), (429, "detail"), (401, "detail")),
        *((422, "extra_forbidden"), ("duration", "5")),
        moderated="content checker",
        key=lambda key: {"authorization": f"Key {key}"},
        running=(202,),
    ),
    "runway": Spoken(
        "/text_to_video",
        {"model": "gen4.5", "promptText": PROMPT, "ratio": "1280:720", "duration": 5},
        lambda a: f"/tasks/{a['id']}",
        *(lambda a: a["status"], "SUCCEEDED", "FAILED"),
        *((400, "enough credits"), (429, "error"), (401, "error")),
        *((400, "issues"), ("duration", 11)),
        links=lambda a: a["output"],
        moderated="SAFETY.INPUT.TEXT",
        headers={"x-runway-version": "2024-11-06"},
    ),
    "google-veo": Spoken(
        "/models/veo-3.1-fast-generate-preview:predictLongRunning",
        {"instances": [{"prompt": PROMPT}], "parameters": {"durationSeconds": 4}},
        lambda a: f"/{a['name']}",
        *(veo_word, "done", "failed"),
        *((429, "prepayment"), (429, "RESOURCE_EXHAUSTED"), (403, "PERMISSION_DENIED")),
        *((400, "INVALID_ARGUMENT"), ("parameters.durationSeconds", 5)),
        links=lambda a: [each["video"]["uri"] for each in a["response"]["generateVideoResponse"]["generatedSamples"]],
        moderated="raiMediaFilteredReasons",
        key=lambda key: {"x-goog-api-key": key},
    ),
    "kling": Spoken(
        "/videos/text2video",
        {"model_name": "kling-v2-6", "prompt": PROMPT, "duration": "5", "mode": "std"},
        lambda a: f"/videos/text2video/{a['data']['task_id']}",
        *(lambda a: a["data"]["task_status"], "succeed", "failed"),
        *((429, "1102"), (429, "1303"), (401, "1001")),
        *((400, "1201"), ("duration", 5)),
        links=lambda a: [each["url"] for each in a["data"]["task_result"]["videos"]],
        moderated="risk control",
        key=lambda key: bearer(signed(key)),
    ),
    "minimax": Spoken(
        "/video_generation",
        {"model": "MiniMax-Hailuo-2.3", "prompt": PROMPT, "duration": 6},
        lambda a: f"/query/video_generation?task_id={a['task_id']}",
        *(lambda a: a["status"], "Success", "Fail"),
        *((200, "1008"), (200, "1002"), (200, "1004")),
        *((200, "2013"), ("duration", 5)),
        moderated="1027",
    ),
    "luma": Spoken(
        "/generations/video",
        {"model": "ray-flash-2", "prompt": PROMPT, "duration": "5s", "resolution": "720p"},
        lambda a: f"/generations/{a['id']}",
        *(lambda a: a["state"], "completed", "failed"),
        *((400, "Insufficient credits"), (429, "detail"), (401, "detail")),
        *((400, "detail"), ("duration", "5")),
        links=lambda a: [a["assets"]["video"]],
        moderated="moderation failed",
        accepted=201,
    ),
    "ark": Spoken(
        "/contents/generations/tasks",
        {
            "model": "seedance-1-0-pro-fast-251015",
            "content": [{"type": "text", "text": PROMPT}],
            "duration": 5,
            "resolution": "720p",
        },
        lambda a: f"/contents/generations/tasks/{a['id']}",
        *(lambda a: a["status"], "succeeded", "failed"),
        *((403, "AccountOverdueError"), (429, "TooManyRequests"), (401, "AuthenticationError")),
        *((400, "InvalidParameter"), ("duration", 13)),
        links=lambda a: [a["content"]["video_url"]],
        moderated="SensitiveContentDetected",
    ),
    "dashscope": Spoken(
        "/services/aigc/video-generation/video-synthesis",
        {"model": "wan2.5-t2v-preview", "input": {"prompt": PROMPT}, "parameters": {"size": "1280*720", "duration": 5}},
        lambda a: f"/tasks/{a['output']['task_id']}",
        *(lambda a: a["output"]["task_status"], "SUCCEEDED", "FAILED"),
        *((400, "Arrearage"), (429, "Throttling.RateQuota"), (401, "InvalidApiKey")),
        *((400, "InvalidParameter"), ("parameters.duration", 6)),
        links=lambda a: [a["output"]["video_url"]],
        moderated="DataInspectionFailed",
        headers={"x-dashscope-async": "enable"},
    ),
    "vidu": Spoken(
        "/text2video",
        {"model": "viduq2", "prompt": PROMPT, "duration": 5, "resolution": "720p"},
        lambda a: f"/tasks/{a['task_id']}/creations",
        *(lambda a: a["state"], "success", "failed"),
        *((400, "CreditInsufficient"), (429, "QuotaExceeded"), (401, "Unauthorized")),
        *((400, "FieldUnwanted"), ("duration", 11)),
        links=lambda a: [each["url"] for each in a["creations"]],
        moderated="CreationPolicyViolation",
        key=lambda key: {"authorization": f"Token {key}"},
    ),
}
EVERY = pytest.mark.parametrize("name", SPOKEN)


class Asked:
    """One vendor, asked with a key."""

    def __init__(self, http, name):
        self.http, self.name, self.spoken = http, name, SPOKEN[name]

    def send(self, method, path, *, key="somebody", **more):
        """The answer to a request with this key."""
        headers = {**self.spoken.key(key), **self.spoken.headers, **more.pop("headers", {})}
        place = path if path.startswith("http") else f"/{self.name}/v1{path}"
        return self.http.request(method, place, headers=headers, **more)

    def order(self, body=None, *, path=None, **more):
        """The answer to an order."""
        return self.send("POST", path or self.spoken.order, json=self.spoken.body if body is None else body, **more)

    def ended(self, answer):
        """The last answer about the order that was answered so."""
        path, until = self.spoken.asked(answer.json()), time.monotonic() + 30
        while True:
            asked = self.send("GET", path)
            if asked.status_code == 200 and self.spoken.word(asked.json()) in (self.spoken.done, self.spoken.failed):
                return asked
            assert asked.status_code in self.spoken.running
            assert time.monotonic() < until, asked.text
            time.sleep(0.01)


@pytest.fixture(scope="module")
def http(serving):
    """A client of a sandbox where a clip takes no time to speak of."""
    options = SandboxOptions(latency="0.02", renders="light")
    with serving(options) as url, httpx.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def vendor(http, name):
    http.post("/_sandbox/faults", json=[]).raise_for_status()
    return Asked(http, name)


@pytest.fixture
def faults(http):
    def put(route, **do):
        rules = [{"match": {"route": route}, "do": do}]
        http.post("/_sandbox/faults", json=rules).raise_for_status()

    return put


@pytest.fixture
def bill(http, name):
    """What this vendor has sold."""
    return lambda: [line for line in http.get("/_sandbox/bill").json() if line["contract"] == name]


def changed(body, path, value):
    """The body with another value at a dotted path."""
    name, _, rest = path.partition(".")
    return {**body, name: changed(body.get(name, {}), rest, value) if rest else value}


def files_of(vendor, ended):
    """The addresses of the clips: two vendors want another request for them."""
    if vendor.name == "fal":
        result = vendor.send("GET", ended.json()["response_url"])
        return [result.json()["video"]["url"]]
    if vendor.name == "minimax":
        file = vendor.send("GET", f"/files/retrieve?file_id={ended.json()['file_id']}").json()["file"]
        return [file["download_url"]]
    return vendor.spoken.links(ended.json())


@EVERY
def test_an_order_becomes_a_clip(vendor, bill):
    """An order is sold once, at the vendor's price, is asked about until its word says done, and has an MP4 file."""
    before = len(bill())
    answer = vendor.order()
    assert answer.status_code == vendor.spoken.accepted, answer.text
    ended = vendor.ended(answer)
    assert vendor.spoken.word(ended.json()) == vendor.spoken.done
    (link,) = files_of(vendor, ended)
    key = vendor.spoken.key("somebody") if vendor.name == "google-veo" else {}
    assert vendor.http.get(link, headers=key).content[4:8] == b"ftyp"
    (line,) = bill()[before:]
    assert (line["contract"], line["prompt"], line["charged"]) == (vendor.name, PROMPT, True)
    assert line["price"] > 0


def says_moderated(vendor, ended):
    """Four digits may stand in any id by chance: a code has no others beside it."""
    return re.search(rf"(?<![0-9]){re.escape(vendor.spoken.moderated)}(?![0-9])", ended.text) is not None


@EVERY
def test_a_moderated_job_says_so_in_the_vendors_words(vendor, faults, bill):
    """What moderation ends has the vendor's code or words, no clip, and no price to pay."""
    faults("submit", outcome="moderation_blocked")
    ended = vendor.ended(vendor.order())
    assert vendor.spoken.word(ended.json()) == vendor.spoken.failed
    assert says_moderated(vendor, ended)
    assert bill()[-1]["charged"] is False


@EVERY
def test_a_failed_job_is_no_moderated_one(vendor, faults):
    """A job that fails for another reason has other words."""
    faults("submit", outcome="generation_failed")
    ended = vendor.ended(vendor.order())
    assert vendor.spoken.word(ended.json()) == vendor.spoken.failed
    assert not says_moderated(vendor, ended)


@EVERY
def test_who_shows_no_key_is_refused(vendor, bill):
    """No key, a key behind another scheme, and a key that was withdrawn are refused, and nothing is sold."""
    before = len(bill())
    status, said = vendor.spoken.unsigned
    for headers in ({}, {"authorization": "Basic c29tZWJvZHk6eA=="}):
        answer = vendor.http.post(
            f"/{vendor.name}/v1{vendor.spoken.order}",
            json=vendor.spoken.body,
            headers={**vendor.spoken.headers, **headers},
        )
        assert (
            (answer.status_code, said in answer.text) in {(status, True), (401, True)} if headers else {(status, True)}
        )
    withdrawn = vendor.order(key="refused")
    assert withdrawn.status_code in (status, 400)
    assert vendor.http.get(f"/{vendor.name}/v1{vendor.spoken.asked(vendor.order().json())}").status_code == status
    assert len(bill()) == before + 1


@EVERY
def test_who_has_no_money_is_refused(vendor, bill):
    """An account without money is told so with the vendor's status and code, and nothing is sold."""
    before = len(bill())
    answer = vendor.order(key="broke")
    assert (answer.status_code, vendor.spoken.broke[1] in answer.text) == (vendor.spoken.broke[0], True), answer.text
    assert len(bill()) == before


@EVERY
def test_who_asks_too_often_is_refused(vendor, faults, bill):
    """Too many orders are refused with the vendor's status and code; a hint how long to wait comes as a header."""
    before = len(bill())
    faults("submit", status=429, retry_after=1)
    answer = vendor.order()
    assert (answer.status_code, vendor.spoken.slow[1] in answer.text) == (vendor.spoken.slow[0], True), answer.text
    assert answer.headers["retry-after"] == "1"
    assert len(bill()) == before


@EVERY
def test_a_broken_server_keeps_its_status(vendor, faults):
    """A 5xx of an order or of a query is one, in the vendor's shape, and JSON."""
    asked = vendor.spoken.asked(vendor.order().json())
    for status in (500, 503):
        faults("submit", status=status)
        assert (vendor.order().status_code, type(vendor.order().json())) == (status, dict)
        faults("status", status=status)
        assert vendor.send("GET", asked).status_code == status


@EVERY
def test_what_the_vendor_does_not_document_is_refused(vendor, bill):
    """A field that is unknown, missing or of a wrong length is refused in the vendor's shape, and never paid."""
    before = sum(line["price"] for line in bill())
    path, length = vendor.spoken.length
    inner = path.rpartition(".")[0]
    flawed = [changed(vendor.spoken.body, f"{inner}.colour" if inner else "colour", "red")]
    flawed.append(changed(vendor.spoken.body, path, length))
    answers = [refused(vendor, body) for body in flawed]
    assert vendor.spoken.wrong[1] in answers[0].text, answers[0].text
    assert {answer.status_code for answer in answers} == {vendor.spoken.wrong[0]}
    if vendor.name != "google-veo":
        assert path.rpartition(".")[2] in answers[1].text
    assert sum(line["price"] for line in bill()) == before


def refused(vendor, body):
    """The answer that refuses a body: at fal it is the result of a request that has run."""
    answer = vendor.order(body)
    return vendor.send("GET", vendor.ended(answer).json()["response_url"]) if vendor.name == "fal" else answer


@EVERY
def test_a_model_that_the_vendor_does_not_have_is_refused(vendor, bill):
    """An unknown model is refused, wherever the vendor has it: in the path or in the body."""
    before = len(bill())
    named = next((key for key in ("model", "model_name") if key in vendor.spoken.body), None)
    path = None if named else vendor.spoken.order.replace("veo-3", "voe-9").replace("veo3", "voe9")
    answer = vendor.order(changed(vendor.spoken.body, named, "voe-9") if named else None, path=path)
    assert answer.status_code in (400, 404) or "2013" in answer.text
    assert len(bill()) == before


@EVERY
def test_a_job_is_its_buyers(vendor):
    """Whoever comes with another key finds nothing."""
    asked = vendor.spoken.asked(vendor.order().json())
    answer = vendor.send("GET", asked, key="stranger")
    assert answer.status_code == 404 or "UNKNOWN" in answer.text or "2013" in answer.text


@EVERY
def test_a_clip_that_the_filters_took_is_no_file(vendor, faults, bill):
    """A job that ends without a clip has no link anywhere, is no error, and is not charged."""
    faults("submit", outcome="no_videos")
    ended = vendor.ended(vendor.order())
    assert ".mp4" not in ended.text
    assert bill()[-1]["charged"] is False


@EVERY
def test_an_ordinary_bad_day_is_survived(vendor, faults):
    """Cut answers, other words, half answers, and links that have expired come as in every contract."""
    asked = vendor.spoken.asked(vendor.order().json())
    for route, do in (("submit", {"cut": "after"}), ("status", {"cut": "before"})):
        faults(route, **do)
        with pytest.raises(httpx.TransportError):
            vendor.order() if route == "submit" else vendor.send("GET", asked)
    faults("status", body="html")
    assert vendor.send("GET", asked).text.startswith("<!doctype html>")
    faults("download", file="expired")
    ended = vendor.ended(vendor.order())
    (link,) = files_of(vendor, ended)
    key = vendor.spoken.key("somebody") if vendor.name == "google-veo" else {}
    assert vendor.http.get(link, headers=key).status_code >= 400 or vendor.name == "minimax"


def test_every_vendor_names_its_pages():
    """Each has sources, says what they leave open, has models with prices, and is spoken to in these tests."""
    assert set(SPOKEN) == set(HOSTED_NAMES) == set(hosted_vendors()) == {vendor for vendor, _ in hosted_models()}
    assert all(vendor.sources and vendor.unread for vendor in hosted_vendors().values())
    models = [model for of_one in hosted_models().values() for model in of_one.values()]
    assert all(price > 0 for model in models for price in model.prices.values())
