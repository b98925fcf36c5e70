from __future__ import annotations

import asyncio
import base64
import copy
import json
from dataclasses import dataclass

import pytest

from pipelines.sandbox.http.server import application
from pipelines.sandbox.options import SandboxOptions
from pipelines.sandbox.orders.state import SandboxState

URL = "https://example.com/a.png"
CALL = "http://127.0.0.1:9/c"
ACE = {"callback_url": CALL, "callback_secret": "s", "async": True, "prompt": "a fox"}
#: By address: an order, or a query, with as many fields as go together.
BODIES = {
    "/sora/videos": ACE
    | {"model": "sora-2", "version": "1.0", "duration": 15, "size": "small", "orientation": "portrait"}
    | {"image_urls": [URL], "character_url": URL, "character_start": 1, "character_end": 2},
    "/sora/tasks": {"id": "a", "action": "retrieve"},
    "/kling/tasks": {"ids": ["a"], "action": "retrieve_batch"},
    "/veo/videos": ACE | {"action": "image2video", "model": "veo3", "aspect_ratio": "16:9", "image_urls": [URL]},
    "/kling/videos": ACE
    | {"action": "text2video", "model": "kling-v3-omni", "mode": "std", "duration": 5, "generate_audio": False}
    | {"image_list": [{"image_url": URL, "type": "first_frame"}], "timeout": 1, "aspect_ratio": "1:1"}
    | {"video_list": [{"video_url": URL, "refer_type": "base"}]},
    "/acedata/kling/videos": ACE
    | {"action": "image2video", "start_image_url": URL, "end_image_url": URL, "cfg_scale": 0.5}
    | {"camera_control": {"type": "simple", "config": {"zoom": 1}}},
    "/luma/videos": ACE | {"aspect_ratio": "1:1", "loop": True, "timeout": 1, "start_image_url": URL},
    "/wan/videos": ACE
    | {"action": "image2video", "model": "wan2.6-i2v", "duration": 5, "resolution": "480P", "size": "832x480"}
    | {"image_url": URL, "audio": True, "shot_type": "single", "reference_video_urls": [URL]},
    "/hailuo/videos": ACE | {"action": "generate", "model": "minimax-i2v", "first_image_url": URL},
    "/seedance/videos": {"model": "doubao-seedance-2-0-260128", "async": True, "ratio": "16:9", "frames": 29, "seed": 1}
    | {"content": [{"type": "text", "text": "a fox"}, {"type": "image_url", "image_url": {"url": URL}}]},
    "/happyhorse/videos": ACE | {"action": "image_to_video", "duration": 3, "seed": 1, "image_urls": [URL]},
    "/maestro/videos": {"prompt": "a fox", "duration": 3, "aspect": "1:1", "file_urls": [URL], "langs": ["en", "de"]},
    "/v1/videos": {"prompt": "a fox", "model": "sora-2", "seconds": "4", "size": "1280x720", "input_reference": URL},
    "/openai/v1/videos": {"prompt": "a fox", "model": "sora-2", "input_reference": {"image_url": URL}},
    "/litellm/v1/videos": {"prompt": "a fox", "model": "kling-v2-6", "seconds": "8", "size": "1280x720"},
    "/sglang/v1/videos": {"prompt": "a fox", "seconds": 4, "size": "640x480", "seed": 1, "fps": 24, "num_frames": 24},
    "/qiniu/v1/videos": {"prompt": "a fox", "model": "kling-v3-omni", "seconds": "5", "size": "1280x720"}
    | {"image_list": [{"image": URL, "type": "first_frame"}], "cfg_scale": 0.5, "watermark_info": {"on": True}}
    | {"multi_shot": True, "multi_prompt": [{"index": 1, "prompt": "a fox", "duration": "3"}]},
    "/v1/videos/generations": {
        "model": "veo-3",
        "instances": [{"prompt": "a fox", "image": {"bytesBase64Encoded": "AAAA", "mimeType": "image/png"}}],
        "parameters": {"aspectRatio": "16:9", "durationSeconds": 8, "sampleCount": 2, "seed": 1},
        "callback_url": CALL,
    },
    "/queue/fal-ai/vidu/q2/reference-to-video": {"prompt": "a fox", "aspect_ratio": "16:9", "bgm": False, "duration": 5}
    | {"subjects": [{"id": "host", "images": [URL], "voice_id": ""}]},
    "/queue/fal-ai/kling-video/v3/pro/image-to-video": {"prompt": "a fox", "callback_url": CALL, "start_image_url": URL}
    | {"shot_type": "customize", "multi_prompt": [{"prompt": "a fox"}], "elements": [{}], "cfg_scale": 0.5},
    "/queue/bytedance/seedance-2.0/reference-to-video": {"prompt": "a fox", "image_urls": [URL], "duration": "5"}
    | {"aspect_ratio": "auto", "seed": 1, "generate_audio": True},
    "/replicate/v1/models/google/veo-3-fast/predictions": {
        "input": {"prompt": "a fox", "duration": 4, "image": URL, "seed": 1},
        "webhook": CALL,
        "webhook_events_filter": ["completed"],
    },
    "/fal/v1/fal-ai/veo3/fast/image-to-video": {"prompt": "a fox", "image_url": URL, "duration": "4s"},
    "/runway/v1/image_to_video": {"model": "gen4_turbo", "promptText": "a fox", "ratio": "1280:720", "duration": 5}
    | {"promptImage": [{"uri": URL, "position": "first"}], "seed": 1},
    "/google-veo/v1/models/veo-3.1-generate-preview:predictLongRunning": {
        "instances": [{"prompt": "a fox", "image": {"bytesBase64Encoded": "AAAA", "mimeType": "image/png"}}],
        "parameters": {"aspectRatio": "16:9", "durationSeconds": 8, "seed": 1},
    },
    "/kling/v1/videos/image2video": {"model_name": "kling-v3", "prompt": "a fox", "image": URL, "duration": "3"}
    | {"callback_url": CALL, "external_task_id": "a", "multi_prompt": [{"prompt": "a fox"}]},
    "/minimax/v1/video_generation": {"model": "MiniMax-Hailuo-02", "prompt": "a fox", "duration": 6}
    | {"first_frame_image": URL, "callback_url": CALL},
    "/luma/v1/generations": {"model": "ray-2", "prompt": "a fox", "duration": "5s", "callback_url": CALL}
    | {"keyframes": {"frame0": {"type": "image", "url": URL}, "frame1": {"type": "generation", "id": "a"}}},
    "/ark/v1/contents/generations/tasks": {"model": "seedance-1-5-pro-251215", "frames": 121, "ratio": "adaptive"}
    | {"content": [{"type": "text", "text": "a fox"}, {"type": "image_url", "image_url": {"url": URL}}]},
    "/dashscope/v1/services/aigc/video-generation/video-synthesis": {
        "model": "wan2.7-t2v",
        "input": {"prompt": "a fox"},
        "parameters": {"resolution": "720P", "ratio": "1:1", "duration": 5},
    },
    "/vidu/v1/img2video": {"model": "viduq2-pro", "images": [URL], "duration": 5, "callback_url": CALL},
    "/_sandbox/faults": [
        {
            "match": {"route": "callback", "contract": "openai", "nth": [1], "per": "job", "probability": 0.5},
            "do": {"status": 500, "retry_after": 1, "headers": {"a": "b"}, "delay": 0, "form": "bare"},
        }
    ],
}
TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode()
    for part in ({"alg": "HS256", "typ": "JWT"}, {"iss": "k", "nbf": 0, "exp": 1e12}, {})
)
#: What lets anybody in, where it is not `Bearer k`.
KEYS = {"fal": b"Key k", "vidu": b"Token k", "kling": f"Bearer {TOKEN}".encode()}
ALSO = [(b"x-goog-api-key", b"k"), (b"x-runway-version", b"2024-11-06"), (b"x-dashscope-async", b"enable")]
DEEP = json.loads("[" * 200 + "]" * 200)
ODD = (
    *(None, True, -1, 0.5, 10**400, float("nan"), "", "x", "\ud800", "²", "data:,", "http://[::1"),
    *([], {}, [None], [{}], [{"type": []}], {"image_url": []}, DEEP),
)
RAW = (
    *(b"", b"[]", b"null", b'"x"', b"NaN", b"\xff\xfe", b"{", b'{"a": 1e400}', b'{"a": ' + b"9" * 5_000 + b"}"),
    *(b"[" * 20_000 + b"]" * 20_000, b'{"prompt": "a", "prompt": []}', b'{"id": "a", "id": {}, "action": []}'),
)
QUERIES = (
    "limit=",
    "limit=-1",
    "limit=%C2%B2",
    "limit=" + "9" * 30,
    "order=x",
    "after=%00",
    "variant=%ff",
    "%",
    "a=b;c",
)


