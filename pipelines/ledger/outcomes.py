"""The one way for a job to change: an outcome is written in one transaction, and what it changed is returned.

`step_of` decides what an outcome does, as a value; `record` does it. Whoever remembers the job, counts it, shows it or
logs it takes what they need from the returned `Change`, and from nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from sqlalchemy import Connection

from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.money import Bucket, BucketMove
from pipelines.core.outcome import (
    Accepted,
    Done,
    Failed,
    FellBack,
    InDoubt,
    Outcome,
    Parked,
    PersonsWord,
    Ready,
    Rejected,
    Skipped,
    Unsent,
)
from pipelines.core.status import ACCEPTED, AttemptState, Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger import attempts
from pipelines.ledger.attempts import AttemptRow, Budget, Claim
from pipelines.ledger.fallbacks import made_as_json
from pipelines.ledger.history import note
from pipelines.ledger.job_state import NOT_BOUGHT, JobState, change_job, state_of
from pipelines.ledger.persons_steps import UNFINISHED, persons_step
from pipelines.ledger.step import Step, accepted_as

_OPEN = (AttemptState.CLAIMED, AttemptState.SENDING)
_NO_ERROR = {"error_code": None, "error_message": None, "failed_stage": None}  # of an earlier deadline, perhaps


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a job, and of its money, when something was written down."""

    job_id: str
    state: JobState  # where the job stands now, whoever put it there
    changed: bool = True  # False: it stood elsewhere already, and nothing was written
    outcome: Outcome | None = None  # as it was written: an acceptance may turn out to be a replay
    money: BucketMove | None = None
    claim: Claim | None = None  # of a reservation: the right to send


def reserve(
    connection: Connection, planned: Job, account: str, budget: Budget | None, attempt_id: str | None = None
) -> Change:
    """Reserve a job, its price, and the right to send it once; unchanged where it is not planned any more.

    Raises:
        BudgetReached: what is spent, reserved and uncertain leaves too little for this job.
        NotCovered: the budget says nothing of this job, since its price is unknown or in another currency.
    """
    found = attempts.claim(connection, planned, account, budget, attempt_id)
    if found is None:
        return Change(planned.id, state_of(connection, planned.id), changed=False)
    claimed, money = found
    state = change_job(connection, planned.id, None, {"status": JobStatus.SUBMITTING, "account": account})
    assert state is not None
    failpoint("reserve.writing")
    return Change(planned.id, state, money=money, claim=claimed)


def record(
    connection: Connection, job_id: str, outcome: Outcome, claimed: Claim | None = None, about: str | None = None
) -> Change:
    """Write down what has happened to a job.

    Args:
        connection: the open transaction.
        job_id: the job.
        outcome: what has happened.
        claimed: the submission that it is the end of; only then does the attempt decide whether it still holds.
        about: the provider's id that it was heard of; a person may have said meanwhile that the job goes by another one.
    """
    row = None
    if about is not None and (now := state_of(connection, job_id)).provider_job_id != about:
        return Change(job_id, now, changed=False)
    if claimed is not None:
        row = attempts.claimed_attempt(connection, claimed)
        if row is not None and isinstance(outcome, Accepted):
            outcome = _or_replay(connection, row, outcome)
    elif isinstance(outcome, Ready | Done | Failed | PersonsWord):
        row = attempts.live_attempt(connection, job_id)
    step = step_of(outcome, row)
    concerned = row is not None and row.state in step.attempt_leaves
    state = change_job(connection, job_id, step.job_leaves, step.job) if concerned or claimed is None else None
    if state is None:
        return Change(job_id, state_of(connection, job_id), changed=False)
    money = None
    if row is not None and concerned:
        money = attempts.advance(connection, row, step.attempt_to, step.bucket, step.attempt)
    for kind, detail in step.notes:
        note(connection, kind, job_id, **detail)
    failpoint("record.writing")
    return Change(job_id, state, outcome=outcome, money=money)


def _or_replay(connection: Connection, row: AttemptRow, outcome: Accepted) -> Accepted | InDoubt:
    """Put an acceptance in doubt whose id belongs to another job: whoever answers with an old id replays answers."""
    owner = attempts.owner_of(connection, row, outcome.job.id)
    if owner is None:
        return outcome
    reason = f"the provider answered with the id {outcome.job.id}, which belongs to job {owner}"
    return InDoubt(reason, outcome.http_status, replay_of=owner)


@singledispatch
def step_of(outcome: Any, row: AttemptRow | None) -> Step:
    """Decide what an outcome does. Pure but for the clock.

    Args:
        outcome: what has happened; each kind has its own decision below.
        row: the attempt that it concerns, as it is.
    """
    del row
    raise TypeError(f"{type(outcome).__name__} is no outcome")


@step_of.register
def _(outcome: Unsent, row: AttemptRow | None) -> Step:
    del row
    planned, said = {"status": JobStatus.PLANNED}, (("not_sent", {"reason": outcome.reason}),)
    return Step(planned, said, None, (AttemptState.CLAIMED,), AttemptState.NOT_SENT, {"ended_at": utc_text()})


@step_of.register
def _(outcome: Accepted, row: AttemptRow | None) -> Step:
    now, remote = utc_text(), outcome.job
    columns = {
        **accepted_as(remote, row),
        "trace_id": outcome.trace_id,
        "submitted_at": (row.sent_at if row is not None else None) or now,
        **_NO_ERROR,
    }
    said = (("accepted", {"provider_job_id": remote.id}),)
    ended = {"ended_at": now, "provider_job_id": remote.id, "http_status": outcome.http_status}
    leaves = (*_OPEN, AttemptState.IN_DOUBT)
    return Step(columns, said, None, leaves, AttemptState.ACCEPTED, ended, Bucket.RESERVED)


