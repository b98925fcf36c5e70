"""A batch meets the ledger: new jobs are written down, known ones are left alone, and so is one that was bought and has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection, bindparam, insert, select, update

from pipelines.core.errors import LedgerError
from pipelines.core.failpoints import failpoint
from pipelines.core.image import IMAGE_UNUSABLE
from pipelines.core.job import Job
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.history import note, note_changes
from pipelines.ledger.storage.place import SharedLedger
from pipelines.ledger.storage.schema import batch, job

_CHUNK = 5_000

_Columns = dict[str, object]


def check_same_campaign(connection: Connection, jobs: Sequence[Job], place: SharedLedger) -> None:
    """Look whether the campaign that a database has under a name is the one that a new folder means.

    Raises:
        LedgerError: no row of it is one of these: it is another campaign of the same name.
    """
    known = {(row.id, row.fingerprint) for row in connection.execute(select(job.c.id, job.c.fingerprint))}
    if known and known.isdisjoint((planned.id, planned.order.fingerprint()) for planned in jobs):
        last = connection.execute(select(batch.c.path).order_by(batch.c.read_at.desc()).limit(1)).scalar_one_or_none()
        raise LedgerError(
            f"The database at {place.address} has a campaign {place.campaign} already, made from {last}, and none of its "
            "rows is one of these. If this is another campaign, give its batch file another name; if it is the same, "
            "restore the rows."
        )


def register(connection: Connection, jobs: Sequence[Job], *, campaign: str, path: Path, source_sha256: str) -> None:
    """Write every job of a batch down, before anything is sent.

    A row that asks for something else than was bought of it keeps its job as it was bought; what it asks for now is kept
    in the history (`views.changed_rows`).
    """
    columns = (job.c.id, job.c.fingerprint, job.c.status, job.c.billed, job.c.error_code, job.c.archived_at)
    wanted = select(*columns, job.c.replaced_by, job.c.in_batch, job.c.redo_of)
    known = {row.id: row for row in connection.execute(wanted).all()}
    rejected = connection.execute(select(job.c.id, job.c.plan).where(job.c.status == JobStatus.REJECTED)).all()
    refused = {row.id: _fallbacks(Job.model_validate_json(row.plan)) for row in rejected}
    fresh: list[_Columns] = []
    kept: list[_Columns] = []
    anew: list[_Columns] = []
    changed: list[Job] = []
    for position, planned in enumerate(jobs):
        columns_now = _columns(planned, position)
        before = known.get(planned.id)
        if before is None:
            fresh.append(columns_now)
            continue
        same, meaning = before.fingerprint == columns_now["fingerprint"], JobStatus(before.status).meaning
        if before.replaced_by is not None:  # what it asks for now is asked of the new take, by `redo`
            kept.append(columns_now if same else columns_now | _as_bought(connection, planned, before.fingerprint))
        elif same and before.archived_at is not None:
            kept.append(columns_now)
        elif same:
            # What is not bought yet begins again with what the file asks for first; what was refused, if it may turn
            # to others now.
            others = planned.id in refused and refused[planned.id] != _fallbacks(planned)
            unsent = meaning.unsent or before.error_code == IMAGE_UNUSABLE
            (anew if unsent or others else kept).append(columns_now)
        elif meaning.unsent or (meaning.editable and before.billed == Billed.NO):
            anew.append(columns_now)
        else:
            changed.append(planned)
            kept.append(columns_now | _as_bought(connection, planned, before.fingerprint))
    note_changes(connection, changed, {planned.id for planned in jobs})
    gone = [row.id for row in known.values() if row.in_batch and row.redo_of is None]
    for name in sorted(set(gone) - {planned.id for planned in jobs}):
        note(connection, "removed", name)
    if known:
        connection.execute(update(job).values(in_batch=False))
    _write(connection, fresh, kept, anew)
    _keep_new_takes(connection)
    values = {"campaign": campaign, "path": str(path), "read_at": utc_text()}
    if connection.execute(update(batch).where(batch.c.source_sha256 == source_sha256).values(values)).rowcount == 0:
        connection.execute(insert(batch).values(source_sha256=source_sha256, **values))
    note(connection, "registered", jobs=len(jobs), new=len(fresh))
    failpoint("batch.registering")


def _keep_new_takes(connection: Connection) -> None:
    """A new take that a person asked for belongs to the batch, which does not name it, as long as its row does."""
    first = job.alias("first")
    of_first = {
        name: select(first.c[name]).where(first.c.id == job.c.redo_of).scalar_subquery()
        for name in ("in_batch", "position", "row")
    }
    connection.execute(update(job).where(job.c.redo_of.is_not(None)).values(of_first))


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


def _as_bought(connection: Connection, planned: Job, fingerprint: str) -> _Columns:
    """The columns of a row whose purchase stays as it was; what is no part of it, such as tags, follows the file."""
    plan = connection.execute(select(job.c.plan).where(job.c.id == planned.id)).scalar_one()
    bought = Job.model_validate_json(plan)
    names = ("order", "cost_estimated", "currency", "price_assumed", "parent", "fallbacks")
    update = {name: getattr(bought, name) for name in names}
    return {"fingerprint": fingerprint, "plan": planned.model_copy(update=update).model_dump_json()}