def places(document, *path):
    """Every place in a document below the top."""
    if path:
        yield path
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield from places(part, *path, name)


def replaced(document, path, value):
    changed = node = copy.deepcopy(document)
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


@dataclass
class Answered:
    """The status and the body of one answer."""

    status: int = 0
    content: bytes = b""


@pytest.fixture(scope="module")
def ask():
    """Asks the application itself: thousands of requests would mostly measure HTTP."""
    with asyncio.Runner() as runner:

        async def opened():
            return SandboxState(SandboxOptions(latency="0"))

        state = runner.run(opened())
        app = application(state)

        async def asked(address, body, kind):
            answered = Answered()
            key = KEYS.get(address.split("/")[1], b"Bearer k")
            headers = [(b"authorization", key), (b"content-type", kind.encode()), *ALSO]
            scope = {"type": "http", "method": "POST", "path": address, "raw_path": address.encode()}

            async def receive():
                return {"type": "http.request", "body": body}

            async def send(message):
                answered.status = message.get("status", answered.status)
                answered.content += message.get("body", b"")

            await app({**scope, "query_string": b"", "headers": headers, "root_path": ""}, receive, send)
            return answered

        yield lambda *request: runner.run(asked(*request))
        runner.run(state.close())


@pytest.fixture
def post(ask):
    """Posts a body, and looks whether the answer is one that a vendor gives: strict JSON, and no server error."""

    def send(address, body, kind="application/json"):
        answer = ask(address, body, kind)
        assert 200 <= answer.status < 500, (address, body[:300], answer.content)
        json.loads(answer.content, parse_constant=pytest.fail)
        return answer

    yield send
    send("/_sandbox/faults", b"[]")


