from __future__ import annotations

import pytest

from pipelines.providers.responses.unread import Reach, unread_at


@pytest.mark.parametrize(
    ("answer", "place", "words", "reach"),
    [
        ({}, "a.b", "nothing at `a.b`; there is: nothing", Reach.NOWHERE),
        ({"c": 1}, "a.b", "nothing at `a.b`; there is: c", Reach.NOWHERE),
        ({"a": 1}, "a.b", "nothing at `a.b`; `a` is a number", Reach.BEGUN),
        ({"a": {"c": 1}}, "a.b", "nothing at `a.b`; `a` has: c", Reach.BEGUN),
        ({"a": [{"c": 1}]}, "a[].b", "nothing at `a[].b`; `a[]` has: c", Reach.BEGUN),
        ({"a": ["x", {"c": 1}]}, "a[].b", "nothing at `a[].b`; `a[]` has: c", Reach.BEGUN),
        ({"a": {"b": {}}}, "a.b", "`a.b` is empty", Reach.EMPTY),
        ({"a": [{"b": None}]}, "a[].b", "`a[].b` is empty", Reach.EMPTY),
        ({"a": [{"b": "x"}]}, "a.b", "`a` is a list: write `a[]`", Reach.WRONG),
        ({"a": [{"b": None}, {"b": {"c": 1}}]}, "a[].b", "`a[].b` is no id but an object", Reach.WRONG),
        ({"a": "x"}, "a[]", '`a[]` is no id: "x"', Reach.WRONG),
    ],
)
def test_why_nothing_is_read_is_said_of_any_answer(answer, place, words, reach):
    """A place leads on to what is there, through every item of a list, or to where the way ends."""
    found = unread_at(answer, place, "id", shows_values=True)
    assert (found.words, found.reach) == (words, reach)


def test_a_value_is_told_only_where_it_may_be_seen():
    """It may be a secret: a run tells of what kind it is, and only a check of a pasted answer how it begins."""
    assert "secret" not in unread_at({"a": "secret"}, "a", "link").words
    assert "secret" in unread_at({"a": "secret"}, "a", "link", shows_values=True).words
