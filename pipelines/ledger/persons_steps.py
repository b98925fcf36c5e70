"""What a person's word does to a job, to its attempt, to the money and to the history. Pure but for the clock."""

from __future__ import annotations

from typing import Any

from pipelines.core.money import Bucket
from pipelines.core.outcome import (
    Adopted,
    Archived,
    Charged,
    ClipGone,
    NotCharged,
    PersonsWord,
    Replaced,
    Resubmitted,
    Retried,
    Withdrawn,
)
from pipelines.core.status import AttemptState, Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.attempts import AttemptRow
from pipelines.ledger.step import Step, accepted_as

IN_DOUBT = (JobStatus.IN_DOUBT,)
DONE = (JobStatus.DONE,)
#: The provider has the job, and has not finished it as far as anybody knows here.
UNFINISHED = (JobStatus.WAITING, JobStatus.PARKED)
#: It has ended without a clip.
ENDED_WITHOUT = (JobStatus.FAILED, JobStatus.REJECTED, JobStatus.CANCELLED)
#: What can be planned again: remixes that were skipped are, together with what they are made of.
RETRIABLE = (*ENDED_WITHOUT, JobStatus.SKIPPED)
#: What a new take can replace.
REPLACEABLE = (JobStatus.DONE, JobStatus.EXPIRED, *ENDED_WITHOUT)

CHARGED_WITHOUT_CLIP = "charged_without_clip"

_DOUBT = (AttemptState.IN_DOUBT,)
_ACCEPTED = (AttemptState.ACCEPTED,)
_UNSAID = dict.fromkeys(("error_code", "error_message", "failed_stage"))
_NOT_KNOWN_BY: dict[str, Any] = dict.fromkeys(("provider_job_id", "mode", "contract", "status_url", "result_url"))
#: A job that is to be sent once more knows nothing of the submission before.
_AS_NEW = (
    _UNSAID | _NOT_KNOWN_BY | dict.fromkeys(("account", "trace_id", "submitted_at", "completed_at", "url_expires_at"))
)


def persons_step(outcome: PersonsWord, row: AttemptRow | None) -> Step:
    """Decide what a person's word does.

    Args:
        outcome: the word.
        row: the live attempt of the job, as it is.
    """
    match outcome:
        case Archived():
            return Step({"archived_at": utc_text()}, (("archived", {"by": outcome.by}),))
        case Replaced(new):
            return Step({"replaced_by": new.id}, (("replaced", {"now": new.id, "by": outcome.by}),), REPLACEABLE)
        case Retried():
            columns = _AS_NEW | {
                "status": JobStatus.PLANNED,
                "billed": Billed.NO,
                "fallback_index": 0,
                "made_as": None,
            }
            return Step(columns, (("retried", {"by": outcome.by}),), RETRIABLE)
        case Withdrawn(remote_id):
            columns = _NOT_KNOWN_BY | {"status": JobStatus.IN_DOUBT, "billed": Billed.UNKNOWN, "failed_stage": "submit"}
            columns |= {"error_code": "in_doubt", "error_message": f"the id {remote_id} was taken back"}
            said = (("withdrawn", {"provider_job_id": remote_id, "by": outcome.by}),)
            freed = {"provider_job_id": None}  # the right row may have it
            return Step(columns, said, UNFINISHED, _ACCEPTED, AttemptState.IN_DOUBT, freed, Bucket.UNCERTAIN)
        case ClipGone(code, message, lost):
            columns = {"status": JobStatus.READY, "output": None, "storage_uri": None, "downloaded_at": None}
            columns |= {"error_code": code, "error_message": message, "failed_stage": "download"}
            return Step(columns, (("clip_gone", {"code": code, "lost": dict(lost), "by": outcome.by}),), DONE)
        case _:
            return _settled(outcome, row)


def _settled(outcome: Adopted | NotCharged | Charged | Resubmitted, row: AttemptRow | None) -> Step:
    """Decide what ends a doubt: who looked at the provider says what became of the submission."""
    match outcome:
        case Adopted(remote):
            columns: dict[str, Any] = {**accepted_as(remote, row), **_UNSAID}
            said = (("adopted", {"provider_job_id": remote.id, "by": outcome.by}),)
            ended = {"provider_job_id": remote.id}
            return Step(columns, said, IN_DOUBT, _DOUBT, AttemptState.ACCEPTED, ended, Bucket.RESERVED)
        case NotCharged():
            columns = _AS_NEW | {"status": JobStatus.PLANNED, "billed": Billed.NO}
            return Step(columns, (("not_charged", {"by": outcome.by}),), IN_DOUBT, _DOUBT, AttemptState.REJECTED)
        case Charged():
            columns = {
                "status": JobStatus.FAILED,
                "billed": Billed.YES,
                "cost_actual_micros": None if row is None else row.cost_micros,
                "error_code": CHARGED_WITHOUT_CLIP,
                "error_message": "it was charged, and there is no clip of it",
                "failed_stage": "download",
            }
            said = (("charged", {"by": outcome.by}),)
            return Step(columns, said, IN_DOUBT, _DOUBT, AttemptState.CLOSED, {}, Bucket.SPENT)
        case Resubmitted():
            columns = _AS_NEW | {"status": JobStatus.PLANNED, "billed": Billed.UNKNOWN}
            said = (("resubmitted", {"by": outcome.by}),)
            return Step(columns, said, IN_DOUBT, _DOUBT, AttemptState.CLOSED, {}, Bucket.UNCERTAIN)
