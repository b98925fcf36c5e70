from __future__ import annotations

import sys
import uuid

import fsspec
import pytest

from pipelines.core.errors import SetupError
from pipelines.inbox.place import InboxPlace, may_be_batch


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path):
    """An inbox on the disk, and one in a bucket that lives in memory."""
    address = str(tmp_path) if request.param == "folder" else f"memory://{uuid.uuid4()}/inbox"
    files, path = fsspec.core.url_to_fs(address)
    files.makedirs(f"{path}/done", exist_ok=True)
    files.pipe_file(f"{path}/spring.csv", b"id,prompt\n")
    found = InboxPlace(address)
    found.pipe = lambda name, text: files.pipe_file(f"{path}/{name}", text)
    found.cat = lambda name: files.cat_file(f"{path}/{name}")
    return found


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        ("spring.csv", True),
        ("Spring.YAML", True),
        ("book.xlsx", True),
        ("book.ods", True),  # refused, with what to do
        (".spring.csv", False),
        ("~$book.xlsx", False),
        ("spring.csv.part", False),
        (".~lock.spring.csv#", False),
        ("hero.png", False),
        ("spring.csv.report.txt", False),
    ],
)
def test_hidden_and_temporary_names_are_left_out(name, may_be):
    """What programs put beside a file while they write it is no batch."""
    assert may_be_batch(name) is may_be


def test_a_look_sees_files_and_their_changes(place):
    """Sub-folders are not looked into; a file that has grown looks different."""
    place.pipe("done/old.csv", b"x")
    first = place.look()
    place.pipe("spring.csv", b"id,prompt\na,boat\n")
    second = place.look()
    assert list(first) == list(second) == ["spring.csv"]
    assert first["spring.csv"] != second["spring.csv"]
    assert place.read("spring.csv") == b"id,prompt\na,boat\n"


def test_a_file_is_filed_with_its_report(place):
    """It is gone from the inbox, and its report lies beside it."""
    assert place.file("spring.csv", "refused", "f" * 64, "all wrong") == "refused/spring.csv"
    assert place.look() == {}
    assert place.cat("refused/spring.csv") == b"id,prompt\n"
    assert place.cat("refused/spring.csv.report.txt") == b"all wrong"


def test_a_name_that_is_taken_stays_what_it_is(place):
    """A second file of the name is filed under its content."""
    place.pipe("done/spring.csv", b"before")
    assert place.file("spring.csv", "done", "abcdef01" + "0" * 56) == "done/spring-abcdef01.csv"
    assert place.cat("done/spring.csv") == b"before"


def test_pictures_are_found_where_a_file_lies(place, tmp_path):
    """A file on the disk is read where it is; one of a bucket from a copy."""
    raw = place.read("spring.csv")
    path = place.local("spring.csv", raw, tmp_path / "kept")
    assert path == (tmp_path / "spring.csv" if place.folder else tmp_path / "kept" / "spring.csv")
    assert path.read_bytes() == raw


@pytest.mark.parametrize(
    ("address", "words"), [("gone", "no folder"), ("gs://studio/inbox", "gcsfs"), ("no://x", "no")]
)
def test_an_inbox_that_cannot_be_opened_is_said(address, words, tmp_path, monkeypatch):
    """Before anything is watched: a folder that is not there, a bucket without its package, an unknown kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SetupError, match=words):
        InboxPlace(address)
