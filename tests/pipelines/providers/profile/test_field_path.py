from __future__ import annotations

import pytest

from pipelines.providers.profile.field_path import flattened, nested, steps


@pytest.mark.parametrize(
    ("flat", "body"),
    [
        ({"prompt": "a", "n": 1}, {"prompt": "a", "n": 1}),
        ({"input.prompt": "a", "input.size": [1]}, {"input": {"prompt": "a", "size": [1]}}),
        ({"instances[0].prompt": "a", "x.y[0]": "b"}, {"instances": [{"prompt": "a"}], "x": {"y": ["b"]}}),
        ({"content[1].url": "u"}, {"content": [{"url": "u"}]}),
        ({"a.b": 1, "a": {"c": {"d": 2}}, "a.c.e": 3}, {"a": {"b": 1, "c": {"d": 2, "e": 3}}}),
        ({"a.b": {}}, {"a": {"b": {}}}),
        ({"a[0][1]": 1, "a[0][0]": 0}, {"a": [[0, 1]]}),
    ],
)
def test_each_value_stands_at_its_place(flat, body):
    """Names and indexes become objects and lists; a list has no gaps, and objects at one place are joined."""
    assert nested(flat) == body


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[0]b", "a[12]", "a. b", "[0]"])
def test_what_is_no_way_is_none(text):
    """A text that leads nowhere is known before anything is sent."""
    assert steps(text) is None


def test_a_body_is_read_back_by_its_paths():
    """What a path leads to comes under it, and whatever nobody names under its own."""
    paths = frozenset({"input.prompt", "instances[0].image"})
    body = {"input": {"prompt": "a", "odd": {"x": 1}}, "instances": [{"image": {"data": "b"}}], "more": [1]}
    found = {"input.prompt": "a", "input.odd": {"x": 1}, "instances[0].image": {"data": "b"}, "more": [1]}
    assert flattened(body, paths) == found
