from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path

import pytest

from pipelines.core.errors import DiskFull, LedgerError
from pipelines.ledger.storage.sqlite import ReservedSpace, journal_mode, ledger_path, open_engine


def _pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_a_commit_of_the_writer_is_on_the_disk(tmp_path):
    """The writer's connection really syncs fully, in the journal mode that is safe here, and erases what it deletes."""
    with open_engine(tmp_path / "x").connect() as connection:
        found = {n: _pragma(connection, n) for n in ("synchronous", "journal_mode", "secure_delete", "busy_timeout")}
        assert found == {
            "synchronous": 2,
            "journal_mode": journal_mode().lower(),
            "secure_delete": 1,
            "busy_timeout": 30_000,
        }
        assert (_pragma(connection, "trusted_schema"), _pragma(connection, "foreign_keys")) == (0, 1)


def test_a_reader_may_only_look(tmp_path):
    """A reader's connection refuses every write and makes no file."""
    path = tmp_path / "x"
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()
    with open_engine(path, read_only=True).connect() as connection:
        assert _pragma(connection, "query_only") == 1
    with pytest.raises(Exception, match="unable to open"):
        open_engine(tmp_path / "missing", read_only=True).connect()
    assert not (tmp_path / "missing").exists()


def test_a_writing_transaction_begins_immediate(tmp_path):
    """Who begins to write holds the right to write at once, so that no later statement is refused for it."""
    engine = open_engine(tmp_path / "x")
    with engine.connect() as connection, connection.begin():
        other = sqlite3.connect(tmp_path / "x", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


@pytest.mark.parametrize(
    ("version", "mode"),
    [((3, 40, 1), "TRUNCATE"), ((3, 51, 2), "TRUNCATE"), ((3, 51, 3), "WAL"), ((3, 52, 0), "WAL"), ((4, 0, 0), "WAL")],
)
def test_the_write_ahead_log_only_where_it_is_safe(version, mode):
    """Before 3.51.3 a bug can corrupt the write-ahead log, so the older journal is used there."""
    assert journal_mode(version) == mode


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/data/l.sqlite3", "/data/l.sqlite3"),
        ("sqlite:////data/l.sqlite3", "/data/l.sqlite3"),
        ("l.db", str(Path.cwd() / "l.db")),
        ("sqlite:///l.db", str(Path.cwd() / "l.db")),
    ],
)
def test_a_ledger_is_a_path_or_a_sqlite_url(url, path):
    """Both spellings name a file, relative to where the command was started."""
    assert str(ledger_path(url)) == path


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "postgresql://u:secret@host/db", "://", "nonsense://x:y:z@"],
)
def test_a_ledger_that_would_forget_is_refused(url):
    """A database in memory, one that is not supported and a URL that cannot be read are refused, without their password."""
    with pytest.raises(LedgerError) as caught:
        ledger_path(url)
    assert "secret" not in str(caught.value)


def test_reserved_is_real_space_and_given_back(tmp_path):
    """The reserve is four megabytes of blocks, not a promise; laid again after it was dropped, and when it is too small."""
    reserved = ReservedSpace(tmp_path / "reserved")
    reserved.give_back()
    for _ in range(2):
        reserved.take()
        assert (tmp_path / "reserved").stat().st_blocks * 512 >= 4 << 20
    reserved.give_back()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "reserved").write_bytes(b"short")
    reserved.take()
    assert (tmp_path / "reserved").stat().st_size == 4 << 20


def test_without_room_for_the_reserved_nothing_is_begun(tmp_path):
    """A disk that is too full for the reserve is said before anything is paid, and no half reserve stays."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(DiskFull, match="There is no space"):
            ReservedSpace(tmp_path / "reserved").take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plant", [os.symlink, os.link])
@pytest.mark.parametrize("size", [8, 4 << 20])
def test_destroyed_by_a_planted_link(tmp_path, plant, size):
    """What a link in the place of the reserved space leads to stays as it is, also where its length is that of ours."""
    target, path = tmp_path / "precious", tmp_path / ".ledger-ballast"
    target.write_bytes(b"precious" * (size // 8))
    plant(target, path)
    ReservedSpace(path).take()
    assert target.read_bytes() == b"precious" * (size // 8)
    assert (path.is_symlink(), path.stat().st_size, path.stat().st_nlink) == (False, 4 << 20, 1)
    ReservedSpace(path).give_back()
    assert target.exists()


def test_destroyed_by_a_planted_folder(tmp_path):
    """Also a folder under the name is a clear error, and no bug."""
    (tmp_path / "reserved").mkdir()
    with pytest.raises(LedgerError, match="is a folder"):
        ReservedSpace(tmp_path / "reserved").take()
