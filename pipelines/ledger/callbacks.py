"""What providers have called about: a call is written down beside the owner, who looks at it and says what it came to.

A call changes no job. It is a hint, which the owner follows by asking the provider; so whoever can write here can make
the owner ask a free question sooner, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select, text, update

from pipelines.core.status import AttemptState, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.storage.schema import attempt, callback, job

#: The channel of PostgreSQL on which every inbox of a database says that something has come; the schema is what it says.
CHANNEL = "reelbatch_callbacks"
_MOST_BODIES = 16  # of one attempt: whoever has found an address can fill no disk with it


class Taken(StrEnum):
    """What became of a call when it was to be written down."""

    NEW = "new"
    AGAIN = "again"  #: the very same was here, or so many others of this attempt that it says nothing new
    UNKNOWN = "unknown"  #: no such attempt in this ledger


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller said of a job: never believed, only followed."""

    attempt_id: str
    body_sha256: str
    named_id: str | None = None  # what it calls the job
    has_ended: bool | None = None  # None: it does not say
    link: str | None = None  # where it says that the clip is, without its query


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a call, and whose it is."""

    taken: Taken
    provider: str = ""


@dataclass(frozen=True, slots=True)
class CallOfJob:
    """A call that nobody has heeded yet, beside how its job stands."""

    seq: int
    job_id: str
    named_id: str | None
    has_ended: bool | None
    link: str | None
    state: AttemptState  # of the submission that it is about
    provider: str
    account: str
    known_id: str | None  # what the provider calls the job, as far as the ledger knows
    status: JobStatus  # of the job


@dataclass(frozen=True, slots=True)
class CallCounts:
    """How often a campaign was called, over all its runs."""

    asked: int = 0  # submissions that gave an address of their own, and that the provider has
    received: int = 0  # of those, so many have called at least once
    missed: int = 0  # ended, and never called
    late: int = 0  # calls about jobs that had ended here

    def words(self, refused: int = 0) -> str:
        """`Callbacks: 40 of 42 received, 2 missed.`; nothing where nobody was asked to call.

        Args:
            refused: requests that a receiver turned away.
        """
        if not self.asked:
            return ""
        more = (("missed", self.missed), ("late", self.late), ("refused", refused))
        said = ", ".join(f"{count:,} {word}" for word, count in more if count)
        return f"Callbacks: {self.received:,} of {self.asked:,} received{', ' if said else ''}{said}."

    def as_dict(self, refused: int = 0) -> dict[str, int]:
        """For machines."""
        return {**asdict(self), "refused": refused}


def take(connection: Connection, call: Call) -> Receipt:
    """Write a call down, once. It is on the disk when the transaction has ended; the owner hears of it by then."""
    known = select(attempt.c.provider).where(attempt.c.id == call.attempt_id, attempt.c.sent_at.is_not(None))
    provider = connection.execute(known).scalar_one_or_none()
    if provider is None:
        return Receipt(Taken.UNKNOWN)
    bodies = select(callback.c.body_sha256).where(callback.c.attempt_id == call.attempt_id)
    here = set(connection.execute(bodies).scalars())
    if call.body_sha256 in here or len(here) >= _MOST_BODIES:
        return Receipt(Taken.AGAIN, provider)
    connection.execute(
        insert(callback).values(
            attempt_id=call.attempt_id,
            body_sha256=call.body_sha256,
            named_id=call.named_id,
            has_ended=call.has_ended,
            link=call.link,
            received_at=utc_text(),
        )
    )
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_notify('{CHANNEL}', current_schema())"))
    return Receipt(Taken.NEW, provider)


def attempt_named(connection: Connection, provider: str, provider_job_id: str) -> str | None:
    """Find the submission that a provider gave this id to, for calls that name nothing but the job."""
    named = (attempt.c.provider == provider) & (attempt.c.provider_job_id == provider_job_id)
    return connection.execute(select(attempt.c.id).where(named).limit(1)).scalar_one_or_none()


def unheeded(connection: Connection, known: Collection[int] = ()) -> list[CallOfJob]:
    """The calls that nobody has heeded yet, in the order in which they came.

    Args:
        connection: the open transaction.
        known: numbers of those that the caller remembers.
    """
    columns = (
        *(callback.c.seq, callback.c.named_id, callback.c.has_ended, callback.c.link),
        *(attempt.c.job_id, attempt.c.state, attempt.c.provider, attempt.c.account),
        attempt.c.provider_job_id.label("known_id"),
        job.c.status,
    )
    joined = callback.join(attempt, attempt.c.id == callback.c.attempt_id).join(job, job.c.id == attempt.c.job_id)
    found = select(*columns).select_from(joined).where(callback.c.heeded_at.is_(None)).order_by(callback.c.seq)
    return [
        CallOfJob(**dict(row) | {"state": AttemptState(row["state"]), "status": JobStatus(row["status"])})
        for row in connection.execute(found).mappings()
        if row["seq"] not in known
    ]


def mark_heeded(connection: Connection, came_to: dict[int, str]) -> None:
    """Write down what calls have come to, by their numbers."""
    now = utc_text()
    for seq, what in came_to.items():
        values = {"heeded_at": now, "came_to": what}
        connection.execute(update(callback).where(callback.c.seq == seq).values(**values))


def still_expected(connection: Connection) -> set[str]:
    """The jobs whose provider has, or may have, an order with an address to call."""
    open_still = (AttemptState.ACCEPTED, AttemptState.IN_DOUBT)
    rows = select(attempt.c.job_id).where(attempt.c.calls_back, attempt.c.state.in_(open_still))
    return set(connection.execute(rows).scalars())


def is_anybody_to_call(connection: Connection) -> bool:
    """Tell whether any order of this campaign carried an address to call, or anybody has called."""
    asked = select(attempt.c.id).where(attempt.c.calls_back).limit(1)
    called = select(callback.c.seq).limit(1)
    return any(connection.execute(each).first() is not None for each in (asked, called))


def is_anybody_to_be_rescued(connection: Connection) -> bool:
    """Tell whether there is a call about a submission in doubt that nobody has followed yet."""
    joined = callback.join(attempt, attempt.c.id == callback.c.attempt_id)
    open_still = callback.c.heeded_at.is_(None) & (attempt.c.state == AttemptState.IN_DOUBT)
    return connection.execute(select(callback.c.seq).select_from(joined).where(open_still).limit(1)).first() is not None


def calls_of_jobs(connection: Connection, job_id: str | None = None) -> dict[str, str]:
    """Each job whose last submission had an address to call, and whether that was used: `received`, `missed`, `awaited`."""
    calls = select(callback.c.attempt_id, func.min(callback.c.came_to).label("came_to")).group_by(callback.c.attempt_id)
    called = calls.subquery()
    columns = (attempt.c.job_id, attempt.c.n, job.c.status, called.c.attempt_id.label("called"))
    joined = attempt.join(job, job.c.id == attempt.c.job_id).join(
        called, called.c.attempt_id == attempt.c.id, isouter=True
    )
    wanted = select(*columns).select_from(joined).where(attempt.c.calls_back, attempt.c.provider_job_id.is_not(None))
    rows = connection.execute(wanted if job_id is None else wanted.where(attempt.c.job_id == job_id))
    latest: dict[str, tuple[int, str]] = {}
    for row in rows:
        ended = JobStatus(row.status).meaning.final or row.status == JobStatus.READY
        word = "received" if row.called is not None else "missed" if ended else "awaited"
        latest[row.job_id] = max(latest.get(row.job_id, (0, "")), (row.n, word))
    return {job_id: word for job_id, (_, word) in latest.items()}


def counts(connection: Connection) -> CallCounts:
    """Count what was asked for and what came, over the whole campaign."""
    words = list(calls_of_jobs(connection).values())
    late = select(func.count()).where(callback.c.came_to == "late")
    return CallCounts(len(words), words.count("received"), words.count("missed"), connection.execute(late).scalar_one())