@step_of.register
def _(outcome: InDoubt, row: AttemptRow | None) -> Step:
    columns = {
        "status": JobStatus.IN_DOUBT,
        "billed": Billed.UNKNOWN,
        "submitted_at": row.sent_at if row is not None else None,
        **_failure("submit", "in_doubt", outcome.reason),
    }
    ended = {"ended_at": utc_text(), "http_status": outcome.http_status, "excerpt": outcome.excerpt}
    said = (("in_doubt", {"reason": outcome.reason}),)
    return Step(columns, said, None, _OPEN, AttemptState.IN_DOUBT, ended, Bucket.UNCERTAIN)


@step_of.register
def _(outcome: Rejected, row: AttemptRow | None) -> Step:
    del row
    columns: dict[str, Any] = {"status": JobStatus.PLANNED}
    if not outcome.again:
        failure = _failure("submit", outcome.code, outcome.message)
        columns = {"status": JobStatus.REJECTED, "billed": Billed.NO, "trace_id": outcome.trace_id, **failure}
    ended = {"ended_at": utc_text(), "http_status": outcome.http_status}
    return Step(columns, (_refusal(outcome),), None, _OPEN, AttemptState.REJECTED, ended)


@step_of.register
def _(outcome: FellBack, row: AttemptRow | None) -> Step:
    del row
    order, why = outcome.now.order, {"code": outcome.code, "reason": outcome.reason}
    said = ("fell_back", {"provider": order.provider, "model": order.model, **why})
    columns = {
        "status": JobStatus.PLANNED,
        "fallback_index": outcome.now.fallback_index,
        "made_as": made_as_json(outcome.now),
        "trace_id": None,
        **_NO_ERROR,
    }
    if outcome.refused is None:
        return Step(columns, (said,), job_leaves=NOT_BOUGHT)
    ended = {"ended_at": utc_text(), "http_status": outcome.refused.http_status}
    return Step(columns, (_refusal(outcome.refused), said), None, _OPEN, AttemptState.REJECTED, ended)


@step_of.register
def _(outcome: Skipped, row: AttemptRow | None) -> Step:
    del row
    said = (("skipped", {"code": outcome.code, "message": outcome.message}),)
    columns = {"status": JobStatus.SKIPPED, **_failure("submit", outcome.code, outcome.message)}
    return Step(columns, said, job_leaves=(JobStatus.PLANNED,))


@step_of.register
def _(outcome: Ready, row: AttemptRow | None) -> Step:
    del row
    return Step(_generated(outcome), (), UNFINISHED, (AttemptState.ACCEPTED,), bucket=Bucket.SPENT)


@step_of.register
def _(outcome: Done, row: AttemptRow | None) -> Step:
    columns = _generated(outcome) | {
        "status": JobStatus.DONE,
        "downloaded_at": utc_text(),
        "output": json.dumps(outcome.output),
        "storage_uri": outcome.storage_uri,
        "flags": json.dumps(outcome.flags),
        "cost_actual_micros": None if row is None else row.cost_micros,  # no provider says what it charged
    }
    said = (("done", {"path": outcome.output.get("path"), "flags": outcome.flags}),)
    return Step(columns, said, ACCEPTED, (AttemptState.ACCEPTED,), bucket=Bucket.SPENT)


@step_of.register
def _(outcome: Failed, row: AttemptRow | None) -> Step:
    del row
    columns = {
        "status": outcome.status,
        "billed": outcome.billed,
        **_failure(outcome.stage, outcome.code, outcome.message),
        **_traced(outcome.trace_id),
    }
    if outcome.stage == "generate":
        columns["completed_at"] = utc_text()
    bucket = {Billed.YES: Bucket.SPENT, Billed.NO: None, Billed.UNKNOWN: Bucket.UNCERTAIN}[outcome.billed]
    said = (("failed", {"stage": outcome.stage, "code": outcome.code, "message": outcome.message}),)
    return Step(columns, said, ACCEPTED, (AttemptState.ACCEPTED,), AttemptState.CLOSED, {}, bucket)


@step_of.register
def _(outcome: Parked, row: AttemptRow | None) -> Step:
    del row
    said = (("parked", {"stage": outcome.stage, "code": outcome.code, "message": outcome.message}),)
    columns = {"status": JobStatus.PARKED, **_failure(outcome.stage, outcome.code, outcome.message)}
    return Step(columns, said, job_leaves=ACCEPTED)


@step_of.register
def _(outcome: PersonsWord, row: AttemptRow | None) -> Step:
    return persons_step(outcome, row)


def _generated(outcome: Ready | Done) -> dict[str, Any]:
    """The provider has delivered, so it is paid for now."""
    return {
        "status": JobStatus.READY,
        "completed_at": utc_text(outcome.completed_at),
        "url_expires_at": None if outcome.url_expires_at is None else utc_text(outcome.url_expires_at),
        "billed": Billed.YES,
        **_NO_ERROR,
        **_traced(outcome.trace_id),
    }


def _failure(stage: str, code: str, message: str) -> dict[str, str | None]:
    return {"error_code": code, "error_message": message, "failed_stage": stage}


def _refusal(refused: Rejected) -> tuple[str, Mapping[str, Any]]:
    traced = {} if refused.trace_id is None else {"trace_id": refused.trace_id}
    written = {} if refused.profile is None else {"about": refused.kind, "profile": refused.profile}
    return "rejected", {
        "code": refused.code,
        "message": refused.message,
        "http_status": refused.http_status,
        **traced,
        **written,
    }


def _traced(trace_id: str | None) -> dict[str, str]:
    """What the provider's support will ask for, where the provider says it."""
    return {} if trace_id is None else {"trace_id": trace_id}
