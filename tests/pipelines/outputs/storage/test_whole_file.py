from __future__ import annotations

import subprocess
import sys

from pipelines.outputs.storage.whole_file import remove_abandoned, whole_file

_KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.outputs.storage.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_k02_what_a_killed_process_has_left_is_taken_away(tmp_path):
    """The old file stays whole; a file that is being written at this moment, and any of somebody else's, is left alone."""
    path = tmp_path / "manifest.csv"
    path.write_text("old")
    (tmp_path / ".notes.tmp").touch()
    subprocess.run([sys.executable, "-c", _KILLED, path], check=False)
    assert len([*tmp_path.glob(".manifest.csv.*.tmp")]) == 1
    with whole_file(tmp_path / "other.csv") as temporary:
        remove_abandoned(tmp_path)
        temporary.write_text("new")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".notes.tmp", "manifest.csv", "other.csv"]
    assert (path.read_text(), (tmp_path / "other.csv").read_text()) == ("old", "new")
