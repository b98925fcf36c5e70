from __future__ import annotations

import pytest

from pipelines.core.text.strict_yaml import YamlRefused, parse_long_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("-3", -3),
        ("0.10", 0.1),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("no", "no"),
        ("16:9", "16:9"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("2026-09-24", "2026-09-24"),
        ("720x1280", "720x1280"),
        ("'8'", "8"),
        ('"true"', "true"),
        ("1" * 40, "1" * 40),
    ],
)
def test_a_scalar_is_what_it_looks_like(text, value):
    """Only decimal numbers, true, false and null are more than text; YAML 1.1's surprises are not."""
    found = parse_yaml(f"key: {text}").value["key"]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_text():
    """A key is a name, also where it is written in digits: JSON has no others."""
    assert parse_yaml("only: {25: [a], true: [b], 16:9: [c]}").value == {
        "only": {"25": ["a"], "true": ["b"], "16:9": ["c"]}
    }


def test_every_value_knows_its_line():
    """Lines begin with 1; what is not written has the line of what is around it."""
    located = parse_yaml("name: a\nmodes:\n  - name: b\n    models: [x,\n      y]\n")
    assert located.line_of(("modes", 0, "models", 1)) == 5
    assert located.line_of(("modes", 0, "models")) == 4
    assert located.line_of(("modes", 0, "seconds", "default")) == 3
    assert located.line_of(("prices",)) is None


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        ("a: 1\nb: c: d\n", "not allowed", 2, 5),
        ("a: [1\n", "begun on line 1: did not find", 2, 1),
        ("a:\n\t- 1\n", "has a tab", 2, 1),
        ("a:\n  - b: 1\n\tc: 2\n", "has a tab", 3, 1),
        ("a:\n  - b: 1\n   c: 2\n", "indent it", 3, 4),
        ("a: 'b\nc: d\n", "begun on line 1", 3, 1),
        ("a: @b\n", "into quotes", 1, 4),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 'key "c" twice', 4, 3),
        ("a: &x 1\n", "anchor", 1, 4),
        ("a: *x\n", "alias", 1, 4),
        ("a: !!python/name:os.system x\n", "tag", 1, 4),
        ("<<: {a: 1}\n", "merge key", 1, 1),
        ("? [a]\n: 1\n", "not a name", 1, 3),
        ("--- 1\n--- 2\n", "second document", 2, 1),
        ("a: " + "[" * 40 + "]" * 40, "more than 32 deep", 1, 35),
        ("a: \x07\n", "is not YAML", None, None),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text, words, line, column):
    """A text that is no YAML, or uses what would only surprise, is refused with its line and column."""
    with pytest.raises(YamlRefused, match=words) as refused:
        parse_yaml(text)
    assert (refused.value.line, refused.value.column) == (line, column)


def test_a_bottomless_text_is_refused():
    """Nesting without end is an error like any other, and no crash."""
    with pytest.raises(YamlRefused):
        parse_yaml("[" * 100_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a: 1\ntitle: "F\\e[31m"', "U+001B in a text"),
        ('a: 1\n"b\\u0007": 1', "U+0007 in a text"),
        ('a: 1\nnotes: ["x\\r"]', "U+000D in a text"),
        ('a: 1\nb: "\\u202Etxt"', "U+202E in a text"),
        ('a: 1\nb: "\\x9b31m"', "U+009B in a text"),
    ],
)
def test_no_text_gives_orders_to_a_terminal(text, words):
    """A control character is refused wherever it hides, with its line; it is never repeated."""
    with pytest.raises(YamlRefused) as refused:
        parse_yaml(text)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()
    assert refused.value.line == 2


def test_what_only_shapes_a_text_is_text():
    """Lines of a note, and what joins letters and pictures, are no orders."""
    text = 'notes: |\n  one\n  two\ntitle: "\u0646\u0645\u06cc\u200c\u0634\u0648\u062f \U0001f469\u200d\U0001f680 a\u00a0b"\n'
    assert parse_yaml(text).value["notes"] == "one\ntwo\n"


def test_a_long_document_is_text_and_its_mappings_know_their_lines():
    """Unquoted texts are what the reader makes of them; quoted ones and empty ones are not asked about."""
    found = parse_long_yaml("a: 1\njobs:\n  - b: '2'\n    c: ~\n  - on\n", plain=lambda text: f"<{text}>")
    assert found == {"a": "<1>", "jobs": [{"b": "2", "c": None}, "<on>"]}
    assert (found.line, found["jobs"][0].line) == (1, 3)


@pytest.mark.parametrize("text", ["a: &x 1", "a: *x", "<<: {a: 1}"])
def test_a_reader_may_say_what_to_use_instead(text):
    """Whoever wanted to write something once learns how."""
    with pytest.raises(YamlRefused, match="not read; use presets"):
        parse_long_yaml(text, instead="; use presets")
