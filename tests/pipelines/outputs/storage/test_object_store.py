from __future__ import annotations

import hashlib
import sys
from uuid import uuid4

import pytest

from pipelines.core.errors import SetupError, UploadFailed
from pipelines.core.remote_folder import folder_named
from pipelines.outputs.storage.object_store import brought_down, store_of


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path, monkeypatch):
    """A bucket without a network, and a clip in its working folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = {"file": f"file://{tmp_path}/bucket/spring", "memory": f"memory://{uuid4()}/spring"}
    found = store_of(folder_named(places[request.param]))
    (found.folder / "videos").mkdir(parents=True)
    (found.folder / "videos" / "a.mp4").write_bytes(b"a clip")
    return found


def test_a_plain_folder_has_no_bucket(tmp_path):
    """And nothing is brought down for it."""
    assert store_of(tmp_path) is None
    assert brought_down(tmp_path, "manifest.jsonl") == tmp_path


def test_what_is_kept_can_be_read_back(store):
    """By its size and content, again and again; and kept once more it has its name still."""
    assert [store.keep("videos/a.mp4") for _ in range(2)] == ["videos/a.mp4"] * 2
    assert store.digest("videos/a.mp4") == (6, hashlib.sha256(b"a clip").hexdigest())
    assert store.sizes("videos") == {"a.mp4": 6}
    assert store.uri("videos/a.mp4") == f"{store.address}/videos/a.mp4"


def test_another_content_is_never_written_over(store):
    """It stays, and the clip gets the next name that is free."""
    store.keep("videos/a.mp4")
    for content, name in ((b"other!", "videos/a-1.mp4"), (b"a third", "videos/a-2.mp4"), (b"a clip", "videos/a.mp4")):
        (store.folder / "videos" / "a.mp4").write_bytes(content)
        assert store.keep("videos/a.mp4") == name
    assert store.digest("videos/a.mp4")[1] == hashlib.sha256(b"a clip").hexdigest()
    assert store.sizes("videos") == {"a.mp4": 6, "a-1.mp4": 6, "a-2.mp4": 7}


def test_what_is_derived_is_replaced_and_taken_away(store):
    """A manifest has one name, and a list of failures that holds no more is gone."""
    for text in ("1", "two"):
        (store.folder / "failed.csv").write_text(text)
        store.replace("failed.csv")
    assert store.digest("failed.csv")[0] == 3
    store.remove("failed.csv")
    store.remove("failed.csv")
    assert store.digest("failed.csv") is None


def test_what_the_bucket_has_is_brought_down(store):
    """What is here stays as it is, what is nowhere is not made, and what comes is as old as it was."""
    (store.folder / "note").write_text("there")
    store.replace("note")
    (store.folder / "note").write_text("here")
    brought_down(store.folder, "note", "none")
    assert (store.folder / "note").read_text() == "here"
    (store.folder / "note").unlink()
    brought_down(store.folder, "note", "none")
    assert ((store.folder / "note").read_text(), (store.folder / "none").exists()) == ("there", False)


def test_campaigns_are_found_by_a_file_in_them(store):
    """The prefix itself, and those below it; folders that have none are not looked into."""
    for name in ("note", "autumn/2026/note", "videos/note"):
        (store.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (store.folder / name).write_text("x")
        store.replace(name)
    assert store.folders_with(("note",), ("videos",)) == ["", "autumn/2026"]


def test_a_damaged_file_gets_another_name(store):
    """It stays in the bucket for who wants to look at it."""
    store.keep("videos/a.mp4")
    aside = store.set_aside("videos/a.mp4")
    assert (store.digest("videos/a.mp4"), store.digest(aside)[0]) == (None, 6)


def test_what_a_bucket_cannot_do_is_said_with_what_to_do(tmp_path, monkeypatch):
    """Where it is, what its client says, and that nothing is paid twice."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = store_of(folder_named(f"file://{tmp_path}/bucket"))
    (store.folder / "videos").mkdir(parents=True)
    (store.folder / "videos" / "a.mp4").write_bytes(b"a clip")
    (tmp_path / "bucket").write_text("a file in its place")
    with pytest.raises(UploadFailed, match=r"bucket/videos/a.mp4 .*nothing is paid twice"):
        store.keep("videos/a.mp4")


@pytest.mark.parametrize(
    ("address", "fix"), [("gs://studio/clips", "reelbatch.gcs"), ("nowhere://a/b", "another --out")]
)
def test_a_missing_package_is_named(address, fix, monkeypatch):
    """Before anything is sent."""
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SetupError, match=fix):
        store_of(folder_named(address))
