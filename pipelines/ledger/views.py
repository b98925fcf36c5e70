"""Reading the ledger: what `status`, `ls` and the catalogue are made from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from pipelines.core.events import RowChange
from pipelines.core.job import Job, Order
from pipelines.core.money import Balance, Bucket
from pipelines.core.status import ACCEPTED, AttemptState, Billed, JobStatus
from pipelines.ledger.balances import Payment, balances, payments
from pipelines.ledger.callbacks import Called, calls_of_jobs
from pipelines.ledger.fallbacks import flag_of, made_as
from pipelines.ledger.history import changed_plans
from pipelines.ledger.job_state import STATE_COLUMNS, JobState, state_from
from pipelines.ledger.storage.schema import attempt, batch, job, owner

#: The order of a batch file; what it no longer names comes last.
FILE_ORDER = (job.c.in_batch.desc(), job.c.position, job.c.id)
#: Attempts that reached a provider, or may have: not those that waited for their turn, nor those that could not be sent.
_WAS_SENT = (
    attempt.c.state.not_in((AttemptState.CLAIMED, AttemptState.NOT_SENT)),
    or_(attempt.c.sent_at.is_not(None), attempt.c.state != AttemptState.REJECTED),
)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """Everything that the ledger knows of one job."""

    job: Job
    status: JobStatus
    in_batch: bool
    attempts: int
    provider_job_id: str | None
    trace_id: str | None
    submitted_at: datetime | None
    completed_at: datetime | None
    downloaded_at: datetime | None
    url_expires_at: datetime | None
    output: dict[str, Any] | None  # path, bytes, sha256, media, source_host
    flags: tuple[str, ...]
    billed: Billed
    error_code: str | None
    error_message: str | None
    failed_stage: str | None
    storage_uri: str | None = None  # where its file is in a bucket
    planned: Job | None = None  # as the batch file asks for it, where a fallback makes it
    redo_of: str | None = None  # the job of the file that it is a new take of
    archived: bool = False  # a person has taken it out of the counts
    replaced_by: str | None = None  # the job of a new take
    callback: Called | None = None  # what came of asking its provider to call; None: it was not asked
    payments: tuple[Payment, ...] = ()  # every submission of it that costs something, or may

    def held(self, bucket: Bucket) -> Decimal | None:
        """What its submissions come to in a bucket, in the currency of the job; None where there are none."""
        wanted = (bucket, self.job.currency)
        found = [paid.amount for paid in self.payments if (paid.bucket, paid.currency) == wanted]
        return sum(found, Decimal(0)) if found else None

    @property
    def cost_actual(self) -> Decimal | None:
        """What is surely charged for it, over all its submissions."""
        return self.held(Bucket.SPENT)

    @property
    def assumed(self) -> bool:
        """Whether its amounts rest on assumed prices: what was paid at one stays so, whatever the profile says now."""
        return any(paid.assumed for paid in self.payments) if self.payments else self.job.price_assumed

    @property
    def plan(self) -> Job:
        """The job as the batch file asks for it, before any fallback."""
        return self.planned or self.job

    @property
    def wanted(self) -> bool:
        """Whether no person has set it aside: not archived, and not replaced by a new take."""
        return not self.archived and self.replaced_by is None

    @property
    def counts(self) -> bool:
        """Whether it is one of the jobs that the campaign is to make: nor is its row removed."""
        return self.wanted and self.in_batch


@dataclass(frozen=True, slots=True)
class Overview:
    """Where everything stands."""

    campaign: str
    counts: dict[JobStatus, int]
    money: list[Balance]
    run_since: str | None
    run_pid: int | None
    running: bool = False
    archived: int = 0  # not in the counts
    replaced: int = 0  # nor are these: a new take counts
    removed: int = 0  # nor are these: the batch file does not name them any more
    changed: tuple[RowChange, ...] = ()  # rows that ask for something else than was bought of them

    def as_dict(self) -> dict[str, Any]:
        """For machines: amounts as text, so that 0.10 stays 0.10."""
        return {
            "campaign": self.campaign,
            "total": sum(self.counts.values()),
            "counts": {str(status): count for status, count in self.counts.items()},
            "money": [money.as_dict() for money in self.money],
            "running": self.running,
            "run_since": self.run_since,
            "run_pid": self.run_pid,
            "archived": self.archived,
            "replaced": self.replaced,
            "removed": self.removed,
            "changed": [change.job_id for change in self.changed],
        }


class ChangedRow(NamedTuple):
    """A row that asks for something else than was bought of it."""

    change: RowChange
    bought: Job
    asked_for: Job  # as the row is now


class BatchOfLedger(NamedTuple):
    """A batch file, as the ledger knows it."""

    campaign: str
    path: Path  # where it was
    sha256: str


def states(connection: Connection) -> dict[str, JobState]:
    """Read where every job stands, by its id."""
    # Most jobs of a large batch stand alike: they share one state, and what it takes to make it.
    shared: dict[tuple[Any, ...], JobState] = {}
    found: dict[str, JobState] = {}
    nothing = and_(*(column.is_(None) for column in STATE_COLUMNS if column.nullable))  # of most: no need to read it
    alike = (job.c.status, job.c.in_batch)
    ids = func.aggregate_strings(job.c.id, "\n")  # an id has no line ends: one row for all of them, and not 100,000
    for status, here, names in connection.execute(select(*alike, ids).where(nothing).group_by(*alike)).tuples():
        found |= dict.fromkeys(names.split("\n"), JobState(JobStatus(status), removed=not here))
    for row in connection.execute(select(*STATE_COLUMNS).where(~nothing)):
        key = tuple(row)[1:]
        state = shared.get(key)
        found[row[0]] = shared[key] = state or state_from(row)
    return found


def changed_rows(connection: Connection) -> list[ChangedRow]:
    """The rows, in their order, that have changed since they were bought; they are left as they are."""
    changed = changed_plans(connection)
    columns = select(job.c.id, job.c.row, job.c.status, job.c.plan).order_by(job.c.position, job.c.id)
    here = (job.c.id.in_(changed), job.c.in_batch, job.c.replaced_by.is_(None))
    found = []
    for row in connection.execute(columns.where(*here)) if changed else ():
        bought, now = Job.model_validate_json(row.plan), Job.model_validate(changed[row.id]["plan"])
        differs = tuple(n for n in Order.model_fields if getattr(now.order, n) != getattr(bought.order, n))
        # What a mode fixes is its profile's, and is named only where nothing else differs.
        named = tuple(n for n in differs if n not in ("fixed", "mode")) or differs
        found.append(ChangedRow(RowChange(row.id, row.row, JobStatus(row.status), named), bought, now))
    return found


def is_anything_away(connection: Connection) -> bool:
    """Whether a provider has, or had, any job whose clip is not home: also one that is archived or removed."""
    away = select(job.c.id).where(job.c.status.in_((*ACCEPTED, JobStatus.EXPIRED))).limit(1)
    return connection.execute(away).one_or_none() is not None


def orphans(connection: Connection) -> list[Job]:
    """Jobs that the batch file does not name: those that were paid for all the same, and the new takes of a person."""
    paid = job.c.in_batch.is_(False) & job.c.status.in_(ACCEPTED)
    redone = job.c.in_batch.is_(True) & job.c.redo_of.is_not(None)
    rows = connection.execute(select(job.c.plan, job.c.made_as).where(paid | redone).order_by(job.c.position, job.c.id))
    return [made_as(Job.model_validate_json(row.plan), row.made_as) for row in rows]


def fallen_back(connection: Connection) -> list[Job]:
    """Read the jobs that are made by a fallback, as they are made now."""
    rows = connection.execute(select(job.c.plan, job.c.made_as).where(job.c.made_as.is_not(None)))
    return [made_as(Job.model_validate_json(row.plan), row.made_as) for row in rows]


class RecordMaker:
    """Makes records of rows of jobs, with what other tables know of them."""

    def __init__(self, connection: Connection, job_id: str | None = None) -> None:
        """Read what stands beside the jobs, or beside one job."""
        counted = select(attempt.c.job_id, func.count()).where(*_WAS_SENT).group_by(attempt.c.job_id)
        counted = counted if job_id is None else counted.where(attempt.c.job_id == job_id)
        self._tries = dict(connection.execute(counted).tuples().all())
        self._paid: dict[str, list[Payment]] = {}
        for payment in payments(connection, job_id):
            self._paid.setdefault(payment.id, []).append(payment)
        self._changed = {each.change.job_id for each in changed_rows(connection)}
        self._called = calls_of_jobs(connection, job_id)

    def record(self, row: Any) -> JobRecord:
        """Make the record of one row of the table."""
        plan = Job.model_validate_json(row.plan)
        if plan.row != row.row:  # a new take, which follows its row
            plan = plan.model_copy(update={"row": row.row})
        made = made_as(plan, row.made_as)
        aside = (
            *((f"replaced_by:{row.replaced_by}",) if row.replaced_by else ()),
            *(("archived",) if row.archived_at else ()),
            *(() if row.in_batch else ("removed",)),
            *(("row_changed",) if row.id in self._changed else ()),
        )
        return JobRecord(
            job=made,
            planned=None if made is plan else plan,
            redo_of=row.redo_of,
            status=JobStatus(row.status),
            in_batch=row.in_batch,
            archived=row.archived_at is not None,
            replaced_by=row.replaced_by,
            attempts=self._tries.get(row.id, 0),
            provider_job_id=row.provider_job_id,
            trace_id=row.trace_id,
            submitted_at=_moment(row.submitted_at),
            completed_at=_moment(row.completed_at),
            downloaded_at=_moment(row.downloaded_at),
            url_expires_at=_moment(row.url_expires_at),
            output=json.loads(row.output) if row.output else None,
            storage_uri=row.storage_uri,
            flags=(*(json.loads(row.flags) if row.flags else ()), *flag_of(plan, made), *aside),
            billed=_billed(row, self._paid.get(row.id, ())),
            error_code=row.error_code,
            error_message=row.error_message,
            failed_stage=row.failed_stage,
            callback=self._called.get(row.id),
            payments=tuple(self._paid.get(row.id, ())),
        )


def records(connection: Connection, job_id: str | None = None) -> Iterator[JobRecord]:
    """Every job in the order of its batch file, those that the file no longer names last; or one job alone."""
    maker = RecordMaker(connection, job_id)
    wanted = select(job) if job_id is None else select(job).where(job.c.id == job_id)
    return map(maker.record, connection.execute(wanted.order_by(*FILE_ORDER)))


def reason(connection: Connection, job_id: str) -> tuple[str | None, str | None]:
    """Why one job stands where it stands: code and message, where there are any."""
    found = connection.execute(select(job.c.error_code, job.c.error_message).where(job.c.id == job_id)).one()
    return found.error_code, found.error_message


def attempted(connection: Connection) -> int:
    """How many submissions were sent, or may have been."""
    return connection.execute(select(func.count()).select_from(attempt).where(*_WAS_SENT)).scalar_one()


def at_providers(connection: Connection, further: Collection[str] = ()) -> list[Job]:
    """Every job that a provider has, or has made, and whose clip is not home; as it is made now.

    Args:
        connection: the open transaction.
        further: jobs, by id, that a provider may have.
    """
    wanted = job.c.status.in_(ACCEPTED) | job.c.id.in_(further)
    rows = connection.execute(select(job.c.plan, job.c.made_as).where(wanted))
    return [made_as(Job.model_validate_json(row.plan), row.made_as) for row in rows]


def expiring(connection: Connection, before: datetime) -> list[str]:
    """The jobs, by id, that are paid for, whose clip is not home, and whose link ends before that moment."""
    rows = connection.execute(
        select(job.c.id, job.c.url_expires_at)
        .where(job.c.status.in_(ACCEPTED), job.c.url_expires_at.is_not(None))
        .order_by(job.c.url_expires_at, job.c.id)
    )
    return [row.id for row in rows if datetime.fromisoformat(row.url_expires_at) < before]


def provider_job_ids(connection: Connection, provider: str) -> set[str]:
    """What a provider calls the jobs of this ledger."""
    named = (attempt.c.provider == provider, attempt.c.provider_job_id.is_not(None))
    return set(connection.execute(select(attempt.c.provider_job_id).where(*named)).scalars())


def source(connection: Connection) -> BatchOfLedger | None:
    """The batch file that was registered last."""
    found = connection.execute(select(batch).order_by(batch.c.read_at.desc()).limit(1)).one_or_none()
    return None if found is None else BatchOfLedger(found.campaign, Path(found.path), found.source_sha256)


def overview(connection: Connection) -> Overview:
    """Counts and money, without reading every job."""
    counting = (job.c.archived_at.is_(None), job.c.replaced_by.is_(None))
    here = (*counting, job.c.in_batch)
    counted = select(job.c.status, func.count()).where(*here).group_by(job.c.status)
    counts = Counter({JobStatus(s): n for s, n in connection.execute(counted)})
    aside = (func.count(job.c.archived_at), func.count(job.c.replaced_by).filter(counting[0]))
    gone = func.count().filter(*counting, job.c.in_batch.is_(False))
    archived, replaced, removed = connection.execute(select(*aside, gone).select_from(job)).one()
    name = connection.execute(select(batch.c.campaign).order_by(batch.c.read_at.desc()).limit(1)).scalar_one_or_none()
    holder = connection.execute(select(owner)).one_or_none()
    return Overview(
        campaign=name or "",
        counts={status: counts[status] for status in JobStatus if counts[status]},
        money=balances(connection),
        run_since=holder.since if holder else None,
        run_pid=holder.pid if holder else None,
        archived=archived,
        replaced=replaced,
        removed=removed,
        changed=tuple(each.change for each in changed_rows(connection)),
    )


def _billed(row: Any, paid: Sequence[Payment]) -> Billed:
    """Whether a job is charged for: what is on its way may be, and so may what an earlier submission of it has left open."""
    if row.billed != Billed.NO or not paid:
        return Billed(row.billed)
    return Billed.YES if any(each.bucket == Bucket.SPENT for each in paid) else Billed.UNKNOWN


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
