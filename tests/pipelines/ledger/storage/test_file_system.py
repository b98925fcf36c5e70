"""SQLite is refused where its locks would not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import LedgerError
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.storage import sqlite
from pipelines.ledger.storage.file_system import network_file_system

MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/x /srv nfs4 rw 0 0
/dev/sdb1 /srv/disk xfs rw 0 0
//nas/clips /mnt/our\\040clips cifs rw 0 0
ann@far: /home/far fuse.sshfs rw 0 0
/dev/sdc1 /over ext4 rw 0 0
far:/ /over nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/outputs/ledger.sqlite3", "nfs4"),
        ("/srv", "nfs4"),
        ("/srv/disk/ledger.sqlite3", None),
        ("/mnt/our clips/x", "cifs"),
        ("/home/far/x", "fuse.sshfs"),
        ("/home/farther/x", None),
        ("/over/x", "nfs"),
        ("/data/x", None),
    ],
)
def test_x06_the_file_system_of_a_path_is_known(tmp_path, path, kind):
    """The deepest mount counts, and of two at one place the later; names with spaces are read."""
    (tmp_path / "mounts").write_text(MOUNTS, "utf-8")
    assert network_file_system(Path(path), tmp_path / "mounts") == kind
    assert network_file_system(Path(path), tmp_path / "missing") is None


async def test_x06_a_ledger_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    """Nothing is made there, and the error says what to do."""
    monkeypatch.setattr(sqlite, "network_file_system", lambda _: "nfs")
    with pytest.raises(LedgerError, match=r"network file system \(nfs\).*--ledger postgresql://"):
        async with Ledger(tmp_path / "ledger.sqlite3"):
            pass
    assert list(tmp_path.iterdir()) == []
