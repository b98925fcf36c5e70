from __future__ import annotations

import codecs
import hashlib
import os

import pytest

from pipelines.batch.files.source import read_source
from pipelines.core.errors import BatchError


def refused(path, **more):
    with pytest.raises(BatchError) as caught:
        read_source(path, **more)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    return str(problem)


def test_v01_missing_folder_pipe_device_and_broken_link_are_refused_at_once(tmp_path):
    """What is not a regular file is refused with its path as given, and never waited for."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "broken.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")

    assert "No such file" in refused(tmp_path / "missing.csv")
    assert "is a folder" in refused(tmp_path / "folder.csv")
    assert "is a folder" in refused(tmp_path)
    assert "device or a pipe" in refused(tmp_path / "pipe.csv")
    assert "device or a pipe" in refused(tmp_path / "device.csv")
    assert "No such file" in refused(tmp_path / "broken.csv")
    assert "cannot be read" in refused(tmp_path / "nul\0.csv")


def test_v02_a_file_beyond_the_cap_is_refused_before_it_is_read_whole(tmp_path):
    """The cap counts the bytes that were read, and the last allowed byte is allowed."""
    path = tmp_path / "big.csv"
    path.write_bytes(b"x" * 1025)

    assert "larger than" in refused(path, most_bytes=1024)
    assert len(read_source(path, most_bytes=1025).text) == 1025


def test_v03_v04_byte_order_marks_choose_the_encoding(tmp_path):
    """UTF-8 with and without a mark and UTF-16 with one give the same text; only UTF-16 is worth a note."""
    path = tmp_path / "a.csv"
    text = "prompt\nein Kätzchen 🐈\n"
    for raw, notes in (
        (text.encode(), ()),
        (codecs.BOM_UTF8 + text.encode(), ()),
        (codecs.BOM_UTF16_LE + text.encode("utf-16-le"), ("read as UTF-16-LE",)),
        (codecs.BOM_UTF16_BE + text.encode("utf-16-be"), ("read as UTF-16-BE",)),
    ):
        path.write_bytes(raw)
        source = read_source(path)
        assert (source.text, source.notes) == (text, notes)
        assert source.sha256 == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("prompt\n中文".encode("gbk"), "byte 0xd6 in line 2 "),
        ("prompt\ncafé".encode("latin-1"), "byte 0xe9 in line 2 "),
        (codecs.BOM_UTF8 + b"a\xff", "byte 0xff in line 1 "),
        ("prompt".encode("utf-16-le"), "NUL at offset 1"),
        (codecs.BOM_UTF16_LE + b"a", "UTF-16-LE"),
        (codecs.BOM_UTF32_LE + "a".encode("utf-32-le"), "UTF-32"),
    ],
)
def test_v04_other_encodings_are_refused_with_the_place_of_the_first_bad_byte(tmp_path, raw, words):
    """An encoding is never guessed."""
    path = tmp_path / "a.csv"
    path.write_bytes(raw)

    assert words in refused(path)


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path):
    """The ending tells the kind, in upper or lower case."""
    for name in ("a.doc", "a"):
        (tmp_path / name).write_text("prompt\na\n")
        assert ".csv, .tsv, .xlsx, .yaml, .yml, .jsonl" in refused(tmp_path / name)
    (tmp_path / "A.CSV").write_text("prompt\na\n")

    assert read_source(tmp_path / "A.CSV").suffix == ".csv"
