from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipelines.core.errors import LedgerError, LedgerOwned
from pipelines.ledger.storage.lock import OwnerLock, is_owned


def test_one_owner_at_a_time(tmp_path):
    """A lock that is held refuses others, and says by whom; given back, it can be taken again."""
    path = tmp_path / "lock"
    with OwnerLock(path):
        assert is_owned(path)
        with pytest.raises(LedgerOwned, match=f"process {os.getpid()} on"), OwnerLock(path):
            pass
        assert is_owned(path)
    assert not is_owned(path)
    with OwnerLock(path):
        pass


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    """No clock, no stale lock: a process that was killed owns nothing any more."""
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from pipelines.ledger.storage.lock import OwnerLock\n"
        "with OwnerLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LedgerOwned, match=f"process {holder.pid} on"), OwnerLock(path):
            pass
        holder.kill()
    with OwnerLock(path):
        pass


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"pid": 1}', "[]"])
def test_an_unreadable_note_is_no_reason_to_fail(tmp_path, content):
    """Whoever holds the lock without saying who they are is `another process`."""
    path = tmp_path / "lock"
    with OwnerLock(path):
        path.write_text(content)
        with pytest.raises(LedgerOwned, match="another process"), OwnerLock(path):
            pass


def test_looking_makes_no_file(tmp_path):
    """Asking whether a folder is being worked on leaves no trace in it."""
    assert not is_owned(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plant", [os.symlink, os.link, lambda _, path: os.mkfifo(path), lambda _, path: path.mkdir()])
def test_destroyed_by_a_planted_link(tmp_path, plant):
    """Whatever stands in the place of the lock is neither opened nor written over; the message says what to do."""
    target, path = tmp_path / "precious", tmp_path / ".ledger-owner"
    target.write_text("precious")
    plant(target, path)
    assert not is_owned(path)
    with (
        pytest.raises(LedgerError, match=r"\.ledger-owner is a link, or no file of ours\. Remove it\."),
        OwnerLock(path),
    ):
        pass
    assert target.read_text() == "precious"


def test_destroyed_by_a_link_to_nothing(tmp_path):
    """Nothing is made where it leads to."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError), OwnerLock(tmp_path / "lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()
