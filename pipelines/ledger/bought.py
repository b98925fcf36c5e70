"""What a ledger knows of each purchase, as a value that outlives it; and how a ledger that has lost some gets them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from pipelines.core.job import Job
from pipelines.core.money import Bucket
from pipelines.core.status import AttemptState, Billed, JobStatus
from pipelines.ledger import balances
from pipelines.ledger.fallbacks import made_as
from pipelines.ledger.history import note
from pipelines.ledger.known_plan import forget_reading
from pipelines.ledger.storage.schema import attempt, batch, job, meta, owner

#: Attempts that were sent. What was refused is no purchase; but it may have been in doubt, and stand in the index so.
_SENT = (AttemptState.IN_DOUBT, AttemptState.ACCEPTED, AttemptState.CLOSED, AttemptState.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One submission that a provider has taken, or may have taken."""

    attempt_id: str  # the same in every copy of its ledger
    job_id: str
    plan: str  # the whole Job as JSON, as its row asked for it
    made_as: str | None  # what its fallbacks changed
    provider: str
    account: str
    state: str  # of the attempt: accepted, in_doubt, closed
    bucket: str | None  # where its price counts; None: nothing was charged after all
    cost_micros: int | None
    currency: str | None
    sent_at: str | None
    provider_job_id: str | None
    mode: str | None
    contract: str | None
    status_url: str | None
    result_url: str | None

    @property
    def job(self) -> Job:
        """The job as it was made."""
        return made_as(Job.model_validate_json(self.plan), self.made_as)


_COLUMNS = (
    attempt.c.id.label("attempt_id"),
    attempt.c.job_id,
    job.c.plan,
    job.c.made_as,
    attempt.c.provider,
    attempt.c.account,
    attempt.c.state,
    attempt.c.bucket,
    attempt.c.cost_micros,
    attempt.c.currency,
    attempt.c.sent_at,
    attempt.c.provider_job_id,
    job.c.mode,
    job.c.contract,
    job.c.status_url,
    job.c.result_url,
)
# Built once, as in job_state.py.
_BOUGHT = (
    select(*_COLUMNS, attempt.c.fingerprint)
    .join(job, job.c.id == attempt.c.job_id)
    .where(or_(*(attempt.c.state == state for state in _SENT)))
)
_BOUGHT_OF = _BOUGHT.where(job.c.id == bindparam("_id"))
_PLAN_OF = select(job.c.plan).where(job.c.id == bindparam("_id"))
_LEDGER_ID = select(meta.c.value).where(meta.c.key == "ledger_id")


def bought(connection: Connection, job_ids: Iterable[str] | None = None) -> list[Bought]:
    """Read every purchase, those too that turned out not to be charged or taken; or those of some jobs.

    Left out are attempts of an order that their job has left since: what was asked for then is written nowhere any more.
    """
    found = []
    for each in [None] if job_ids is None else job_ids:
        for row in connection.execute(*((_BOUGHT,) if each is None else (_BOUGHT_OF, {"_id": each}))):
            values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's columns
            fingerprint = values.pop("fingerprint")
            purchase = Bought(**values)
            if purchase.job.order.fingerprint() == fingerprint:
                found.append(purchase)
    return found


def attempt_states(connection: Connection) -> dict[str, tuple[str, str, str | None, str | None]]:
    """Job, state, budget bucket and provider's id of every attempt that was sent, by its id."""
    columns = (attempt.c.id, attempt.c.job_id, attempt.c.state, attempt.c.bucket, attempt.c.provider_job_id)
    sent = select(*columns).where(or_(*(attempt.c.state == state for state in _SENT)))
    return {row.id: (row.job_id, row.state, row.bucket, row.provider_job_id) for row in connection.execute(sent)}


def plans_of(connection: Connection, job_ids: Iterable[str]) -> list[Job]:
    """The jobs with these ids as their rows asked for them, and all that they are made after; ids that there are not are left out."""
    pending, found = list(job_ids), {}
    while pending:
        if (name := pending.pop()) in found:
            continue
        plan = connection.execute(_PLAN_OF, {"_id": name}).scalar_one_or_none()
        if plan is not None:
            found[name] = Job.model_validate_json(plan)
            pending += filter(None, [found[name].parent])
    return list(found.values())


def vanished(connection: Connection, job_ids: Iterable[str]) -> list[str]:
    """The jobs, by id, that were bought and are not among these, in the order of their file."""
    here, charged = set(job_ids), attempt.c.bucket.is_not(None)
    sent = or_(*(attempt.c.state == state for state in _SENT))
    wanted = select(job.c.id).join(attempt, attempt.c.job_id == job.c.id).where(sent, charged).order_by(job.c.position)
    return [name for name in dict.fromkeys(connection.execute(wanted).scalars()) if name not in here]


def unbought(connection: Connection, job_ids: Iterable[str]) -> set[str]:
    """Those of the jobs, by id, that the ledger does not know, or for which nothing was ever sent."""
    return set(job_ids) - set(connection.execute(select(attempt.c.job_id)).scalars())


