"""Answers that were pasted are read as the client reads them, and where nothing is read it is said why."""

from __future__ import annotations

import base64
import json

import pytest

from pipelines.actions.sample_answers import STAGES, Sample, read_sample, sample_answer
from pipelines.core.errors import SetupError
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile

PROFILES = shipped_profiles()

#: The clip is itself in the answer at the address of a result, in base64.
LANTERN = {
    "name": "lantern",
    "title": "Lantern",
    "contract": "described",
    "base_url": "https://video.lantern.example/api",
    "default_model": "one",
    "prompt_most": 800,
    "paths": {"submit": "/renders", "status": "/renders/{id}", "result": "/renders/{id}/outcome"},
    "modes": [{"name": "render", "models": ["one"]}],
    "id_path": "render.ref",
    "status_path": "render.phase",
    "words": {"working": "running", "ready": "succeeded", "broken": "failed"},
    "answers": {"clip_base64": "clips[].base64", "error_code": ["fault.kind"], "error_message": ["fault.text"]},
    "errors": {"bad_token": "key", "refused_content": "moderation"},
}
ORDERED = {"render": {"ref": "r-1", "phase": "working"}}
CLIP = {"clips": [{"base64": base64.b64encode(b"a clip").decode()}]}


def read(body, status=200, stage=None, **other):
    """The reading of an answer by the lantern's profile, with changes."""
    profile = Profile.model_validate(LANTERN | other)
    return read_sample(profile, profile.modes[0], Sample(json.dumps(body).encode(), status, stage))


READINGS = [
    (
        "fal",
        200,
        {"request_id": "r-1", "status_url": "https://queue.fal.run/s"},
        "accepted, as job r-1; ask at",
        "running",
    ),
    ("fal", 422, {"detail": [{"msg": "too dark", "type": "value_error"}]}, "refused (row): too dark", "no news"),
    (
        "kling",
        200,
        {"code": 0, "data": {"task_id": "t", "task_status": "submitted"}},
        "accepted",
        "running ('submitted')",
    ),
    ("kling", 429, {"code": 1101, "message": "no balance"}, "refused (funds)", "no news"),
    (
        "replicate",
        200,
        {"id": "p", "status": "succeeded", "output": ["https://a.example/b.mp4"]},
        "accepted",
        "file at",
    ),
    (
        "replicate",
        200,
        {"id": "p", "status": "succeeded", "urls": {"x": "https://a"}},
        "accepted",
        "though it may have one; the run asks again for some minutes, then parks the job",
    ),
    ("replicate", 502, {"oops": 1}, "in doubt", "no news"),
    (
        "google-veo",
        200,
        {"name": "o", "done": True, "error": {"code": 3, "message": "bad"}},
        "accepted",
        "failed ('done'); bad",
    ),
]


@pytest.mark.parametrize(("name", "status", "said", "as_order", "as_query"), READINGS)
def test_what_an_answer_says_is_said(name, status, said, as_order, as_query):
    """As the answer to an order: bought or not; as one to a query: phase, links and error."""
    reading = read_sample(PROFILES[name], PROFILES[name].modes[0], Sample(json.dumps(said).encode(), status))
    assert as_order in reading.as_order.says
    assert as_query in reading.as_query.says


def test_each_stage_says_how_it_reads_an_answer():
    """Also where nothing is read: with the place, and what there is instead."""
    reading = read(CLIP, status_path="render.state")
    assert reading.fits == ("result",)
    assert reading.as_result.says == "succeeded ('ready'); the file itself, 6 bytes"
    assert reading.as_order.why == ("nothing at `render.ref`; there is: clips",)
    assert reading.as_query.why == ("nothing at `render.state`; there is: clips",)
    ordered = read(ORDERED, status_path="render.state")
    assert (ordered.fits, ordered.contradicts) == (("order",), False)
    assert ordered.as_query.why == ("nothing at `render.state`; `render` has: ref, phase",)


MISTAKES = [
    ("order", ORDERED, {"id_path": "render.id"}, "nothing at `render.id`; `render` has: ref, phase"),
    ("query", ORDERED, {"status_path": "phase"}, "nothing at `phase`; there is: render"),
    ("query", ORDERED, {"words": {"ready": "succeeded"}}, "the word 'working' is not in `words`"),
    ("result", CLIP, {"answers": {"clip_base64": "clips.base64"}}, "`clips` is a list: write `clips[]`"),
    ("result", CLIP, {"answers": {}, "results": ["clips[].base64"]}, "`clips[].base64` is no link but text"),
    ("result", {"clips": [{"base64": "%"}]}, {}, "`clips[].base64` is no base64 but text"),
    ("result", {"clips": [{"base64": None}]}, {}, "`clips[].base64` is empty"),
    ("result", {"clips": []}, {}, "`clips` is empty; the answer has clips"),
    ("query", CLIP, {}, "nothing at `render.phase`; there is: clips"),
]


