from __future__ import annotations

import pytest

from pipelines.core.text.suggestion import did_you_mean, edit_distance, near_name

KNOWN = ["qiniu", "acedata", "acedata-kling", "openai"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qinu", 'Did you mean "qiniu"?'),
        ("QINIU", 'Did you mean "qiniu"?'),
        ("kling", 'Did you mean "acedata-kling"?'),
        ("nobody", "Known: qiniu, acedata, acedata-kling, openai."),
    ],
)
def test_the_nearest_name_is_suggested(name, words):
    """The nearest known name, or those that contain the word, or all of them."""
    assert did_you_mean(name, KNOWN) == words


def test_nothing_near_is_no_suggestion():
    """Where nothing is near, nothing is asked; a very long name is compared by its beginning."""
    assert near_name("nobody", KNOWN) == ""
    assert near_name("x" * 1_000_000, KNOWN) == ""


@pytest.mark.parametrize(
    ("left", "right", "edits"),
    [("", "", 0), ("boat", "", 4), ("boat", "boot", 1), ("boat", "baot", 1), ("boat", "boats", 1)],
)
def test_edits_are_counted(left, right, edits):
    """A letter more, less or other is an edit, and so is a swap of neighbours."""
    assert edit_distance(left, right) == edit_distance(right, left) == edits
