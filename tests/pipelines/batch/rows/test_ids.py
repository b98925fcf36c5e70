from __future__ import annotations

import pytest

from pipelines.batch import read_batch
from pipelines.batch.rows.ids import derived_id, id_problem, matrix_suffix, slug


@pytest.mark.parametrize("text", ["a", "BatchRow-1", "v1.2_x", "0", "a" * 100, "console"])
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


ROWS = """prompt,provider,model,seconds,size,image_url,version
A red kite over a lake,qiniu,,,,,
A red kite over a lake,openai,sora-2-pro,12,1792x1024,,
A red kite over a lake,acedata,,,,,
A red kite over a lake,acedata,sora-2-pro,25,large,,1.0
A red kite over a lake,qiniu,kling-v2-6,10,,https://images.example.com/a-1280x720.jpg,
A red kite over a lake,qiniu,veo-3.0-generate-preview,,,,
A red kite over a lake,acedata-kling,kling-v2-6,,,,
A red kite over a lake,vllm-omni,,,,,
A red kite over a lake,qiniu,fal-ai/vidu/q1/text-to-video,,,,
"""
HASHES = [
    "dd662a1784",
    "392b38d72f",
    "602a477bca",
    "9f7b5b3dc5",
    "0861d87404",
    "d5dd43e017",
    "5bc6b71c0b",
    "5cbe799700",
    "28454ac5c9",
]


def test_an_upgrade_buys_no_row_again(tmp_path):
    """A row that gives no id is known by what it buys: who changes these hashes makes everybody pay twice."""
    path = tmp_path / "kites.csv"
    path.write_text(ROWS, "utf-8")
    assert [job.id for job in read_batch(path).jobs] == [f"a-red-kite-over-a-{each}" for each in HASHES]
