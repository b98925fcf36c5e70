"""A batch meets the ledger: new jobs are written down, known ones are left alone, a changed one is looked at twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, select, update

from pipelines.core.errors import BatchError, Problem
from pipelines.core.image import IMAGE_UNUSABLE
from pipelines.core.job import Job, Order
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.history import note
from pipelines.ledger.storage.schema import batch, job

_CHUNK = 5_000

_Columns = dict[str, object]


def register(connection: Connection, jobs: Sequence[Job], *, campaign: str, path: Path, source_sha256: str) -> None:
    """Write every job of a batch down, before anything is sent.

    Raises:
        BatchError: rows that were bought already now ask for something else.
    """
    wanted = select(job.c.id, job.c.fingerprint, job.c.status, job.c.error_code, job.c.archived_at)
    known = {row.id: row for row in connection.execute(wanted).all()}
    rejected = connection.execute(select(job.c.id, job.c.plan).where(job.c.status == JobStatus.REJECTED)).all()
    replaced = select(job.c.id, job.c.fingerprint, job.c.plan).where(job.c.replaced_by.is_not(None))
    done_anew = {row.id: row for row in connection.execute(replaced)}
    refused = {row.id: _fallbacks(Job.model_validate_json(row.plan)) for row in rejected}
    fresh: list[_Columns] = []
    kept: list[_Columns] = []
    anew: list[_Columns] = []
    problems = []
    for position, planned in enumerate(jobs):
        columns = _columns(planned, position)
        before = known.get(planned.id)
        if before is None:
            fresh.append(columns)
        elif (old := done_anew.get(planned.id)) is not None:  # what it asks for now is asked of the new take, by `redo`
            kept.append({**columns, "fingerprint": old.fingerprint, "plan": old.plan})
        elif before.archived_at is not None and before.fingerprint == columns["fingerprint"]:
            kept.append(columns)
        elif before.fingerprint == columns["fingerprint"]:
            # What is not bought yet begins again with what the file asks for first; what was refused, if it may turn
            # to others now.
            others = planned.id in refused and refused[planned.id] != _fallbacks(planned)
            unsent = JobStatus(before.status).meaning.unsent or before.error_code == IMAGE_UNUSABLE
            (anew if unsent or others else kept).append(columns)
        elif JobStatus(before.status).meaning.editable:
            anew.append(columns)
        else:
            problems.append(_changed(connection, planned, before.status, path))
    if problems:
        raise BatchError(problems)
    if known:
        connection.execute(update(job).values(in_batch=False))
    _write(connection, fresh, kept, anew)
    _keep_new_takes(connection)
    values = {"campaign": campaign, "path": str(path), "read_at": utc_text()}
    if connection.execute(update(batch).where(batch.c.source_sha256 == source_sha256).values(values)).rowcount == 0:
        connection.execute(insert(batch).values(source_sha256=source_sha256, **values))
    note(connection, "registered", jobs=len(jobs), new=len(fresh))


def _keep_new_takes(connection: Connection) -> None:
    """A new take that a person asked for belongs to the batch, which does not name it, as long as its row does."""
    first = job.alias("first")
    of_row = select(first.c.in_batch).where(first.c.id == job.c.redo_of).scalar_subquery()
    place = select(first.c.position).where(first.c.id == job.c.redo_of).scalar_subquery()
    connection.execute(update(job).where(job.c.redo_of.is_not(None)).values(in_batch=of_row, position=place))


def _columns(planned: Job, position: int) -> _Columns:
    return {
        "id": planned.id,
        "position": position,
        "row": planned.row,
        "take": planned.take,
        "campaign": planned.campaign,
        "fingerprint": planned.order.fingerprint(),
        "plan": planned.model_dump_json(),
        "status": JobStatus.PLANNED if planned.enabled else JobStatus.SKIPPED,
        "in_batch": True,
        "fallback_index": 0,
        "billed": Billed.NO,
    }


def _fallbacks(planned: Job) -> list[str]:
    return [choice.order.fingerprint() for choice in planned.fallbacks]


def _write(connection: Connection, fresh: list[_Columns], kept: list[_Columns], anew: list[_Columns]) -> None:
    for chunk in _chunks(fresh):
        connection.execute(insert(job), chunk)
    names = ("position", "row", "take", "campaign", "fingerprint", "plan", "in_batch")
    keep = update(job).where(job.c.id == bindparam("_id")).values({name: bindparam(f"_{name}") for name in names})
    unwritten = {column: None for column in job.c if column.nullable and column.name not in (*names, "redo_of")}
    begin = keep.values(
        unwritten | {job.c.status: bindparam("_status"), job.c.fallback_index: 0, job.c.billed: Billed.NO}
    )
    for statement, rows, columns in ((keep, kept, names), (begin, anew, (*names, "status"))):
        for chunk in _chunks(rows):
            connection.execute(statement, [{f"_{name}": row[name] for name in ("id", *columns)} for row in chunk])


def _chunks(rows: list[_Columns]) -> Iterable[list[_Columns]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _changed(connection: Connection, planned: Job, status: str, path: Path) -> Problem:
    """A bought row that asks for something else now, and in what; what a mode fixes is its profile's."""
    plan = connection.execute(select(job.c.plan).where(job.c.id == planned.id)).scalar_one()
    now, bought = planned.order, Job.model_validate_json(plan).order
    names = [name for name in Order.model_fields if name != "fixed" and getattr(now, name) != getattr(bought, name)]
    of_profile = not set(names) - {"mode"}
    profile = f", and the profile of {now.provider}: its mode was {bought.mode!r}" if of_profile else ""
    return Problem(
        f"{path.name}, row {planned.row}",
        f"job {planned.id!r} is {JobStatus(status).label} already, and this row now asks for something else: "
        f"{', '.join(names) or 'fixed'}.",
        f"Give the row a new id to buy it anew, or restore what it said{profile}.",
    )
