from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipelines.batch.planning.remix_graph import RemixRow, circles, no_clip


def circles_of(parents):
    """The circles of rows that each name one of the others as their parent, by place in the file."""
    rows = [RemixRow(SimpleNamespace(index=index), 0, ()) for index in range(len(parents))]
    place_of = {id(row): place for place, row in enumerate(rows)}

    def parent_of(row):
        parent = parents[place_of[id(row)]]
        return None if parent is None else rows[parent]

    return [[place_of[id(row)] for row in circle] for circle in circles(reversed(rows), parent_of)]


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ([], []),
        ([None, 0, 1], []),
        ([0], [[0]]),
        ([1, 2, 0], [[0, 1, 2]]),
        ([1, 0, 3, 2], [[2, 3], [0, 1]]),
        ([1, 0, 0, 2], [[0, 1]]),
    ],
)
def test_each_circle_is_found_once_and_begins_at_its_first_row(parents, found):
    """Rows that descend from a circle are not in it."""
    assert circles_of(parents) == found


@pytest.mark.parametrize("text", ["video_68d7512d07848190", "27a1128f-14b5-440e-a82d-510c81e6fcd4"])
def test_what_looks_like_a_providers_id_is_taken_for_one(text):
    """Nobody here can know the clips of a provider."""
    assert no_clip(text, {}) is None


@pytest.mark.parametrize(
    ("text", "near", "words"),
    [
        ("cat", {}, "does not look like"),
        ("video_68d7512d07848190" * 50, {}, "does not look like"),
        ("video_68d7512d07848190", {"video_68d7512d07848190": "video-1"}, 'Did you mean "video-1"?'),
    ],
)
def test_any_other_text_is_refused_with_what_was_meant(text, near, words):
    """A slip of the pen in the id of a row comes before the looks of a provider's id."""
    finding = no_clip(text, near)
    assert finding.column == "remix_of"
    assert words in f"{finding.what} {finding.fix}"