def campaign_of(connection: Connection) -> tuple[str, str] | None:
    """The campaign that was registered last and the path of its file, if anything was bought for it."""
    if all(state == AttemptState.REJECTED for _, state, *_ in attempt_states(connection).values()):
        return None
    wanted = select(batch.c.campaign, batch.c.path).order_by(batch.c.read_at.desc()).limit(1)
    found = connection.execute(wanted).one_or_none()
    return None if found is None else (found.campaign, found.path)


def ledger_id(connection: Connection) -> str:
    """The name that a ledger was given when it was made; its copies have it too."""
    return connection.execute(_LEDGER_ID).scalar_one_or_none() or ""


def restore(connection: Connection, purchase: Bought) -> bool:
    """Write a purchase into a ledger that has lost it, so that its clip comes home and it is not bought again.

    Returns:
        Whether it was written: not where the job has gone on with another attempt.
    """
    if purchase.bucket is None:
        return False
    known = connection.execute(select(attempt).where(attempt.c.id == purchase.attempt_id)).one_or_none()
    if known is not None and (known.state != AttemptState.IN_DOUBT or purchase.provider_job_id is None):
        return False
    here = connection.execute(select(job.c.status).where(job.c.id == purchase.job_id)).scalar_one_or_none()
    if known is None and here not in (None, JobStatus.PLANNED, JobStatus.SKIPPED, JobStatus.REJECTED):
        return False
    accepted = purchase.provider_job_id is not None
    state = AttemptState(purchase.state)
    bucket = Bucket(purchase.bucket) if state is not AttemptState.ACCEPTED else Bucket.RESERVED
    status = {AttemptState.ACCEPTED: JobStatus.WAITING, AttemptState.IN_DOUBT: JobStatus.IN_DOUBT}.get(state)
    forget_reading(connection)  # what was bought need not be what the row asks for now
    _write_job(connection, purchase, status or JobStatus.FAILED, is_new=here is None)
    source = Bucket(known.bucket) if known is not None and known.bucket else None
    if known is not None:
        columns = {"state": state, "bucket": bucket, "provider_job_id": purchase.provider_job_id}
        connection.execute(update(attempt).where(attempt.c.id == purchase.attempt_id).values(columns))
    else:
        connection.execute(insert(attempt).values(**_attempt_columns(connection, purchase, state, bucket)))
    balances.move(connection, purchase.currency, purchase.cost_micros, source, bucket)
    told = {"provider_job_id": purchase.provider_job_id} if accepted else {}
    note(connection, "restored", purchase.job_id, attempt=purchase.attempt_id, **told)
    return True


def rename_job(connection: Connection, old: str, planned: Job) -> None:
    """Give a job that was bought the id that its row has now, and what the row says beside what was bought."""
    forget_reading(connection)
    connection.execute(delete(job).where(job.c.id == planned.id))  # nothing was ever sent for it
    columns = {"id": planned.id, "fingerprint": planned.order.fingerprint(), "plan": planned.model_dump_json()}
    connection.execute(update(job).where(job.c.id == old).values(columns))
    connection.execute(update(attempt).where(attempt.c.job_id == old).values(job_id=planned.id))
    note(connection, "renamed", planned.id, before=old)


def _write_job(connection: Connection, purchase: Bought, status: JobStatus, *, is_new: bool) -> None:
    planned, made = Job.model_validate_json(purchase.plan), purchase.job
    columns: dict[str, Any] = {
        "status": status,
        "plan": purchase.plan,
        "made_as": purchase.made_as,
        "fingerprint": planned.order.fingerprint(),
        "fallback_index": made.fallback_index,
        "account": purchase.account,
        "submitted_at": purchase.sent_at,
        "billed": Billed.YES if purchase.bucket == Bucket.SPENT and status is JobStatus.FAILED else Billed.UNKNOWN,
        "error_code": None if status is JobStatus.WAITING else status.value,
        "error_message": None if status is JobStatus.WAITING else "so the index of purchases says",
        **{name: getattr(purchase, name) for name in _REMOTE},
    }
    if not is_new:
        connection.execute(update(job).where(job.c.id == purchase.job_id).values(columns))
        return
    place = {"id": planned.id, "position": planned.row, "row": planned.row, "take": planned.take, "in_batch": False}
    connection.execute(insert(job).values(campaign=planned.campaign, **place, **columns))


_REMOTE = ("provider_job_id", "mode", "contract", "status_url", "result_url")


def _attempt_columns(
    connection: Connection, purchase: Bought, state: AttemptState, bucket: Bucket | None
) -> dict[str, Any]:
    names = ("job_id", "provider", "account", "cost_micros", "currency", "sent_at", "provider_job_id")
    kept = {name: value for name, value in asdict(purchase).items() if name in names}
    tries = connection.execute(select(attempt.c.n).where(attempt.c.job_id == purchase.job_id)).scalars().all()
    return kept | {
        "id": purchase.attempt_id,
        "n": max(tries, default=0) + 1,
        "state": state,
        "bucket": bucket,
        "fingerprint": purchase.job.order.fingerprint(),
        "epoch": connection.execute(select(owner.c.epoch)).scalar_one_or_none() or 0,
        "claimed_at": purchase.sent_at or "",
        "assumed": purchase.job.price_assumed,
    }