@pytest.mark.parametrize("address", BODIES)
def test_every_field_may_hold_anything(post, address):
    """Whatever JSON stands in whatever field, at any depth, the answer is the vendor's own, and never a broken server."""
    for path in places(BODIES[address]):
        for value in ODD:
            post(address, json.dumps(replaced(BODIES[address], path, value)).encode())


@pytest.mark.parametrize("address", BODIES)
def test_every_body_may_be_anything(post, address):
    """A body that is empty, no object, too deep, no JSON or no form is refused."""
    for body in RAW:
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
            answer = post(address, body, kind)
            told = answer.content if address.startswith("/minimax") else b"2013"  # which refuses with 200
            assert answer.status in (400, 404, 422) or address.startswith(("/_sandbox", "/minimax", "/fal"))
            assert b"2013" in told


def test_numbers_that_json_does_not_have_are_refused(post):
    """NaN, Infinity and 1e400 are no JSON, wherever they stand."""
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e400"):
        body = b'{"action": "text2video", "prompt": "a", "camera_control": {"config": {"zoom": ' + number + b"}}}"
        assert "JSON" in json.loads(post("/kling/videos", body).content)["error"]["message"]


def test_every_parameter_and_header_may_hold_anything(client, finished):
    """Odd queries, ranges and signatures are refused or ignored."""
    video = client.post("/v1/videos", json={"prompt": "a fox", "seconds": "4"}).json()["id"]
    link = finished(client, f"/v1/videos/{video}")["task_result"]["videos"][0]["url"].partition("?")[0]
    content = f"/v1/videos/{video}/content"
    answers = [
        client.get(f"{path}?{query}") for query in QUERIES for path in ("/v1/videos", content, "/sglang/v1/videos")
    ]
    answers += [
        client.get(f"{link}?{time}&token=%ff&sig=x") for time in ("e=x", "e=" + "9" * 5_000, "se=0", "se=%C2%B2")
    ]
    answers += [
        client.get(content, headers={"range": f"bytes={n}"}) for n in ("x", "-", "9-1", "9" * 5_000 + "-", "-0")
    ]
    answers += [client.post("/queue/fal-ai/x", params={"fal_webhook": url}, json={}) for url in ("", "x", "http://[")]
    assert {answer.status_code for answer in answers} <= {200, 206, 400, 403, 404, 416}