@pytest.mark.parametrize(("stage", "body", "other", "why"), MISTAKES)
def test_a_wrong_place_contradicts_the_answer(stage, body, other, why):
    """Each place of a profile that a stage needs is held against an answer that is said to be from there."""
    reading = read(body, 200, stage, **other)
    assert reading.contradicts
    assert why in "; ".join(reading.at(stage).why)


@pytest.mark.parametrize("body", [{"films": [{"base64": "AAAA"}]}, {"clips": [{"base64": "%"}]}, {"clips": []}])
def test_a_clip_at_another_place_or_broken_is_not_given_up(body):
    """It may be paid for, and is had once the profile is mended."""
    assert "the run asks again for some minutes, then parks the job" in read(body).as_result.says


def test_an_answer_that_fits_nowhere_contradicts_too():
    """Without a stage one that fits is enough; an error that is read fits each."""
    assert read({"hello": 1}).contradicts
    assert read({"fault": {"kind": "bad_token", "text": "no"}}, 401).fits == STAGES
    wrong = read({"fault": {"kind": "bad_token", "text": "no"}}, 401, answers={"error_code": ["fault.code"]})
    assert wrong.as_order.why == ("nothing at `fault.code`; `fault` has: kind, text",)


def test_a_clip_that_a_page_has_cut_short_is_no_mistake():
    """Its place is right, and that is said; at another place it is one."""
    cut = {"clips": [{"base64": "AAAAIGZ0eXBpc29t..."}]}
    reading = read(cut, 200, "result")
    assert not reading.contradicts
    assert "cut short" in reading.as_result.says
    assert "query" not in reading.fits


@pytest.mark.parametrize(
    ("status", "kind", "then"),
    [
        (401, "bad_token", "asks no more there"),
        (402, "wallet_empty", "asks again, for up to"),
        (403, "suspended", "asks again, for up to"),
        (404, "no_such_render", "parks the job as lost"),
        (422, "refused_content", "failed ('ready'); no (refused_content)"),
        (429, "too_fast", "asks again, more slowly"),
        (500, "internal", "asks again, for up to"),
    ],
)
def test_an_error_at_the_result_says_what_the_run_does(status, kind, then):
    """Only an error about the job itself is its end; with any other the run asks again."""
    assert then in read({"fault": {"kind": kind, "text": "no"}}, status).as_result.says


def test_a_word_that_nobody_knows_is_said():
    """It is taken for running, and whoever wrote the profile hears of it."""
    sample = Sample(b'{"request_id": "r", "status": "ASLEEP"}')
    reading = read_sample(PROFILES["fal"], PROFILES["fal"].modes[0], sample)
    assert "the word 'asleep' is not in `words`" in reading.as_query.why[0]


def test_a_separate_result_is_read_as_one():
    """What stands at the address of a result has no word of its own; a profile without one asks for none."""
    sample = Sample(b'{"video": {"url": "https://files.example/a.mp4"}}')
    reading = read_sample(PROFILES["fal"], PROFILES["fal"].modes[0], sample)
    assert reading.as_result.says == "succeeded ('completed'); file at https://files.example/a.mp4"
    assert "never asked for" in read_sample(PROFILES["luma"], PROFILES["luma"].modes[0], sample).as_result.says


def test_a_done_job_without_a_clip_is_said_as_the_run_says_it():
    """Where the profile looks, why nothing is read there, and which key may be missing: in the same words."""
    answer = {"id": "p", "status": "succeeded", "output": {"film": "https://a.example/b.mp4"}}
    reading = read_sample(PROFILES["replicate"], PROFILES["replicate"].modes[0], Sample(json.dumps(answer).encode()))
    assert reading.as_query.why == (reading.progress.missing.words,)
    assert "nothing is read at `output[]`" in reading.as_query.why[0]
    assert "`paths.result` has to name it" in reading.as_query.why[0]


def test_a_sample_may_have_a_status_and_a_stage(tmp_path):
    """`422:FILE` is an answer of HTTP 422, `query=FILE` one to a query; what is no answer is refused in words."""
    path = tmp_path / "a.json"
    path.write_text('{"detail": "no"}')
    body = b'{"detail": "no"}'
    assert sample_answer(f"422:{path}") == Sample(body, 422)
    assert sample_answer(f"query=404:{path}") == Sample(body, 404, "query")
    assert sample_answer(str(path)) == Sample(body)
    for text in (str(tmp_path / "none.json"), str(tmp_path)):
        with pytest.raises(SetupError, match="cannot be read"):
            sample_answer(text)
    for text, words in (
        (f"answer={path}", "names no answer"),
        ("order=", "names no answer"),
        (f"999:{path}", "999 is no"),
    ):
        with pytest.raises(SetupError, match=words):
            sample_answer(text)
    path.write_text("<html>")
    with pytest.raises(SetupError, match="no JSON object"):
        sample_answer(str(path))
