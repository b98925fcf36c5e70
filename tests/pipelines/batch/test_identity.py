from __future__ import annotations

import pytest

from pipelines.batch.identity import derived_id, id_problem, matrix_suffix, slug


@pytest.mark.parametrize("text", ["a", "Row-1", "v1.2_x", "0", "a" * 100, "console"])
def test_v14_plain_ids_are_allowed(text):
    """Letters, digits, dots, dashes and underscores."""
    assert id_problem(text) is None


@pytest.mark.parametrize(
    "text",
    ["a/b", "..", ".a", "-a", "_a", "a b", "a:b", "a\\b", "a.", "é", "a\n", "con", "NUL.txt", "lpt1", "a" * 101, "a\0"],
)
def test_v14_other_ids_are_refused(text):
    """An id must be a file name everywhere."""
    assert id_problem(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [("A Red  Cat!", "a-red-cat"), ("café crème", "cafe-creme"), ("猫", ""), ("x" * 99, "x" * 60), ("--", "")],
)
def test_slugs_are_plain(text, made):
    """Only lower-case ASCII words with dashes are left."""
    assert slug(text) == made


@pytest.mark.parametrize(
    ("prompt", "made"),
    [
        ("A red cat sits on the mat", "a-red-cat-sits-on-0123456789"),
        ("一只很可爱的猫 cat", "clip-0123456789"),
        ("🐈", "clip-0123456789"),
        ("con", "clip-con-0123456789"),
    ],
)
def test_v15_a_derived_id_comes_from_the_words_and_the_hash(prompt, made):
    """It tells a person what it is and a machine what it buys, and it is always a good id."""
    assert derived_id(prompt, "0123456789abcdef") == made
    assert id_problem(made) is None


def test_suffixes_of_a_matrix_tell_values_apart():
    """Values that look the same as slugs get a hash of their own."""
    assert matrix_suffix(["de", "1280x720"]) == "de-1280x720"
    assert matrix_suffix(["a b"]) != matrix_suffix(["a-b"])
    assert matrix_suffix(["猫"]) != matrix_suffix(["犬"])
    assert len(matrix_suffix(["x" * 50, "y" * 50, "z" * 50])) < 60
