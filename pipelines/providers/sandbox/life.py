"""Where a purchase stands at a moment: a pure function of its bill line and the clock."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.providers.sandbox.bill import Purchase


class Stage(StrEnum):
    """The finest steps that any vendor shows: Qiniu's states, in their order [Q1]."""

    INITIALIZING = "initializing"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    DOWNLOADING = "downloading"
    UPLOADING = "uploading"
    COMPLETED = "completed"
    FAILED = "failed"


#: The share of the whole time at which each unfinished stage ends.
ENDS = (
    (0.04, Stage.INITIALIZING),
    (0.15, Stage.QUEUED),
    (0.86, Stage.IN_PROGRESS),
    (0.93, Stage.DOWNLOADING),
    (1.0, Stage.UPLOADING),
)


def share_done(purchase: Purchase, now: float) -> float:
    """The share of its time that has passed, from 0 to 1."""
    if now >= purchase.finished:
        return 1.0
    return max(0.0, (now - purchase.created) / purchase.latency_s)


def stage_of(purchase: Purchase, now: float) -> Stage:
    """The stage that a purchase is in."""
    share = share_done(purchase, now)
    if share >= 1:
        return Stage.COMPLETED if purchase.succeeds else Stage.FAILED
    return next(stage for end, stage in ENDS if share < end)


def openai_word(stage: Stage) -> str:
    """The stage in OpenAI's four words [O1]."""
    if stage in (Stage.INITIALIZING, Stage.QUEUED):
        return "queued"
    return stage.value if stage in (Stage.COMPLETED, Stage.FAILED) else "in_progress"
