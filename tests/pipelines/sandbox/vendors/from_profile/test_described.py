"""APIs that a profile describes whole, played by the sandbox and spoken with by the real client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
import yaml

from pipelines.core.job import Order
from pipelines.core.outcome import Accepted
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.providers.profile.load import find_profiles
from pipelines.providers.protocol import Phase, Supplies

FORM_TYPE = "application/x-www-form-urlencoded"
SHIPPED = Path(__file__).parents[5] / "pipelines" / "providers" / "profiles"
SHOWN = [SHIPPED / f"{name}.yaml" for name in ("fal", "google-veo", "kling", "replicate")]
ODD = {
    "name": "odd",
    "title": "All that is unusual at once",
    "contract": "described",
    "base_url": "https://odd.example/api",
    "auth": {"header": "X-Odd-Key", "scheme": ""},
    "headers": {"X-Odd-Version": "7"},
    "idempotency_header": "X-Odd-Attempt",
    "default_model": "odd/one",
    "prompt_most": 100,
    "paths": {
        "submit": "/v{version}/{model}/jobs",
        "status": "/jobs/{id}",
        "result": "/jobs/{id}/outcome",
        "list": "/jobs",
    },
    "fixed": {"input": {"watermark": False}},
    "id_path": "job.ref",
    "answers": {
        "done": "job.over",
        "failed": ["job.problem"],
        "error_code": "job.problem.kind",
        "error_message": "job.problem.words",
        "trace": "trace",
        "seconds": "job.made.seconds",
        "moderation_words": ["indecent"],
        "list_items": "jobs[]",
        "list_prompt": "job.words",
        "list_created": "job.at",
        "list_next": "more.href",
    },
    "results": ["files[].href"],
    "supports": ["list"],
    "list_parameters": {"newest": "yes"},
    "modes": [
        {
            "name": "odd",
            "models": ["odd/one", "odd/two"],
            "model_field": None,
            "prompt_field": "input.words[0]",
            "headers": {"X-Odd-Mode": "odd"},
            "seconds": {"allowed": [2, 4], "default": 2, "field": "input.ms", "type": "integer", "unit": "millisecond"},
            "size": {
                "allowed": ["640x360", "360x640"],
                "default": "640x360",
                "width_field": "input.frame.w",
                "height_field": "input.frame.h",
            },
            "parameters": {"version": {"default": "1"}, "mood": {"field": "input.mood", "allowed": ["calm", "wild"]}},
        }
    ],
}
ODDER = {
    "name": "odder",
    "title": "A file by its own id, and the clip in the answer",
    "contract": "described",
    "base_url": "https://odder.example/api",
    "auth": {"by": "query", "query": "token"},
    "default_model": "odder/one/fast",
    "prompt_most": 100,
    "paths": {
        "submit": "/jobs?kind=clip",
        "status": "/ask?job={id}&full=yes",
        "result": "/files/{result_id}",
        "cancel": "/jobs/{id}/stop",
    },
    "cancel_method": "PUT",
    "bills_cancelled": "no",
    "callback_query": "hook",
    "attempt_field": "meta.attempt",
    "id_path": "job",
    "status_path": "stands",
    "words": {"waits": "running", "made": "succeeded", "lost": "failed", "stopped": "cancelled"},
    "answers": {
        "result_id": "file",
        "clip_base64": "clip.bytes",
        "error_code": ["why.code", "code"],
        "error_message": "why.words",
        "moderation_words": ["rude"],
        "list_items": "mine[]",
        "list_id": "name",
        "list_status": "now",
        "list_model": "by",
        "list_page": "page",
        "list_first": 0,
    },
    "supports": ["list"],
    "modes": [
        {
            "name": "clip",
            "models": ["odder/one/fast"],
            "paths": {"list": "/mine?kind=clip"},
            "seconds": {"allowed": [2, 4], "default": 2, "suffix": "s"},
            "size": {"allowed": ["640x360", "360x640"], "default": "640x360", "between": "*"},
            "images": {
                "most": 2,
                "style": "frames",
                "field": "pictures",
                "item_field": "uri",
                "item_fixed": {"kind": "image"},
                "roles": ["first", "last"],
                "role_field": "at",
            },
        }
    ],
}
FORMED = {
    "name": "formed",
    "title": "Orders are forms of text",
    "contract": "described",
    "base_url": "https://formed.example",
    "default_model": "formed-1",
    "prompt_most": 100,
    "encoding": "urlencoded",
    "paths": {"submit": "/orders", "status": "/orders/{id}", "list": "/orders?mine=yes"},
    "fixed": {"input": {"watermark": False}},
    "id_path": "order",
    "status_path": "state",
    "words": {"open": "running", "made": "succeeded", "broken": "failed"},
    "answers": {
        "error_code": "problem.code",
        "error_message": "problem.text",
        "list_items": "orders[]",
        "list_next": "page.next",
        "list_cursor": "from",
    },
    "supports": ["list"],
    "results": ["film"],
    "modes": [
        {
            "name": "film",
            "models": ["formed-1"],
            "prompt_field": "input.words",
            "seconds": {"allowed": [2, 4], "default": 2, "type": "integer"},
            "size": {"allowed": ["640x360", "360x640"], "default": "640x360"},
            "images": {"most": 2, "field": "pictures"},
        }
    ],
}
COUNTED = {
    **FORMED,
    "name": "counted",
    "paths": {**FORMED["paths"], "list": "/bought?mine=yes"},
    "answers": {"list_items": "orders[]", "list_offset": "skip"},
}
PICTURES = ("https://example.com/a.png", "https://example.com/b.png")
BODY = {"input": {"words": ["a fox"], "ms": 4000, "frame": {"w": 360, "h": 640}, "watermark": False}}
HEADERS = {"x-odd-key": "somebody-0123", "x-odd-version": "7", "x-odd-mode": "odd"}


@pytest.fixture(scope="module")
def played(start, tmp_path_factory):
    """A sandbox that plays them."""
    folder = tmp_path_factory.mktemp("profiles")
    odd = []
    for document in (ODD, ODDER, FORMED, COUNTED):
        odd.append(folder / f"{document['name']}.yaml")
        odd[-1].write_text(yaml.safe_dump(document, sort_keys=False))
    files = (*odd, *SHOWN)
    with start(profile=files) as office:
        yield office, find_profiles(files).profiles


def length_in(mode):
    return (mode.seconds.default, *mode.seconds.allowed)[-1]


def an_order(profile, **more):
    mode = profile.modes[0]
    usual = {"seconds": length_in(mode), "orientation": mode.orientation and "portrait"}
    usual |= {"size": mode.size and mode.size.allowed[-1], "provider": profile.name, "mode": mode.name}
    return Order(**{"model": mode.models[0], "prompt": "a fox", **usual, **more})


async def nothing():
    """Let it be sent."""


def at(office, profile):
    return f"{office.base_url}".rstrip("/") + f"/{profile.name}/v1"


async def ended(client, job):
    """Wait until a job has ended."""
    for _ in range(400):
        if (progress := await client.check(job)).phase is not Phase.RUNNING:
            return progress
        await asyncio.sleep(0.02)
    raise AssertionError(progress)


@pytest.mark.parametrize("name", ["odd", "formed", "replicate", "fal", "kling", "google-veo"])
async def test_what_a_profile_describes_is_bought_and_made(played, name):
    """The order is taken as the profile has it, and its clip, or why there is none, is where the profile says."""
    office, profiles = played
    profile = profiles[name]
    async with Http() as http:
        client = Client(http, profile, at(office, profile), profile.auth.key_for("somebody-0123"), trusted=True)
        verdict = await client.submit(an_order(profile), Supplies(), nothing)
        assert isinstance(verdict, Accepted), verdict
        progress = await ended(client, verdict.job)
        assert progress.phase is Phase.SUCCEEDED
        file = await http.ask("GET", progress.links[0].url, headers={})
        assert file.body[4:8] == b"ftyp"
        line = office.get("/_sandbox/bill").json()[-1]
        assert (line["contract"], line["model"], line["prompt"]) == (name, profile.modes[0].models[0], "a fox")
        assert (line["seconds"], line["width"] < line["height"]) == (length_in(profile.modes[0]), True)
        for outcome, code in (("generation_failed", None), ("moderation_blocked", "moderation_blocked")):
            rule = {"match": {"route": "submit", "contract": name}, "do": {"outcome": outcome}}
            office.post("/_sandbox/faults", json=[rule]).raise_for_status()
            verdict = await client.submit(an_order(profile), Supplies(), nothing)
            progress = await ended(client, verdict.job)
            office.post("/_sandbox/faults", json=[]).raise_for_status()
            assert progress.phase is Phase.FAILED
            assert progress.message
            assert code in (None, progress.code)
        if "list" in profile.supports:
            listed = await client.list_recent(1)
            said = "a fox" if profile.answers.list_prompt else None
            assert (listed[0].job.id, listed[0].prompt) == (verdict.job.id, said)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"path": "/odd/v1/v2.5/odd/two/jobs"}, 200),
        ({"path": "/odd/v1/v1/odd/three/jobs"}, 404),
        ({"path": "/odd/v1/jobs"}, 404),
        ({"headers": {"x-odd-version": "8"}}, 400),
        ({"headers": {"x-odd-mode": ""}}, 400),
        ({"headers": {"x-odd-key": ""}}, 401),
        ({"body": {"input.words[0]": "a fox"}}, 400),
        ({"body": BODY | {"version": "1"}}, 400),
        ({"body": {"input": BODY["input"] | {"watermark": True}}}, 400),
        ({"body": {"input": BODY["input"] | {"ms": 4}}}, 400),
        ({"body": {"input": BODY["input"] | {"ms": "4000"}}}, 400),
        ({"body": {"input": BODY["input"] | {"mood": "loud"}}}, 400),
        ({"body": {"input": BODY["input"] | {"mood": "wild"}}}, 200),
        ({"body": {"input": BODY["input"] | {"frame": {"w": 360}}}}, 200),
        ({"body": {"input": BODY["input"] | {"extra": 1}}}, 400),
    ],
)
def test_what_the_profile_does_not_have_is_refused(played, change, status):
    """Path, key, headers, places, types and constants: each has to be as the profile says."""
    office, _ = played
    before = len(office.get("/_sandbox/bill").json())
    headers = HEADERS | change.get("headers", {})
    address = f"{office.base_url}".rstrip("/") + change.get("path", "/odd/v1/v1/odd/one/jobs")
    answer = httpx.post(address, json=change.get("body", BODY), headers=headers, trust_env=False)
    assert answer.status_code == status, answer.text
    assert len(office.get("/_sandbox/bill").json()) - before == (status == 200)


async def test_a_clip_in_an_answer_comes_by_an_id_of_its_own(played):
    """The finished job names a file, whose answer holds the clip; a job that ended without one says why in its own answer."""
    office, profiles = played
    profile = profiles["odder"]
    async with Http() as http:
        client = Client(http, profile, at(office, profile), "somebody-0123", trusted=True)
        supplies = Supplies(PICTURES, attempt="attempt-1")
        verdict = await client.submit(an_order(profile, image_urls=PICTURES), supplies, nothing)
        assert isinstance(verdict, Accepted), verdict
        (link,) = (await ended(client, verdict.job)).links
        assert link.data[4:8] == b"ftyp"
        line = office.get("/_sandbox/bill").json()[-1]
        assert (line["seconds"], line["width"], line["height"]) == (4, 360, 640)
        (listed,) = await client.list_recent(1)
        assert (listed.job.id, listed.status, listed.model) == (verdict.job.id, "made", "odder/one/fast")
        rule = {"match": {"route": "submit", "contract": "odder"}, "do": {"outcome": "moderation_blocked"}}
        office.post("/_sandbox/faults", json=[rule]).raise_for_status()
        verdict = await client.submit(an_order(profile), Supplies(), nothing)
        progress = await ended(client, verdict.job)
        office.post("/_sandbox/faults", json=[]).raise_for_status()
        assert (progress.phase, progress.code) == (Phase.FAILED, "moderation_blocked")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/odder/v1/jobs?token=k", {}, 200),
        ("/odder/v1/jobs", {}, 401),
        ("/odder/v1/jobs?token=k", {"size": "640x360"}, 400),
        ("/odder/v1/jobs?token=k", {"pictures": [{"uri": PICTURES[0], "at": "first"}]}, 400),
        ("/odder/v1/jobs?token=k", {"pictures": [{"uri": PICTURES[0], "kind": "image", "type": "first"}]}, 400),
    ],
)
def test_objects_and_signs_are_as_the_profile_has_them(played, path, body, status):
    """What stands between width and height, what stands beside a picture, and the key in the query."""
    office, _ = played
    address = f"{office.base_url}".rstrip("/") + path
    plain = {"model": "odder/one/fast", "prompt": "a fox", "seconds": "2s", "size": "640*360"}
    assert httpx.post(address, json=plain | body, trust_env=False).status_code == status


FORM = {"model": "formed-1", "input": '{"words": "a fox", "watermark": false}', "seconds": "4", "size": "360x640"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": FORM}, 200),
        ({"data": FORM | {"pictures": json.dumps(PICTURES)}}, 200),
        ({"json": FORM}, 400),
        ({"files": {name: (None, value) for name, value in FORM.items()}}, 400),
        ({"content": urlencode(FORM), "headers": {"content-type": "text/plain"}}, 400),
        ({"content": urlencode(FORM) + "&seconds=4", "headers": {"content-type": FORM_TYPE}}, 400),
        ({"content": "seconds", "headers": {"content-type": FORM_TYPE}}, 400),
        ({"data": FORM | {"input": "a fox"}}, 400),
        ({"data": FORM | {"input": '{"words": "a fox"}'}}, 400),
        ({"data": {"input[words]": "a fox", "input[watermark]": "false", "model": "formed-1"}}, 400),
        ({"data": FORM | {"seconds": "four"}}, 400),
        ({"data": FORM | {"pictures": PICTURES[0]}}, 400),
        ({"data": FORM | {"colour": "red"}}, 400),
    ],
)
def test_a_form_of_text_is_taken_as_the_profile_has_it_and_nothing_else(played, sent, status):
    """`encoding: urlencoded`: another content type is refused, and so is a field twice, or nested in another way."""
    office, _ = played
    headers = {"authorization": "Bearer somebody-0123", **sent.pop("headers", {})}
    address = f"{office.base_url}".rstrip("/") + "/formed/v1/orders"
    answer = httpx.post(address, headers=headers, trust_env=False, **sent)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["odd", "formed", "odder", "counted"])
async def test_a_list_is_read_page_by_page(played, monkeypatch, name):
    """By an address or a cursor that the answer gives, by number or by offset; not further than is wanted, or than it is long."""
    monkeypatch.setattr("pipelines.sandbox.vendors.from_profile.described.PAGE", 2)
    office, profiles = played
    profile, key = profiles[name], f"lister-of-{name}-0123"
    async with Http() as http:
        client = Client(http, profile, at(office, profile), key, trusted=True)
        bought = [(await client.submit(an_order(profile), Supplies(), nothing)).job.id for _ in range(5)]
        assert [each.job.id for each in await client.list_recent(9)] == bought[::-1]
        path = (profile.paths | profile.modes[0].paths)["list"].partition("?")[0]
        counted = office.get("/_sandbox/requests").json()["routes"]
        assert [each.job.id for each in await client.list_recent(3)] == bought[:1:-1]
        now = office.get("/_sandbox/requests").json()["routes"]
        assert [now[route] - counted[route] for route in now if route.startswith("GET") and route.endswith(path)] == [2]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/formed/v1/orders?mine=yes", 200),
        ("/formed/v1/orders", 400),
        ("/formed/v1/orders?mine=yes&from=cursor-of-nobody", 400),
        ("/counted/v1/bought?mine=yes&skip=0", 200),
        ("/counted/v1/bought?mine=yes", 400),
        ("/counted/v1/bought?mine=yes&skip=-1", 400),
    ],
)
def test_a_list_is_asked_for_as_the_profile_has_it(played, path, status):
    """With the query of its path, no cursor that no page has named, and a number where pages are counted."""
    office, _ = played
    headers = {"authorization": "Bearer somebody-0123"}
    assert httpx.get(f"{office.base_url}".rstrip("/") + path, headers=headers, trust_env=False).status_code == status
