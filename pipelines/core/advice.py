"""What a person can do about a job that ended without a clip: one advice for each kind of end. Pure."""

from __future__ import annotations

from pipelines.core.outcome import CLIP_MISSING, UNKNOWN_ID
from pipelines.core.status import Billed, JobStatus

#: Words of a code or message by which a provider says that it does not make what a prompt asks for.
MODERATION_WORDS = ("moderation", "content_policy", "content policy", "safety")
_MODERATED = (
    "The provider does not make what the prompt asks for. Change the prompt in the file and run the same command again, or "
    "buy a new take with `reelbatch redo DIR ID --prompt ...`."
)
_REFUSED = (
    "It was refused, and nothing was charged. Change what its row asks for and run the same command again; where the "
    "profile was wrong, correct it and `reelbatch retry DIR`."
)
_NOT_CHARGED = "It was not charged. `reelbatch retry DIR` tries it again, and says first what that costs if it is made."
_MISSING = "Correct the profile of its provider and run the same command again, which asks anew; it costs nothing."
_UNKNOWN = "The same run command asks again; it costs nothing. Where a person gave the id, `reelbatch resolve DIR ID` takes it back."
_MAY_BE_CHARGED = "It may have been charged all the same. `reelbatch retry DIR` buys it again; nothing is bought again before you say so."
_CHARGED = "It was charged, and there is no clip. `reelbatch redo DIR ID` buys a new take."
_OF_A_FAILURE = {Billed.NO: _NOT_CHARGED, Billed.UNKNOWN: _MAY_BE_CHARGED, Billed.YES: _CHARGED}


def advice_on(status: JobStatus, billed: Billed, reason: str) -> str:
    """What to do about a job; empty where nothing is needed of anybody.

    Args:
        status: where it stands.
        billed: whether it is charged.
        reason: why it stands there: code and message.
    """
    if status is JobStatus.PARKED and CLIP_MISSING in reason:
        return _MISSING
    if status is JobStatus.PARKED and f"({UNKNOWN_ID})" in reason:
        return _UNKNOWN
    if status not in (JobStatus.FAILED, JobStatus.REJECTED, JobStatus.CANCELLED):
        return status.meaning.advice
    if any(word in reason.lower() for word in MODERATION_WORDS):
        return _MODERATED
    return _REFUSED if status is JobStatus.REJECTED else _OF_A_FAILURE[billed]
