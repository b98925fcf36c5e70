"""A batch meets the ledger: new jobs are written down, known ones are left alone, and so is one that was bought and has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from pipelines.core.errors import LedgerError
from pipelines.core.failpoints import failpoint
from pipelines.core.image import IMAGE_UNUSABLE
from pipelines.core.job import Job
from pipelines.core.reading import Reading
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.history import note, note_changes
from pipelines.ledger.known_plan import (
    OF_THE_ROW,
    UNTOUCHED,
    UNWRITTEN,
    keep_reading,
    registered_reading,
    to_begin_anew,
)
from pipelines.ledger.storage.place import SharedLedger
from pipelines.ledger.storage.schema import batch, job

_CHUNK = 5_000  # rows at once: 100,000 with their plans would take 200 MB

#: The columns that say that nothing became of a job yet.
_OF_THE_NEW = (*OF_THE_ROW, "status", "fallback_index", "billed")

_KNOWN = select(
    *(job.c[name] for name in ("id", "error_code", "archived_at", "replaced_by", *_OF_THE_NEW)),
    UNTOUCHED.label("untouched"),
)

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


def register(
    connection: Connection,
    jobs: Sequence[Job],
    *,
    campaign: str,
    path: Path,
    source_sha256: str,
    reading: Reading | None = None,
) -> None:
    """Write every job of a batch down, before anything is sent.

    A row that asks for something else than was bought of it keeps its job as it was bought; what it asks for now is kept
    in the history (`views.changed_rows`).

    Args:
        connection: of the ledger, in a transaction.
        jobs: of the batch, all of them.
        campaign: the name of the batch.
        path: of its file.
        source_sha256: of the bytes of the file.
        reading: what made these very jobs. If they were registered last with the same, only those are looked at again that
            an earlier run has left traces on.
    """
    known = None if reading is None else registered_reading(connection, reading.inputs)
    if known is not None and reading is not None and not known.reading.makes_the_same(reading):
        known = None
    places: Sequence[tuple[int, Job]] = list(enumerate(jobs))
    before: Sequence[Row[Any]] = ()
    if known is None:
        before = connection.execute(select(job.c.id, job.c.in_batch, job.c.redo_of)).all()
    else:
        again = to_begin_anew(connection).union(known.asked)
        places = [(place, planned) for place, planned in places if planned.id in again] if again else ()
    here = {planned.id for planned in jobs}
    gone = [row for row in before if row.id not in here]
    changed: list[Job] = []
    asked: dict[str, str] = {}
    for start in range(0, len(places), _CHUNK):
        changed += _register_some(connection, places[start : start + _CHUNK], asked)
    note_changes(connection, changed, here)
    for name in sorted(row.id for row in gone if row.in_batch and row.redo_of is None):
        note(connection, "removed", name)
    leave = update(job).where(job.c.id == bindparam("_id")).values(in_batch=False)
    if gone:
        connection.execute(leave, [{"_id": row.id} for row in gone])
    _keep_new_takes(connection)
    values = {"campaign": campaign, "path": str(path), "read_at": utc_text()}
    if connection.execute(update(batch).where(batch.c.source_sha256 == source_sha256).values(values)).rowcount == 0:
        connection.execute(insert(batch).values(source_sha256=source_sha256, **values))
    new = 0 if known is not None else len(here - {row.id for row in before})
    note(connection, "registered", jobs=len(jobs), new=new)
    keep_reading(connection, reading, len(jobs), asked)
    failpoint("batch.registering")


def _register_some(connection: Connection, places: Sequence[tuple[int, Job]], asked: dict[str, str]) -> list[Job]:
    """Write some jobs down.

    Args:
        connection: of the ledger.
        places: the jobs, each with its place in the file.
        asked: takes the plans of those that stay as they were bought though their rows ask for something else.

    Returns:
        Those whose row asks for something else than was bought of it.
    """
    ids = [planned.id for _, planned in places]
    known = {row.id: row for row in connection.execute(_KNOWN.where(job.c.id.in_(ids)))}
    fresh: list[_Columns] = []
    kept: list[_Columns] = []
    anew: list[_Columns] = []
    changed: list[Job] = []
    for position, planned in places:
        before = known.get(planned.id)
        now = _columns(planned, position, before)
        if before is None:
            fresh.append(now)
            continue
        same, meaning = before.fingerprint == now["fingerprint"], JobStatus(before.status).meaning
        if before.replaced_by is not None:  # what it asks for now is asked of the new take, by `redo`
            kept.append(now if same else _as_bought(planned, before, now, asked))
        elif same and before.archived_at is not None:
            kept.append(now)
        elif same:
            # What is not bought yet begins again with what the file asks for first; what was refused, if it may turn
            # to others now.
            refused = before.status == JobStatus.REJECTED
            others = refused and _fallbacks(Job.model_validate_json(before.plan)) != _fallbacks(planned)
            unsent = meaning.unsent or before.error_code == IMAGE_UNUSABLE
            (anew if unsent or others else kept).append(now)
        elif meaning.unsent or (meaning.editable and before.billed == Billed.NO):
            anew.append(now)
        else:
            changed.append(planned)
            kept.append(_as_bought(planned, before, now, asked))
    # Most rows of a run that goes on are as they were: nothing is written of them.
    kept = [row for row in kept if _differs(row, known, OF_THE_ROW)]
    anew = [row for row in anew if _differs(row, known, _OF_THE_NEW) or not known[str(row["id"])].untouched]
    _write(connection, fresh, kept, anew)
    return changed


def _keep_new_takes(connection: Connection) -> None:
    """A new take that a person asked for belongs to the batch, which does not name it, as long as its row does."""
    first = job.alias("first")
    of_first = {
        name: select(first.c[name]).where(first.c.id == job.c.redo_of).scalar_subquery()
        for name in ("in_batch", "position", "row")
    }
    connection.execute(update(job).where(job.c.redo_of.is_not(None)).values(of_first))


def _columns(planned: Job, position: int, before: Row[Any] | None) -> _Columns:
    plan = planned.model_dump_json()
    same = before is not None and before.plan == plan  # then it asks for the same, and the digest is known
    return {
        "id": planned.id,
        "position": position,
        "row": planned.row,
        "take": planned.take,
        "campaign": planned.campaign,
        "fingerprint": before.fingerprint if same and before is not None else planned.order.fingerprint(),
        "plan": plan,
        "status": JobStatus.PLANNED if planned.enabled else JobStatus.SKIPPED,
        "in_batch": True,
        "fallback_index": 0,
        "billed": Billed.NO,
    }


def _fallbacks(planned: Job) -> list[str]:
    return [choice.order.fingerprint() for choice in planned.fallbacks]


def _write(connection: Connection, fresh: list[_Columns], kept: list[_Columns], anew: list[_Columns]) -> None:
    if fresh:
        connection.execute(insert(job), fresh)
    keep = update(job).where(job.c.id == bindparam("_id")).values({name: bindparam(f"_{name}") for name in OF_THE_ROW})
    begin = keep.values(
        dict.fromkeys(UNWRITTEN)
        | {job.c.status: bindparam("_status"), job.c.fallback_index: 0, job.c.billed: Billed.NO}
    )
    for statement, rows, columns in ((keep, kept, OF_THE_ROW), (begin, anew, (*OF_THE_ROW, "status"))):
        if rows:
            connection.execute(statement, [{f"_{name}": row[name] for name in ("id", *columns)} for row in rows])


def _differs(row: _Columns, known: Mapping[str, Row[Any]], names: Iterable[str]) -> bool:
    before = known[str(row["id"])]._mapping  # noqa: SLF001 - SQLAlchemy's public way to a row's columns
    return any(before[name] != row[name] for name in names)


def _as_bought(planned: Job, before: Row[Any], now: _Columns, asked: dict[str, str]) -> _Columns:
    """The columns of a row whose purchase stays as it was; what is no part of it, such as tags, follows the file."""
    bought = Job.model_validate_json(before.plan)
    names = ("order", "cost_estimated", "currency", "price_assumed", "parent", "fallbacks")
    update = {name: getattr(bought, name) for name in names}
    asked[planned.id] = str(now["plan"])
    return now | {"fingerprint": before.fingerprint, "plan": planned.model_copy(update=update).model_dump_json()}
