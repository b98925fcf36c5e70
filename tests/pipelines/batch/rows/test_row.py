from __future__ import annotations

import pytest

from pipelines.batch.rows.row import character_problem, read_row


def given(**values):
    row, problems, _ = read_row({"prompt": "a cat"} | values)
    return row, [f"{problem.column}: {problem.what}" for problem in problems]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "[::1]", "nas.local", "intranet"])
def test_v23_internal_addresses_are_warned_of(host):
    """The provider opens the address, and it cannot reach this machine."""
    _, problems, warnings = read_row({"prompt": "a", "image_url": f"http://{host}/1.png"})

    assert (len(problems), len(warnings)) == (0, 1)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"character_url": "https://a.example/c.mp4"}, "character_start: is missing"),
        ({"character_start": "1", "character_end": "3"}, "character_url: is missing"),
        ({"character_url": "https://a.example/c.mp4", "character_start": "1", "character_end": "5"}, "is 4 s after"),
        ({"character_url": "https://a.example/c.mp4", "character_start": "3", "character_end": "3"}, "is 0 s after"),
    ],
)
def test_character_columns_come_together(cells, words):
    """All three or none, and one to three seconds of it."""
    assert words in given(**cells)[1][0]


def test_a_character_may_begin_at_zero():
    """0 is a second like any other."""
    row, problems = given(character_url="https://a.example/c.mp4", character_start="0", character_end="3s")
    assert (row.character_start, row.character_end, problems) == (0, 3, [])


def test_a_part_of_a_clip_is_one_to_three_seconds_long():
    """Its three cells come together."""
    whole = {"character_url": "https://a.example/1.mp4", "character_start": 1, "character_end": 4}
    assert character_problem(whole) is None
    assert character_problem(whole | {"character_end": 5}).what == "is 4 s after character_start."
    assert character_problem({"character_start": 1}).column == "character_url"
