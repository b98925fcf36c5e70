from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.providers.responses import json_values

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)

_LINK = "https://a.b/c.mp4"


def _at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "moment"),
    [
        ("https://q/v.mp4?e=1767058636&token=x", _at(2025, 12, 30, 1, 37, 16)),
        ("https://s3/v.mp4?Expires=1767058636&Signature=x", _at(2025, 12, 30, 1, 37, 16)),
        ("https://a/v.mp4?st=2025-10-10T00%3A00%3A00Z&se=2025-10-16T01%3A02%3A03Z&sig=x", _at(2025, 10, 16, 1, 2, 3)),
        ("https://a/v.mp4?se=2025-10-16", _at(2025, 10, 16)),
        ("https://s/v?X-Amz-Date=20251010T120000Z&X-Amz-Expires=3600", _at(2025, 10, 10, 13)),
        ("https://g/v?X-Goog-Date=20251010T120000Z&X-Goog-Expires=60", _at(2025, 10, 10, 12, 1)),
        ("https://s/v?x-amz-date=20251010T120000Z&x-amz-expires=604800", _at(2025, 10, 17, 12)),
        ("https://q/v?e=1767058636000", _at(2025, 12, 30, 1, 37, 16)),
        ("https://x/v?e=1767058636&Expires=1767000000", _at(2025, 12, 29, 9, 20)),
        ("https://x/v?e=1", None),
        ("https://x/v?e=soon", None),
        ("https://x/v?e=%C2%B2", None),
        ("https://x/v?e=-5", None),
        ("https://x/v?e=nan&expires=inf", None),
        ("https://x/v?e=" + "9" * 30, None),
        ("https://x/v?X-Amz-Expires=60", None),
        ("https://x/v?X-Amz-Date=nonsense&X-Amz-Expires=60", None),
        ("https://x/v?X-Amz-Date=20251010T120000Z&X-Amz-Expires=" + "9" * 12, None),
        ("https://x/v.mp4", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_w16_a_link_says_when_it_ends(url, moment):
    """Each vendor's expiry parameter is read, the earliest wins, and what cannot be an expiry is none."""
    assert json_values.expiry_of(url) == moment


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1766453836, _at(2025, 12, 23, 1, 37, 16)),
        (1766453836.25, _at(2025, 12, 23, 1, 37, 16, 250_000)),
        (1766453836000, _at(2025, 12, 23, 1, 37, 16)),
        ("1766453836", _at(2025, 12, 23, 1, 37, 16)),
        ("1766453836.5", _at(2025, 12, 23, 1, 37, 16, 500_000)),
        ("2025-03-06T12:00:00Z", _at(2025, 3, 6, 12)),
        ("2025-03-06T20:00:00.123456789+08:00", _at(2025, 3, 6, 12, 0, 0, 123456)),
        ("2025-03-06 12:00:00", _at(2025, 3, 6, 12)),
        *[(value, None) for value in (0, -1, None, True, "", "soon", "²", {}, [], float("nan"), float("inf"), 10**400)],
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_w16_times_come_in_every_form(value, moment):
    """Seconds, milliseconds, text: a moment in UTC, or none."""
    assert json_values.moment(value) == moment


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"error": {"code": "c", "message": "m"}}, ("c", "m")),
        ({"error": {"code": 7, "message": "m", "type": "t"}}, ("7", "m")),
        ({"error": {"code": None, "message": "m", "type": "t"}}, ("t", "m")),
        ({"error": {"code": 429, "message": "m", "type": "t"}}, ("t", "m")),
        ({"error": {"code": "403", "message": "m", "type": "t"}}, ("t", "m")),
        ({"error": {"code": 500, "message": "m"}}, ("500", "m")),
        ({"error": {"code": 500, "message": "m"}, "code": "c"}, ("c", "m")),
        ({"error": {"code": 1102, "message": "m", "type": "t"}}, ("1102", "m")),
        ({"error": {"message": "only"}}, (None, "only")),
        ({"error": "text"}, (None, "text")),
        ({"error": None}, (None, None)),
        ({"error": ""}, (None, None)),
        ({"error": []}, (None, None)),
        ({"code": "c", "message": "m"}, ("c", "m")),
        ({"detail": "d"}, (None, "d")),
        ({"detail": {"msg": "d"}}, (None, "d")),
        ({"detail": [{"loc": ["body", "seconds"], "msg": "field required"}]}, (None, "seconds: field required")),
        ({"detail": {"loc": ["query", "images", 0], "msg": "d"}}, (None, "query.images.0: d")),
        ({"detail": {"loc": ["body"], "msg": "d"}}, (None, "d")),
        ({"detail": {"loc": "body", "msg": "d"}}, (None, "d")),
        ({"detail": [{"msg": "d", "type": "t"}, {"msg": "e"}]}, ("t", "d")),
        ({"detail": []}, (None, None)),
        ({"code": "c", "detail": "d"}, ("c", "d")),
        ({"error": {}, "code": "c", "message": "m"}, ("c", "m")),
        ({"error": "text", "payload": {"detail": {"msg": "d"}}}, (None, "text")),
        ({"id": "v", "type": "videos"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_errors_are_found_wherever_they_are(answer, found):
    """Code and message, in every envelope that this family of APIs uses."""
    assert json_values.error_of(answer) == found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "other", "type": "known"}, "known"),
        ({"code": 429, "type": "known"}, "known"),
        ({"code": "known", "type": "known too"}, "known"),
        ({"code": "other", "type": "another"}, "other"),
        ({"code": "429", "type": None}, "429"),
    ],
)
def test_of_several_codes_the_one_that_means_something_counts(error, code):
    """Servers differ in which of code and type is the telling one; what the profile knows wins."""
    assert json_values.error_of({"error": error}, {"known": "row", "known too": "row"})[0] == code


