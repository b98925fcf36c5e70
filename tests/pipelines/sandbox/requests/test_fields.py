from __future__ import annotations

import pytest

from pipelines.sandbox.requests.fields import Field, read_fields
from pipelines.sandbox.vendors.refusals import RefusalError

TABLE = {
    "text": Field(least=1, most=5),
    "word": Field(allowed=("on", "off")),
    "count": Field("integer", least=1, most=9),
    "share": Field("number", least=0, most=1),
    "flag": Field("boolean"),
    "thing": Field("object", inside={"name": Field(required=True)}),
    "things": Field("list", most=2, inside={"name": Field()}),
    "tail": Field(needs=("text",)),
    "other": Field(excludes=("text",)),
}


@pytest.mark.parametrize(
    "given",
    [
        {"text": "abc", "word": "on", "count": 3, "share": 1, "flag": True, "tail": "x"},
        {"thing": {"name": "a"}, "things": [{"name": "a"}, {}], "other": "x"},
        {},
    ],
)
def test_json_comes_back_as_it_is(given):
    """What fits the table is read unchanged."""
    assert read_fields(TABLE, given, form=False) == given


def test_a_form_says_the_same_in_text():
    """Numbers, truths and objects of a form are read from their text."""
    given = {"count": "3", "share": "0.5", "flag": "true", "thing": '{"name": "a"}', "things": "[]", "text": "{x}"}
    read = {"count": 3, "share": 0.5, "flag": True, "thing": {"name": "a"}, "things": [], "text": "{x}"}
    assert read_fields(TABLE, given, form=True) == read


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"unknown": 1}, "unknown"),
        ({"text": 1}, "text"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": "abcdef"}, "text"),
        ({"word": "On"}, "word"),
        ({"count": "3"}, "count"),
        ({"count": 3.0}, "count"),
        ({"count": True}, "count"),
        ({"count": 10}, "count"),
        ({"share": float("nan")}, "share"),
        ({"share": False}, "share"),
        ({"count": 10**400}, "count"),
        ({"share": 10**400}, "share"),
        ({"flag": 1}, "flag"),
        ({"thing": {}}, "thing.name"),
        ({"thing": {"name": "a", "b": 1}}, "thing.b"),
        ({"things": [{"name": 1}]}, "things[0].name"),
        ({"things": [{}, "a"]}, "things[1]"),
        ({"things": [{}, {}, {}]}, "things"),
        ({"tail": "x"}, "tail"),
        ({"text": "a", "other": "x"}, "other"),
    ],
)
def test_what_does_not_fit_names_itself(given, field):
    """The first field that is unknown, of another type, or out of bounds is named, down to its place in a list."""
    with pytest.raises(RefusalError) as refused:
        read_fields(TABLE, given, form=False)
    assert (refused.value.status, refused.value.field) == (400, field)


@pytest.mark.parametrize(
    ("given", "field"),
    [({"count": "three"}, "count"), ({"flag": "yes"}, "flag"), ({"thing": "{"}, "thing"), ({"thing": "[]"}, "thing")],
)
def test_text_that_cannot_be_read_names_itself(given, field):
    """In a form, a wrong type is text that does not say such a value."""
    with pytest.raises(RefusalError) as refused:
        read_fields(TABLE, given, form=True)
    assert refused.value.field == field


def test_what_is_required_is_asked_for():
    """A field that must be there is missed by name."""
    with pytest.raises(RefusalError, match="'name': it is required"):
        read_fields({"name": Field(required=True)}, {}, form=False)
