from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import SetupError
from pipelines.core.remote_folder import bucket_address, folder_named, is_bucket_address, shown_place, working_root

HERE = {"XDG_CACHE_HOME": "/home/ann/cache"}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("s3://studio/clips/spring/", "s3/studio/clips/spring"),
        ("gs://studio", "gs/studio"),
        ("memory://a/b", "memory/a/b"),
        ("file:///mnt/a b", "file/mnt/a b"),
    ],
)
def test_an_address_has_one_working_folder_and_leads_back(address, path):
    """Whatever is made of the folder's path is made of its address as well."""
    folder = folder_named(address, HERE)
    assert folder == Path("/home/ann/cache/reelbatch/buckets") / path
    assert bucket_address(folder, HERE) == address.rstrip("/")
    assert bucket_address(folder / "2026-11-21" / "rehearsal", HERE) == f"{address.rstrip('/')}/2026-11-21/rehearsal"


def test_one_bucket_by_two_names_is_one():
    """`gcs://` and `s3a://` are what others call `gs://` and `s3://`."""
    assert folder_named("gcs://a/b", HERE) == folder_named("gs://a/b", HERE)


def test_a_path_stays_what_it_is():
    """Also one that lies beside the working folders."""
    assert folder_named("outputs/spring", HERE) == Path("outputs/spring")
    assert not is_bucket_address("outputs/s3:/a")
    for path in ("/srv/spring", "outputs", "/home/ann/cache/reelbatch/buckets", "/home/ann/cache/reelbatch/buckets/s3"):
        assert bucket_address(Path(path), HERE) is None
    assert shown_place(Path("outputs/spring")) == "outputs/spring"


@pytest.mark.parametrize(
    "address",
    ["s3://", "s3:///a", "s3://a/../b", "s3://a//b", "s3://a/b?c", "https://a/b", "http://a", "simplecache::s3://a/b"],
)
def test_what_is_no_place_for_files_is_refused(address):
    """An address that leads out of its bucket, or to something else, is bad input."""
    with pytest.raises(SetupError, match="output folder"):
        folder_named(address, HERE)


def test_a_key_in_an_address_is_not_said_again():
    """It would stand in logs and in Prefect."""
    with pytest.raises(SetupError) as raised:
        folder_named("s3://AKIA:s3cret@studio/clips", HERE)
    assert "s3cret" not in str(raised.value)


def test_a_cache_that_is_no_absolute_path_is_that_of_the_home(monkeypatch):
    """As the standard of such folders has it."""
    monkeypatch.setenv("HOME", "/home/ann")
    assert working_root({"XDG_CACHE_HOME": "here"}) == Path("/home/ann/.cache/reelbatch/buckets")
