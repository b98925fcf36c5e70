"""What a look into an inbox came to, for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from pipelines.inbox.watch import Filed


class FiledBatch(BaseModel):
    """One file that was taken out of the inbox."""

    model_config = ConfigDict(frozen=True)

    name: str
    tray: str  # done, failed, refused or seen
    words: str


class InboxResult(BaseModel):
    """What was taken out of an inbox, in this order."""

    model_config = ConfigDict(frozen=True)

    words: str  # `3 done, 1 refused`
    files: tuple[FiledBatch, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing of it needs a person."""
        return all(file.tray in ("done", "seen") for file in self.files)


def inbox_result(filed: Iterable[Filed]) -> InboxResult:
    """Say what a look came to."""
    files = tuple(FiledBatch(name=each.name, tray=each.tray, words=each.words) for each in filed)
    counts = Counter(file.tray for file in files)
    words = ", ".join(f"{count} {tray}" for tray, count in sorted(counts.items())) or "nothing new"
    return InboxResult(words=words, files=files)
