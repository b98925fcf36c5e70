from __future__ import annotations

import pytest

from pipelines.run.selection import choose

IDS = ["hero-1", "hero-2", "Hero-10", "a[1]", "b", "B"]


@pytest.mark.parametrize(
    ("only", "chosen"),
    [
        (["hero-1"], ["hero-1"]),
        (["HERO-1"], ["hero-1"]),
        (["hero-*"], ["hero-1", "hero-2", "Hero-10"]),
        (["hero-?"], ["hero-1", "hero-2"]),
        (["a[1]"], ["a[1]"]),
        (["b"], ["b"]),
        (["hero-[12]", "B"], ["hero-1", "hero-2", "B"]),
        (["b", "hero-1"], ["hero-1", "b"]),
    ],
)
def test_a_job_is_named_in_any_case_or_by_a_pattern(only, chosen):
    """An id, letter by letter, means itself, also with brackets in it; else case does not count, and `*` is any letters."""
    assert choose(IDS, only) == (chosen, [])


def test_what_names_nothing_is_given_back():
    """A name that means no job is no reason to choose none in silence."""
    assert choose(IDS, ["hero-1", "nobody", "x*"]) == (["hero-1"], ["nobody", "x*"])
