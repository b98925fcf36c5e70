from __future__ import annotations

import pytest

from pipelines.core.text.counts import counted, first_of


def test_one_is_no_plural():
    """A noun goes by its number."""
    assert [counted(number, "video") for number in (0, 1, 2000)] == ["0 videos", "1 video", "2,000 videos"]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (list("abcdefg"), "a, b, c and 4 more"),
    ],
)
def test_a_long_list_is_cut(ids, words):
    """A sentence names the first few jobs and counts the others."""
    assert first_of(ids) == words
