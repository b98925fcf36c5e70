"""A profile is tried before anybody pays: what it would send, what it reads, and what a rehearsal comes to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.actions.check_profile import (
    rehearse_sample,
    request_lines,
    requests_of,
    sample_order,
)
from pipelines.actions.sample_answers import Sample, read_sample
from pipelines.providers.profile.load import find_profiles, shipped_profiles
from pipelines.providers.profile.order_parts import Images

PROFILES = shipped_profiles()
DOCS = Path(__file__).parents[3] / "docs"
PROFILES_PAGE = (DOCS / "profiles.md").read_text("utf-8")
EVERY = [(profile, mode) for profile in PROFILES.values() for mode in profile.modes]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("minimax", "https://api.minimax.io/v1/files/retrieve?file_id=RESULT-ID"),
        ("fal", "https://queue.fal.run/(the address in response_url)"),
        ("replicate", None),
    ],
)
async def test_the_result_of_a_job_is_asked_for_where_it_is_a_request_of_its_own(name, address):
    """It is the third that is shown, before that which cancels."""
    profile = PROFILES[name]
    requests = await requests_of(profile, sample_order(profile, profile.modes[0]))
    assert [each.url for each in requests[2:] if "/cancel" not in each.url] == ([address] if address else [])


@pytest.mark.parametrize(("profile", "mode"), EVERY, ids=lambda one: one.name)
async def test_every_mode_of_every_profile_can_be_shown(profile, mode):
    """The request of a sample order can be seen, also one with everything in it; the key is in none of it."""
    for full in (False, True):
        sent = await requests_of(profile, sample_order(profile, mode, full=full))
        assert sent[0].method == "POST"
        said = "\n".join(line for request in sent for line in request_lines(request))
        assert "KEY-OF-YOURS" not in said
        assert not profile.needs_key or "(the key)" in said or "(a token that the key signs)" in said


async def test_a_key_in_the_query_is_hidden_too():
    """Neither address nor header shows it."""
    profile = PROFILES["replicate"]
    auth = profile.auth.model_validate({"by": "query", "query": "token"})
    asked = profile.model_copy(update={"auth": auth})
    sent = await requests_of(asked, sample_order(asked, asked.modes[0]))
    assert [each.url.partition("?")[2] for each in sent] == ["token=(the key)"] * 3
    assert "authorization" not in sent[0].headers


async def test_a_form_of_text_is_shown_field_by_field():
    """As a page of the API has it, and a picture by its name."""
    profile = PROFILES["luma"].model_copy(update={"encoding": "urlencoded"})
    images = Images(most=1, style="url", forms=("base64",), field="input.picture")
    mode = profile.modes[0].model_copy(update={"prompt_field": "input.words", "images": images})
    profile = profile.model_copy(update={"modes": (mode,)})
    ordered, *_ = await requests_of(profile, sample_order(profile, mode, full=True))
    said = list(request_lines(ordered))
    assert "content-type: application/x-www-form-urlencoded" in said
    assert 'input={"words": "a fox in the snow", "picture": "(picture.png in base64)"}' in said


NESTED = """
name: nest
extends: {base}
title: Nested
base_url: https://nest.example/v1
auth: {auth}
default_model: m
supports: []
fixed: {{input: {{safe: true}}, async: true}}
modes:
  - name: video
    models: [m]
    prompt_field: input.prompt
    seconds: {{allowed: [4], default: 4, field: input.frames, type: integer, unit: frame, fps: 16, more_frames: 1}}
    size: {{allowed: [1280x720], default: 1280x720, ratio_field: input.ratio, resolution_field: input.res}}
    images: {{most: 1, forms: [url], style: url, field: input.image}}
"""


@pytest.mark.parametrize(("base", "auth"), [("openai", "{by: query}"), ("acedata-luma", "{by: jwt}")])
async def test_places_and_keys_are_data_in_other_contracts_too(tmp_path, base, auth):
    """What is sent stands at its place, beside constants, with the key as the profile shows it; and it can be rehearsed."""
    path = tmp_path / "nest.yaml"
    path.write_text(NESTED.format(base=base, auth=auth))
    profile = find_profiles([path]).profiles["nest"]
    ordered = (await requests_of(profile, sample_order(profile, profile.modes[0])))[0]
    wanted = {"prompt": "a fox in the snow", "frames": 65, "ratio": "16:9", "res": "720p", "safe": True}
    assert json.loads(ordered.body)["input"] == wanted
    (made,) = await rehearse_sample(profile, tmp_path)
    assert "made, and fetched" in made.says


@pytest.mark.long
async def test_the_ten_steps_make_a_profile(tmp_path):
    """What the steps of docs/profiles.md show, put together, is the whole profile at their end: it orders, and reads answers."""
    steps = PROFILES_PAGE.partition("## A profile from nothing")[2].partition("\n## ")[0]
    parts = re.findall(r"^( +)```yaml\n(.*?)^ +```", steps, re.DOTALL | re.MULTILINE)
    whole = DOCS / "examples" / "reelbatch.providers" / "paperboat.yaml"
    path = tmp_path / "paperboat.yaml"
    path.write_text("".join(re.sub(f"^{margin}", "", part, flags=re.MULTILINE) for margin, part in parts))
    profile = find_profiles([path]).profiles["paperboat"]
    assert profile == find_profiles([whole]).profiles["paperboat"]
    (mode,) = profile.modes
    order = sample_order(profile, mode, full=True)
    ordered, asked, ended = await requests_of(profile, order)
    assert ordered.url == "https://api.paperboat.example/v2/boat/one/voyages"
    body = json.loads(ordered.body)
    assert body["input"].pop("first_picture") == "(picture.png in base64)"
    said = {"text": "a fox in the snow", "ms": 4000, "w": 1280, "h": 720, "wind": "calm", "watermark": False}
    assert body == {"input": said, "order_mark": "ATTEMPT-NAME"}
    assert (asked.url.rpartition("/v2")[2], asked.headers["x-boat-key"]) == ("/voyages/JOB-ID", "(the key)")
    assert ended.url.rpartition("/v2")[2] == "/voyages/JOB-ID/film"
    film = b'{"films": [{"href": "https://files.paperboat.example/a.mp4"}]}'
    assert "file at https://files" in read_sample(profile, mode, Sample(film)).as_result.says
    assert (
        "rude"
        in read_sample(profile, mode, Sample(b'{"trouble": {"kind": "rude", "words": "no"}}', 422)).as_result.says
    )
    (made,) = await rehearse_sample(profile, tmp_path)
    assert "made, and fetched" in made.says


@pytest.mark.long
async def test_the_profile_of_the_transcript_is_one(tmp_path):
    """That which docs/profiles.md shows as a reader's own reads a clip in base64, and is rehearsed."""
    text = PROFILES_PAGE.partition("## Tried by somebody")[2].partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "lantern.yaml"
    path.write_text(text)
    profile = find_profiles([path]).profiles["lantern"]
    (made,) = await rehearse_sample(profile, tmp_path)
    assert "made, and read" in made.says


async def test_shipped_profiles_can_be_shown_too():
    """What is checked need not be described: each contract has its request."""
    for profile in shipped_profiles().values():
        assert await requests_of(profile, sample_order(profile, profile.modes[0]))
