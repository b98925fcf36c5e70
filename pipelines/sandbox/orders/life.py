"""Where a purchase stands at a moment: a pure function of its bill line and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pipelines.sandbox.orders.bill import Purchase


class Stage(StrEnum):
    """The finest steps that any vendor shows: Qiniu's states, in their order [Q1]."""

    INITIALIZING = "initializing"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    DOWNLOADING = "downloading"
    UPLOADING = "uploading"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


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
        ends = {"cancelled": Stage.CANCELLED}
        return Stage.COMPLETED if purchase.succeeds else ends.get(purchase.outcome, Stage.FAILED)
    return next(stage for end, stage in ENDS if share < end)


#: The stages in Qiniu's eight words [Q1].
QINIU_WORDS: Mapping[Stage, str] = {stage: stage.value for stage in Stage}
#: In OpenAI's four [O1].
OPENAI_WORDS: Mapping[Stage, str] = {
    **dict.fromkeys((Stage.INITIALIZING, Stage.QUEUED), "queued"),
    **dict.fromkeys((Stage.IN_PROGRESS, Stage.DOWNLOADING, Stage.UPLOADING), "in_progress"),
    Stage.COMPLETED: "completed",
    **dict.fromkeys((Stage.FAILED, Stage.CANCELLED), "failed"),
}
#: LiteLLM's documents say `processing` [L2].
LITELLM_WORDS = {stage: word.replace("in_progress", "processing") for stage, word in OPENAI_WORDS.items()}
#: SGLang's jobs wait until they are done [G1].
SGLANG_WORDS = {stage: word.replace("in_progress", "queued") for stage, word in OPENAI_WORDS.items()}
#: new-api knows nothing until it has asked the server behind it for the first time [N2].
NEW_API_WORDS = {**OPENAI_WORDS, Stage.QUEUED: "unknown"}
