from __future__ import annotations

import pytest

from pipelines.providers.responses.missing_clip import missing_clip


@pytest.mark.parametrize(
    ("answer", "places", "words", "is_empty"),
    [
        (
            {"clips": []},
            ["clips[].url"],
            "nothing is read at `clips[].url`, where its profile looks for the clip: `clips` is empty",
            True,
        ),
        (
            {"task": {"videos": None}},
            ["task.videos[].url"],
            "where its profile looks for the clip: `task.videos` is empty",
            True,
        ),
        ({"clips": [{"base64": "!"}]}, ["clips.base64"], "`clips` is a list: write `clips[]`", False),
        ({"clips": [{"base64": "!"}]}, ["clips[].base64"], "for the clip: `clips[].base64` is no link but text", False),
        (
            {"id": "a", "state": "ok"},
            ["clips[].url"],
            "nothing stands at `clips[].url`, where its profile looks",
            False,
        ),
        (
            {"task": {"id": 1}},
            ["task.video.url", "url"],
            "nothing is read at `task.video.url`, where its profile looks for the clip: `task` has: id",
            False,
        ),
        ({"a": [], "b": [1]}, ["a[].url", "b.url"], "`b` is a list: write `b[]`", False),
        ({"a": 1}, ["content"], "its profile names no place for the clip", False),
        ({}, ["url"], "the answer is empty", False),
    ],
)
def test_t27_why_a_clip_is_missing_is_said_in_the_words_of_the_profile(answer, places, words, is_empty):
    """Whoever wrote a profile reads which path leads nowhere, and why; only an empty place is called empty."""
    missing = missing_clip(answer, places)
    assert words in missing.words
    assert missing.is_empty is is_empty


def test_only_names_of_an_answer_are_told_and_few_of_them():
    """Values may be secrets or clips; names may be many, long, and meant to play tricks on a terminal."""
    answer = {"n" * 500: "secret", "e\x1b[31m": 1} | {f"k{number}": "secret" for number in range(20)}
    words = missing_clip(answer, ["url"]).words
    assert "secret" not in words
    assert "\x1b" not in words
    assert words.endswith("k0, k1, k2, k3, k4, k5 and 14 more")
    assert len(words) < 200