@pytest.mark.parametrize(
    ("value", "link"),
    [
        (_LINK, _LINK),
        ("/v1/x", "https://api:8/v1/x"),
        ("//cdn/x", "https://cdn/x"),
        ("x/y", None),
        ("//", None),
        ("//[", None),
        ("/x\ty", None),
        (["/x"], None),
    ],
)
def test_a_path_is_a_link_to_where_it_was_said(value, link):
    """What begins with a slash is completed by the address of the API; anything else is a link, or none."""
    assert json_values.link_from(value, "https://api:8/v1") == link


@pytest.mark.parametrize(
    ("value", "is_link"),
    [
        ("https://x/y", True),
        ("http://127.0.0.1:8/y?a=b", True),
        ("ftp://x/y", False),
        ("//x/y", False),
        ("https://", False),
        ("https:///y", False),
        ("http://[", False),
        ("https://x/a b", False),
        ("https://x/a\r\nHost: y", False),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        (None, False),
        (7, False),
        ({}, False),
    ],
)
def test_only_a_link_is_a_link(value, is_link):
    """What is followed later is a whole http or https address."""
    assert json_values.is_link(value) is is_link


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b"[" * 10**5, b"1" * 10**4, b"NaN"])
def test_w06_what_is_no_object_is_none(body):
    """Only a JSON object is read; everything else is nothing, and never an exception."""
    assert json_values.parse(body) is None


def test_an_excerpt_of_a_body_has_no_secret_in_it():
    """Signed queries are cut from what is kept of an answer, and bytes that are no text do not matter."""
    said = json_values.body_excerpt(b'\xff\x00{"u": "https://x/y?s=SECRET"}' + b"z" * 5_000)
    assert "https://x/y" in said
    assert "SECRET" not in said
    assert said.isprintable()
    assert len(said) <= 2_000


@given(_ANY)
def test_w06_no_value_breaks_a_reader(value):
    """Every reader takes anything, and what it gives back can be shown and stored."""
    json_values.moment(value)
    json_values.is_link(value)
    json_values.mapping(value)
    for words in (json_values.identifier(value), json_values.word(value)):
        if words:
            assert words.isprintable()
            words.encode()
    for words in json_values.error_of({"error": value, "detail": value, "code": value, "message": value}):
        if words:
            words.encode()


@given(st.text(max_size=80), st.text(max_size=80))
def test_w06_no_link_breaks_the_expiry(address, query):
    """Any text may be asked when it ends."""
    json_values.expiry_of(address)
    json_values.expiry_of(f"https://x/y?e={query}&X-Amz-Date={query}&X-Amz-Expires={query}&{query}")


@pytest.mark.parametrize(
    ("value", "has"),
    [
        (_LINK, True),
        ({"a": [{"b": [None, 1, _LINK]}]}, True),
        ({_LINK: "x"}, False),
        ({"a": ["ftp://a.b/c", "https://", "see https://a.b", True, {}]}, False),
        ({"a": ["/v1/x"]}, True),
        ({"a": ["a/b", "/a b", "/"]}, False),
        (None, False),
    ],
)
def test_a_link_is_found_wherever_it_stands(value, has):
    """A link counts however deep it is, as a whole value and not as a key or inside a sentence."""
    assert json_values.has_link(value) is has


def test_a_link_below_ten_thousand_lists_is_found():
    """No nesting that a parser lets through is too deep."""
    value = _LINK
    for _ in range(10_000):
        value = [value]
    assert json_values.has_link(value)
