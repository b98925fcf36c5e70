from __future__ import annotations

import pytest

from pipelines.batch.files.matrix import combinations, multiplied
from pipelines.batch.findings import Report

LISTS = {"mood": ["calm", "loud"], "size": ["1280x720", "720x1280"]}


def made(node):
    report = Report()
    result = [tuple(one.values()) for one in combinations(node, "m", report)]
    return result, [str(problem) for problem in report.problems]


def test_every_combination_is_made_in_order():
    """The last list turns fastest."""
    assert made(LISTS)[0] == [("calm", "1280x720"), ("calm", "720x1280"), ("loud", "1280x720"), ("loud", "720x1280")]


def test_exclude_removes_and_include_adds():
    """An included entry extends what it agrees with, and is a combination of its own where it agrees with none."""
    node = LISTS | {
        "exclude": [{"mood": "loud", "size": "720x1280"}],
        "include": [{"mood": "calm", "seconds": "8"}, {"mood": "shy", "size": "1280x720"}],
    }
    assert made(node)[0] == [
        ("calm", "1280x720", "8"),
        ("calm", "720x1280", "8"),
        ("loud", "1280x720"),
        ("shy", "1280x720"),
    ]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({f"v{n}": [str(i) for i in range(10)] for n in range(6)}, "makes 1,000,000 combinations; the most is 100,000"),
        ({"a": []}, "is not a list of values"),
        ({"a": [["x"]]}, "is not a list of values"),
        ({"a": ["x", "x"]}, 'names "x" twice'),
        ({"a": ["x"], "exclude": [{"b": "x"}]}, "excludes nothing"),
        ({"a": ["x"], "exclude": [{"a": "x"}]}, "leaves no combination"),
        ({"a": ["x"], "include": ["y"]}, "is not a list"),
        ({}, "leaves no combination"),
    ],
)
def test_a_matrix_that_cannot_be_meant_is_refused(node, words):
    """Too large, empty, doubled or without effect."""
    result, problems = made(node)

    assert result == []
    assert words in problems[0]


def test_a_matrix_multiplies_jobs_with_stable_ids(read):
    """Values fill templates, and are columns where they have the name of one; taking one away keeps the other ids."""
    text = (
        "version: 1\nmatrix: {{locale: [{}], seconds: [4, 8]}}\njobs:\n  - {{id: a, prompt: 'in {{{{ locale }}}}'}}\n"
    )
    batch = read(text.format("de, en"), "yaml")

    assert [(j.id, j.order.prompt, j.order.seconds, j.own) for j in batch.jobs] == [
        ("a-de-4", "in de", 4, {"locale": "de"}),
        ("a-de-8", "in de", 8, {"locale": "de"}),
        ("a-en-4", "in en", 4, {"locale": "en"}),
        ("a-en-8", "in en", 8, {"locale": "en"}),
    ]
    assert {job.row for job in batch.jobs} == {1}
    assert {j.id for j in read(text.format("en"), "yaml").jobs} < {j.id for j in batch.jobs}


def test_a_column_given_by_the_job_and_by_the_matrix_is_refused(problems):
    """Whichever won, somebody would pay for the other."""
    text = "version: 1\nmatrix: {seconds: [4, 8]}\njobs: [{prompt: a, seconds: 12}]\n"
    assert "is given here and by the matrix" in problems(text, "yaml")[0]


def test_lists_are_multiplied_less_what_is_excluded_and_with_what_is_included():
    """An included entry extends the combinations that it agrees with, and else stands by itself."""
    lists = {"a": ["1", "2"], "b": ["x", "y"]}
    assert multiplied({}, [], []) == []
    assert multiplied({}, [{"c": "3"}], []) == [{"c": "3"}]
    assert multiplied(lists, [{"a": "1", "c": "3"}, {"a": "4"}], [{"b": "y"}]) == [
        {"a": "1", "b": "x", "c": "3"},
        {"a": "2", "b": "x"},
        {"a": "4"},
    ]
