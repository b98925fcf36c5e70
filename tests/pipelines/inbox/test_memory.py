from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core.errors import LedgerOwned, SetupError
from pipelines.inbox.memory import ContentStage, InboxMemory

HOUSE = Path(__file__).parents[3]
_KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.inbox.memory import InboxMemory, ContentStage
memory = InboxMemory(Path(sys.argv[1])).__enter__()
memory.take("a", "a.csv", Path("/out/a"))
memory.take("b", "b.csv", Path("/out/b"))
memory.end("b", ContentStage.DONE, "1 of 1 done")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_every_step_that_was_made(tmp_path):
    """Who starts next finds what was in hand, and what had ended and was not filed; the right to watch is free again."""
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, tmp_path], env=os.environ | {"PYTHONPATH": str(HOUSE)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with InboxMemory(tmp_path) as memory:
        assert [(content.name, content.stage) for content in memory.not_filed()] == [
            ("a.csv", ContentStage.IN_HAND),
            ("b.csv", ContentStage.DONE),
        ]
        assert [content.name for content in memory.in_hand()] == ["a.csv"]
        assert memory.of("b").words == "1 of 1 done"


def test_a_content_is_known_by_its_hash_alone(tmp_path):
    """Taken again under another name it is the same; filed, it is still known; forgotten, it was never there."""
    with InboxMemory(tmp_path) as memory:
        memory.take("a", "a.csv", tmp_path / "out")
        memory.take("a", "again.csv", tmp_path / "other")
        assert (memory.of("a").name, memory.of("a").folder) == ("again.csv", tmp_path / "out")
        memory.end("a", ContentStage.FAILED, "in doubt")
        memory.filed("a")
        assert (memory.of("a").stage, memory.not_filed()) == (ContentStage.FAILED, [])
        memory.forget("a")
        assert memory.of("a") is None


def test_errors_that_nobody_has_foreseen_are_counted(tmp_path):
    """So that one file cannot end the watch again and again."""
    with InboxMemory(tmp_path) as memory:
        memory.take("a", "a.csv", tmp_path)
        assert [memory.stumbled("a"), memory.stumbled("a")] == [1, 2]


def test_one_watch_at_a_time(tmp_path):
    """A second one is refused with who holds it; a rehearsal remembers apart."""
    with InboxMemory(tmp_path) as memory:
        memory.take("a", "a.csv", tmp_path)
        with pytest.raises(LedgerOwned, match=f"process {os.getpid()}"), InboxMemory(tmp_path, rehearsed=True):
            pass
    with InboxMemory(tmp_path, rehearsed=True) as rehearsed:
        assert rehearsed.of("a") is None


def test_a_memory_that_is_none_is_said(tmp_path):
    """A file of that name that is no database stops the watch before anything is taken."""
    (tmp_path / ".reelbatch-inbox.sqlite3").write_text("no database, and long enough to be seen as none", "utf-8")
    with pytest.raises(SetupError, match="cannot be opened"), InboxMemory(tmp_path):
        pass
