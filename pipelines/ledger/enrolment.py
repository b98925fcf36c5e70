"""A batch meets the ledger: new jobs are written down, known ones are left alone, a changed one is looked at twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, select, update

from pipelines.errors import BatchError, Problem
from pipelines.job import Billed, Job, JobStatus
from pipelines.ledger.attempts import note, utc_text
from pipelines.ledger.schema import batch, job

#: A job in one of these has cost nothing and owes nothing, so its row may be edited and planned anew.
_MAY_CHANGE = frozenset(
    {JobStatus.PLANNED, JobStatus.REJECTED, JobStatus.FAILED, JobStatus.SKIPPED, JobStatus.CANCELLED}
)
_CHUNK = 5_000


def enrol(connection: Connection, jobs: Sequence[Job], *, campaign: str, path: Path, source_sha256: str) -> None:
    """Write every job of a batch down, before anything is sent.

    Raises:
        BatchError: rows that were bought already now ask for something else.
    """
    known = {
        row.id: row for row in connection.execute(select(job.c.id, job.c.fingerprint, job.c.status, job.c.plan)).all()
    }
    fresh, changed, anew, problems = [], [], [], []
    for position, planned in enumerate(jobs):
        columns = _columns(planned, position)
        before = known.get(planned.id)
        if before is None:
            fresh.append(columns)
        elif before.fingerprint == columns["fingerprint"]:
            changed.append(columns | {"status": _status_again(before.status, planned)})
        elif before.status in _MAY_CHANGE:
            anew.append(columns)
        else:
            problems.append(_changed(planned, before.status, path))
    if problems:
        raise BatchError(problems)
    if known:
        connection.execute(update(job).values(in_batch=False))
    _write(connection, fresh, changed, anew)
    values = {"campaign": campaign, "path": str(path), "read_at": utc_text()}
    if connection.execute(update(batch).where(batch.c.source_sha256 == source_sha256).values(values)).rowcount == 0:
        connection.execute(insert(batch).values(source_sha256=source_sha256, **values))
    note(connection, "enrolled", jobs=len(jobs), new=len(fresh))


def _columns(planned: Job, position: int) -> dict[str, object]:
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
        "billed": Billed.NO,
    }


def _status_again(before: str, planned: Job) -> str:
    """The status of an unchanged row: switching `enabled` moves it between planned and skipped, nothing else does."""
    if before in (JobStatus.PLANNED, JobStatus.SKIPPED):
        return JobStatus.PLANNED if planned.enabled else JobStatus.SKIPPED
    return before


def _write(
    connection: Connection,
    fresh: list[dict[str, object]],
    changed: list[dict[str, object]],
    anew: list[dict[str, object]],
) -> None:
    for chunk in _chunks(fresh):
        connection.execute(insert(job), chunk)
    names = ("position", "row", "take", "campaign", "fingerprint", "plan", "status", "in_batch")
    keep = update(job).where(job.c.id == bindparam("_id")).values({name: bindparam(f"_{name}") for name in names})
    forget = keep.values({column: None for column in job.c if column.nullable} | {job.c.billed: Billed.NO})
    for statement, rows in ((keep, changed), (forget, anew)):
        for chunk in _chunks(rows):
            connection.execute(statement, [{f"_{name}": row[name] for name in ("id", *names)} for row in chunk])


def _chunks(rows: list[dict[str, object]]) -> Iterable[list[dict[str, object]]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def _changed(planned: Job, status: str, path: Path) -> Problem:
    return Problem(
        f"{path.name}, row {planned.row}",
        f"job {planned.id!r} is {status.replace('_', ' ')} already, and this row now asks for something else.",
        "Give the row a new id to buy it anew, or restore what it said.",
    )
