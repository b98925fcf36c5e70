from __future__ import annotations

import pytest

from pipelines.batch.files.jsonl_rows import record_of


def test_objects_and_bare_prompts_are_rows(read):
    """One a line; numbers, booleans and null are read as they are written."""
    batch = read(
        '{"prompt": "a", "seconds": 8, "cost_centre": 0012.50e0}\n'.replace("0012", "12")
        + '\n"b"\n{"prompt": "c", "enabled": false, "x": null}\n',
        "jsonl",
    )

    assert [(j.row, j.order.prompt, j.order.seconds, j.enabled, j.own) for j in batch.jobs] == [
        (1, "a", 8, True, {"cost_centre": "12.50e0"}),
        (2, "b", 4, True, {}),
        (3, "c", 4, False, {}),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "is neither an object nor a text"),
        ("7", "is neither"),
        ("{", "line 2: is not JSON at character 2: expecting"),
        ('{"prompt": "a", "prompt": "b"}', 'has the key "prompt" twice'),
        ('{"prompt": "a", "x": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "line 2: "),
        ('{"prompt": "a\\ud800"}', "has a character that is not text"),
        ('{"prompt": "a\\u0000"}', "has a character that is not text"),
        ('{"prompt": ["a"]}', "takes one value"),
        ('{"prompt": "a", "id": {"a": 1}}', "line 2"),
    ],
)
def test_other_lines_are_refused_by_number(problems, line, words):
    """Each bad line is named; the good ones do not hide it."""
    (problem,) = problems(f'"fine"\n{line}\n', "jsonl")

    assert "spring.jsonl, line 2" in problem
    assert words in problem


def test_a_line_separator_in_a_prompt_does_not_end_the_line(read):
    """U+2028 is a character of text in JSON."""
    assert read('{"prompt": "a\u2028b"}\n', "jsonl").jobs[0].order.prompt == "a\u2028b"


def test_too_many_different_keys_are_refused(problems):
    """Columns times rows would not fit in memory."""
    assert "more than 500" in problems("\n".join(f'{{"prompt": "a", "k{n}": "x"}}' for n in range(600)), "jsonl")[0]


def test_json_that_is_none_is_said_with_its_place_in_the_file(problems):
    """One line and one character, not those of the reader, which sees nothing but this line."""
    (problem,) = problems('{"prompt": "a"}\n{"prompt" "b"}\n', "jsonl")

    assert problem.startswith("spring.jsonl, line 2: is not JSON at character 11: expecting ':' delimiter.")
    assert "line 1" not in problem


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('"a cat"', {"prompt": "a cat"}),
        ('{"prompt": "a", "seconds": 8.0, "x": [1, "b"], "y": null}', {"prompt": "a", "seconds": "8.0", "x": ("1", "b"), "y": None}),
    ],
)  # fmt: skip
def test_a_line_is_a_row_whose_numbers_stay_as_they_are_written(line, record):
    """A bare text is a prompt."""
    assert record_of(line) == record


@pytest.mark.parametrize("line", ["8", "null", "[]", '{"a": 1, "a": 2}', "{"])
def test_a_line_of_another_kind_is_no_row(line):
    """A number is no prompt, and a key that is there twice is not sure."""
    with pytest.raises(ValueError, match=r"\w"):
        record_of(line)
