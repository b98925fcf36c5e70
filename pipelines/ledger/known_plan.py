"""What a ledger knows of the reading that its batch was registered with, so that the same batch need not be planned again.

The jobs themselves stand in the ledger anyway; beside them are kept the digest of what decided them, and for rows that were
bought and have changed since, what these ask for now. All of it is void as soon as anything else was registered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select

from pipelines.core.image import IMAGE_UNUSABLE
from pipelines.core.job import Job, digest_of
from pipelines.core.reading import Reading
from pipelines.core.status import AttemptState, Billed, JobStatus
from pipelines.ledger.storage.schema import attempt, batch, job, meta

#: The columns of a job that follow the row of the file, whatever became of it.
OF_THE_ROW = ("position", "row", "take", "campaign", "fingerprint", "plan", "in_batch")
#: Those that are empty until something becomes of it.
UNWRITTEN = [column for column in job.c if column.nullable and column.name not in (*OF_THE_ROW, "redo_of")]
#: Nothing became of it yet.
UNTOUCHED = and_(*(column.is_(None) for column in UNWRITTEN))

_KEY = "reading"
_MOST_ASKED = 10_000  # rows that have changed since they were bought; with more the batch is planned anew each time
_UNSENT = [status for status in JobStatus if status.meaning.unsent]
_OF_THE_FILE = (job.c.in_batch, job.c.redo_of.is_(None))


@dataclass(frozen=True, slots=True)
class RegisteredReading:
    """The reading that the jobs of a ledger were registered with last."""

    reading: Reading
    asked: Mapping[str, str]  # by id, the plan of each row that asks for something else than its job is


def registered_reading(connection: Connection, inputs: str) -> RegisteredReading | None:
    """The reading of the last registration, if it was of these inputs and nothing was registered since."""
    text = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar_one_or_none()
    known = {} if text is None else json.loads(text)
    if not inputs or known.get("inputs") != inputs:
        return None
    here = connection.execute(select(func.count()).select_from(job).where(*_OF_THE_FILE)).scalar_one()
    if known["jobs"] != here or known["registered"] != _registrations(connection):
        return None
    return RegisteredReading(Reading.of(known), known["asked"])


def keep_reading(connection: Connection, reading: Reading | None, jobs: int, asked: Mapping[str, str]) -> None:
    """Keep the reading of a registration, in place of the one before; without one there is nothing to go by.

    Args:
        connection: of the registration, at its end.
        reading: what the jobs were made of; None: something else had a part in them.
        jobs: how many were registered.
        asked: by id, the plan of each row whose job stays as it was bought.
    """
    forget_reading(connection)
    if reading is None or len(asked) > _MOST_ASKED:
        return
    known = reading.as_dict() | {"jobs": jobs, "asked": dict(asked), "registered": _registrations(connection)}
    connection.execute(insert(meta).values(key=_KEY, value=json.dumps(known, ensure_ascii=False)))


def forget_reading(connection: Connection) -> None:
    """Whoever writes plans beside a registration says so: the next reading plans anew and looks at every job."""
    connection.execute(delete(meta).where(meta.c.key == _KEY))


def known_plan(connection: Connection, inputs: str) -> tuple[Reading, tuple[Job, ...]] | None:
    """The jobs that these inputs make, in the order of the file, if they are what was registered last; else None."""
    found = registered_reading(connection, inputs)
    if found is None:
        return None
    plans = connection.execute(select(job.c.id, job.c.plan).where(*_OF_THE_FILE).order_by(job.c.position)).tuples()
    try:
        return found.reading, tuple(Job.kept(found.asked.get(name, plan)) for name, plan in plans)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # nobody of ours has written that
        return None


def to_begin_anew(connection: Connection) -> set[str]:
    """The jobs, by id, that a registration changes though their rows are as they were: an earlier run has left traces."""
    return set(connection.execute(select(job.c.id).where(_marked())).scalars())


def _marked() -> ColumnElement[bool]:
    traces = or_(~UNTOUCHED, job.c.fallback_index != 0, job.c.billed != Billed.NO)
    unsent = or_(*(job.c.status == status for status in _UNSENT))
    return and_(*_OF_THE_FILE, or_(and_(unsent, traces), job.c.error_code == IMAGE_UNUSABLE))


def is_at_rest(connection: Connection, reading: Reading) -> bool:
    """Tell whether a run with this reading would find every job where it stands, so that nothing has to be tried."""
    found = registered_reading(connection, reading.inputs)
    if found is None or not found.reading.makes_the_same(reading) or found.asked:
        return False
    # What stays planned loses traces only that nobody is shown, unless it had turned to a fallback.
    moves = or_(job.c.status != JobStatus.PLANNED, job.c.made_as.is_not(None), job.c.fallback_index != 0)
    if connection.execute(select(job.c.id).where(_marked(), moves).limit(1)).first() is not None:
        return False
    half_way = attempt.c.state.in_((AttemptState.CLAIMED, AttemptState.SENDING))
    if connection.execute(select(attempt.c.id).where(half_way).limit(1)).first() is not None:
        return False
    return connection.execute(select(job.c.id).where(job.c.status == JobStatus.EXPIRED).limit(1)).first() is None


def _registrations(connection: Connection) -> str:
    """A digest of all registrations: of the last one alone, a clock that was set back would hide that it is not the last."""
    rows = connection.execute(select(batch.c.source_sha256, batch.c.read_at, batch.c.campaign))
    return digest_of({source: [read_at, campaign] for source, read_at, campaign in rows})
