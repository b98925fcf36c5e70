"""What an inbox has taken, by content: a small SQLite file that outlives every kill.

A file is known by the SHA-256 of its bytes. Each step is one synced commit, made before what follows from it:

    in hand   before the first order; a watcher that starts finds it and goes on with it, in the same folder
    done, failed   when its campaign has ended, before the file is moved
    filed     when it was moved

A kill between two steps leaves the earlier one. The same step again does no harm: the campaign's own ledger pays nothing
twice, and moving is idempotent. So no content begins twice, and none is forgotten. What was refused is not remembered,
since nothing was sent: the same file may be fine once a picture or a key is there.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.core.errors import SetupError
from pipelines.core.text.times import utc_text
from pipelines.ledger.storage.lock import OwnerLock

MEMORY_NAME = ".reelbatch-inbox.sqlite3"
_TABLE = """
CREATE TABLE IF NOT EXISTS content (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL, stage TEXT NOT NULL, words TEXT NOT NULL,
    filed INTEGER NOT NULL, stumbles INTEGER NOT NULL, taken_at TEXT NOT NULL
)
"""
_TAKE = """
INSERT INTO content VALUES (?, ?, ?, ?, '', 0, 0, ?) ON CONFLICT (sha256) DO UPDATE SET name = excluded.name
"""


class ContentStage(StrEnum):
    """How far a content is. Its end is the name of the sub-folder, too, that its file goes to."""

    IN_HAND = "in hand"
    DONE = "done"
    FAILED = "failed"  # a person must look


@dataclass(frozen=True, slots=True)
class Content:
    """A content that was taken."""

    sha256: str
    name: str  # of the file, as it was dropped
    folder: Path  # the output folder
    stage: ContentStage
    words: str  # how it ended
    filed: bool
    stumbles: int  # how often its run has ended with an error that nobody has foreseen
    taken_at: str


class InboxMemory:
    """The memory of one inbox, and the right to work on it. Use as a context manager.

    Args:
        home: the folder that it lies in.
        rehearsed: nothing is paid; a rehearsal has a memory of its own.
    """

    def __init__(self, home: Path, *, rehearsed: bool = False) -> None:
        self._home = home
        self._path = home / (f"{MEMORY_NAME}-rehearsal" if rehearsed else MEMORY_NAME)
        self._lock = OwnerLock(home / ".reelbatch-inbox-owner")

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            LedgerOwned: another process watches this inbox.
            SetupError: the folder cannot be written.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._lock.__enter__()
            self._rows = sqlite3.connect(self._path, isolation_level=None)
            self._rows.execute("PRAGMA synchronous=FULL")
            self._rows.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise SetupError(f"The inbox's memory {self._path} cannot be opened ({error}).") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._rows.close()
        self._lock.__exit__(kind, error, trace)

    def of(self, sha256: str) -> Content | None:
        """What is known of a content."""
        found = self._rows.execute("SELECT * FROM content WHERE sha256 = ?", (sha256,)).fetchone()
        return None if found is None else _content(found)

    def in_hand(self) -> list[Content]:
        """What was taken and has not ended, the oldest first."""
        return [content for content in self.not_filed() if content.stage is ContentStage.IN_HAND]

    def not_filed(self) -> list[Content]:
        """What was taken, and whose file was not moved as far as is known."""
        rows = self._rows.execute("SELECT * FROM content WHERE filed = 0 ORDER BY taken_at, name")
        return [_content(row) for row in rows]

    def take(self, sha256: str, name: str, folder: Path) -> None:
        """Take a content in hand, before anything is ordered for it; one that is in hand already gets its new name."""
        self._rows.execute(_TAKE, (sha256, name, str(folder), ContentStage.IN_HAND, utc_text()))

    def end(self, sha256: str, stage: ContentStage, words: str) -> Content:
        """Write down how it ended, before its file is moved."""
        statement = "UPDATE content SET stage = ?, words = ? WHERE sha256 = ? RETURNING *"
        return _content(self._rows.execute(statement, (stage, words, sha256)).fetchone())

    def filed(self, sha256: str) -> None:
        """Write down that its file was moved."""
        self._rows.execute("UPDATE content SET filed = 1 WHERE sha256 = ?", (sha256,))

    def stumbled(self, sha256: str) -> int:
        """Count an error that nobody has foreseen; how many there were."""
        statement = "UPDATE content SET stumbles = stumbles + 1 WHERE sha256 = ? RETURNING stumbles"
        return int(self._rows.execute(statement, (sha256,)).fetchone()[0])

    def forget(self, sha256: str) -> None:
        """Forget a content for which nothing was sent."""
        self._rows.execute("DELETE FROM content WHERE sha256 = ?", (sha256,))


def _content(row: tuple[Any, ...]) -> Content:
    sha256, name, folder, stage, words, filed, stumbles, taken_at = row
    return Content(sha256, name, Path(folder), ContentStage(stage), words, bool(filed), stumbles, taken_at)
