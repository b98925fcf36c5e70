"""What a check says: each answer by its stages, and what nobody has looked at."""

from __future__ import annotations

import json

from pipelines.actions.check_report import coverage, reading_lines
from pipelines.actions.sample_answers import Sample, read_sample
from pipelines.providers.profile.load import shipped_profiles

PROFILES = shipped_profiles()
MINIMAL = PROFILES["fal"].model_copy(update={"prices": (), "limits": type(PROFILES["fal"].limits)()})
ACCEPTED = {"request_id": "r-1", "status": "IN_QUEUE", "status_url": "https://queue.fal.run/s"}


def read(body, status=200, stage=None, profile=PROFILES["fal"]):
    """The reading of an answer by a shipped profile."""
    return read_sample(profile, profile.modes[0], Sample(json.dumps(body).encode(), status, stage))


def test_an_answer_is_told_by_its_stages():
    """All of them where nobody said which; else only that, and whether it contradicts the profile."""
    said = list(reading_lines("a.json", read(ACCEPTED)))
    assert [line.partition(":")[0] for line in said if not line.startswith("    ")] == [
        "a.json",
        "  as the answer to an order",
        "  as the answer to a query",
        "  as the result of a job that has ended",
        "  fits",
    ]
    assert said[-1] == "  fits: order, query"
    assert list(reading_lines("a.json", read({"hi": 1}, stage="order")))[-1] == "  CONTRADICTS the profile"
    assert "fits no stage" in list(reading_lines("a.json", read({"hi": 1})))[-1]
    assert list(reading_lines("a.json", read(ACCEPTED, stage="order")))[-1] == "  the profile reads it"


def test_what_nobody_has_looked_at_is_said():
    """Each kind of answer, words and codes that none has shown, and what the profile leaves open."""
    covered, missing = coverage(MINIMAL, [read(ACCEPTED, stage="order")], rehearsed=False)
    assert covered == ["the requests", "the answer to an order"]
    said = "\n".join(missing)
    for words in ("the answer to a query: paste", "an error: paste", "that no answer has shown", "a rehearsal"):
        assert words in said
    for words in ("prices: none for", "limits: none are given"):
        assert words in said


def test_what_was_looked_at_is_not_missing():
    """With an answer of each stage, an error and a rehearsal, only what the profile leaves open is."""
    film = {"video": {"url": "https://files.example/a.mp4"}}
    error = {"detail": [{"msg": "too dark", "type": "value_error"}]}
    readings = [read(ACCEPTED), read(film, stage="result"), read(error, 422)]
    covered, missing = coverage(PROFILES["fal"], readings, rehearsed=True)
    assert covered[1:] == [
        "the answer to an order",
        "the answer to a query",
        "the answer with the file",
        "an error",
        "a rehearsal",
    ]
    assert not [each for each in missing if "paste one" in each]
    luma = PROFILES["luma"]
    done = {"id": "a", "state": "completed", "assets": {"video": "https://files.example/a.mp4"}}
    assert "the answer with the file" in coverage(luma, [read(done, profile=luma)], rehearsed=True)[0]
