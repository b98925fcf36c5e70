"""A person's word about a job, written down or refused; also as a request to the run that owns the ledger."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from pipelines.core.errors import SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job, RemoteJob
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
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.attempts import live_attempt
from pipelines.ledger.history import given_by_hand, note
from pipelines.ledger.job_state import JobState, state_of
from pipelines.ledger.outcomes import Change, record
from pipelines.ledger.requests import answer
from pipelines.ledger.storage.schema import attempt, job

#: What ends a doubt, and what takes back an id that was given by hand.
Settling = Adopted | NotCharged | Charged | Resubmitted
#: The words that the owner of a ledger can be asked to write down, by their names there.
_ASKED: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Adopted, NotCharged, Charged, Resubmitted, Retried, Replaced, Archived, ClipGone)
}


def write_word(connection: Connection, job_id: str, outcome: PersonsWord) -> Change:
    """Write down what a person says of a job; a new take that replaces it stands beside it.

    Raises:
        SettlementRefused: the job is not there, does not stand where this can be said of it, or the id is another job's.
    """
    try:
        state = state_of(connection, job_id)
    except KeyError:
        raise SettlementRefused(f"There is no job {job_id!r} in this ledger. Nothing was changed.") from None
    if (why := _why_not(connection, job_id, state, outcome)) is not None:
        raise SettlementRefused(why)
    earlier = None
    if isinstance(outcome, Settling) and (given := given_by_hand(connection, job_id)) is not None:
        if outcome.takes_back != given.provider_job_id:
            raise SettlementRefused(
                f"{job_id} goes by {given.provider_job_id} since {utc_text(given.at)}, said by {given.by}, and is waited for. "
                "To say that this id is wrong, take it back (`--yes`, or `takes_back`). Nothing was changed."
            )
        earlier = record(connection, job_id, Withdrawn(given.provider_job_id, outcome.by)).money
    change = record(connection, job_id, outcome)
    if earlier is not None:
        change = replace(change, money=earlier.then(change.money))
    if not change.changed:
        raise SettlementRefused(
            f"{job_id} is {change.state.status.label}: {_NEEDS[type(outcome)]} Nothing was changed."
        )
    if isinstance(outcome, Replaced):
        _put_in_place(connection, job_id, outcome)
    failpoint("person.writing")
    return change


def _why_not(connection: Connection, job_id: str, state: JobState, outcome: PersonsWord) -> str | None:
    """Why something cannot be said of a job, though its status would allow it."""
    match outcome:
        case Archived() if state.status is JobStatus.SUBMITTING:
            return f"{job_id} is on its way to the provider. Archive it when it has arrived."
        case Adopted(remote) if (owner := owner_at_provider(connection, job_id, remote.id)) is not None:
            return f"{remote.id} is what job {owner} was bought as, so it cannot be {job_id}. Nothing was changed."
        case Adopted(remote) if state.provider_job_id == remote.id:
            return f"{job_id} goes by {remote.id} already: it is {state.status.label}. Nothing was changed."
        case Replaced() if state.replaced_by is not None:
            return f"{job_id} is replaced by {state.replaced_by} already. Ask for a new take of that one."
        case Retried() if state.status is JobStatus.SKIPPED:
            code = connection.execute(select(job.c.error_code).where(job.c.id == job_id)).scalar_one()
            return f"{job_id} is switched off in its batch file. Nothing was changed." if code is None else None
    return None


#: What a person can settle; also where it is refused before it is said.
SETTLED_ALONE = "only what is in doubt is to be settled, or goes by an id that a person gave, and has not ended."
_NEEDS: dict[type[Any], str] = dict.fromkeys((Adopted, NotCharged, Charged, Resubmitted), SETTLED_ALONE) | {
    Retried: "only what has failed can be run again.",
    Replaced: "a new take is made of what is done, or has ended without a clip.",
    ClipGone: "only what is done can be missed.",
}


def settle_as_asked(connection: Connection, job_id: str, outcome: PersonsWord, request: int) -> Change:
    """Write down what a person asks to be said of a job, together with the answer to the request.

    Raises:
        SettlementRefused: as `write_word`; then the request has no answer yet.
    """
    change = write_word(connection, job_id, outcome)
    answer(connection, request, {"status": change.state.status})
    return change


def _put_in_place(connection: Connection, job_id: str, word: Replaced) -> None:
    """Write down a new take, beside the job that it replaces."""
    new, old = word.new, connection.execute(select(job).where(job.c.id == job_id)).one()
    values = {
        "id": new.id,
        "position": old.position,
        "row": new.row,
        "take": new.take,
        "campaign": new.campaign,
        "fingerprint": new.order.fingerprint(),
        "plan": new.model_dump_json(),
        "status": JobStatus.PLANNED,
        "in_batch": old.in_batch,
        "fallback_index": 0,
        "billed": Billed.NO,
        "redo_of": old.redo_of or job_id,
    }
    connection.execute(insert(job).values(values))
    note(connection, "new_take", new.id, of=job_id, by=word.by)


def as_argument(job_id: str, outcome: PersonsWord) -> dict[str, Any]:
    """A person's word as the argument of a request."""
    said = asdict(outcome)
    if isinstance(outcome, Adopted):  # its `job` is the provider's
        said["remote"] = said.pop("job")
    if isinstance(outcome, Replaced):
        said["new"] = outcome.new.model_dump(mode="json")
    return {**said, "job": job_id, "word": type(outcome).__name__}


def from_argument(argument: dict[str, Any]) -> tuple[str, PersonsWord]:
    """Read a person's word from the argument of a request.

    Raises:
        SettlementRefused: it is none that this version knows.
    """
    kind, by = _ASKED.get(str(argument.get("word"))), str(argument.get("by", ""))
    word: PersonsWord
    if kind is None:
        raise SettlementRefused("The run does not know this request. Wait until it has ended, and ask again.")
    back = argument.get("takes_back")
    if kind is Adopted:
        word = Adopted(RemoteJob(**argument["remote"]), by, back)
    elif kind in (NotCharged, Charged, Resubmitted):
        word = kind(by, back)
    elif kind is Replaced:
        word = Replaced(Job.model_validate(argument["new"]), by)
    elif kind is ClipGone:
        word = ClipGone(argument["code"], str(argument["message"]), argument["lost"], by)
    elif kind is Retried:
        word = Retried(by, bool(argument.get("again")))
    else:
        word = kind(by)
    return str(argument["job"]), word


def owner_at_provider(connection: Connection, job_id: str, provider_job_id: str) -> str | None:
    """Find the other job that a provider gave this id to; its account may have had another key then."""
    row = live_attempt(connection, job_id)
    if row is None:
        return None
    others = (attempt.c.provider == row.provider) & (attempt.c.provider_job_id == provider_job_id)
    found = connection.execute(select(attempt.c.job_id).where(others, attempt.c.id != row.id).limit(1))
    return found.scalar_one_or_none()
