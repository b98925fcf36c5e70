"""What providers have called about: a call is written down beside the owner, who looks at it and says what it came to.

A call changes no job. It is a hint, which the owner follows by asking the provider; so whoever can write here can make
the owner ask a free question sooner, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert, select, text, update

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


class Called(StrEnum):
    """What came of asking a provider to call about a job. Each job that was asked for has one of these words."""

    RECEIVED = "received"  #: it has called, and that was followed
    LATE = "late"  #: it has called only after the job had ended here
    REFUSED = "refused"  #: whoever has called named another job, and was not followed
    MISSED = "missed"  #: the job has ended, and nobody has called
    AWAITED = "awaited"  #: the job goes on, and nobody has called yet


class Came(StrEnum):
    """What a call came to."""

    WOKE = "woke"  #: the job was asked about at once
    PROGRESS = "progress"  #: it says that the job goes on
    LATE = "late"  #: the job had ended here
    STRANGE = "strange"  #: it names another job than ours, or says what does not fit
    ADOPTED = "adopted"  #: it has ended a doubt


_OF_CALL = {Came.LATE: Called.LATE, Came.STRANGE: Called.REFUSED}  # every other was followed, or will be
_WORDS = tuple(Called)  # where several calls have come about one job, the first of these counts


@dataclass(frozen=True, slots=True)
class CallCounts:
    """How a campaign was called, over all its runs: jobs by what came of asking, and requests that were turned away."""

    asked: int = 0  # jobs whose provider was given an address, and has the order
    received: int = 0
    late: int = 0
    refused: int = 0  # jobs of that word, and requests that a receiver has turned away at the door
    missed: int = 0

    def words(self) -> str:
        """`Callbacks: 40 of 42 received, 2 missed.`; nothing where nobody was asked to call."""
        if not self.asked:
            return ""
        more = (("missed", self.missed), ("late", self.late), ("refused", self.refused))
        said = "".join(f", {count:,} {word}" for word, count in more if count)
        return f"Callbacks: {self.received:,} of {self.asked:,} received{said}."


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


def calls_to_heed(connection: Connection, known: Collection[int] = ()) -> list[CallOfJob]:
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


def jobs_to_rescue(connection: Connection) -> set[str]:
    """The jobs in doubt about which somebody has called, and nobody has followed that yet."""
    joined = callback.join(attempt, attempt.c.id == callback.c.attempt_id)
    open_still = callback.c.heeded_at.is_(None) & (attempt.c.state == AttemptState.IN_DOUBT)
    return set(connection.execute(select(attempt.c.job_id).select_from(joined).where(open_still)).scalars())


def calls_of_jobs(connection: Connection, job_id: str | None = None) -> dict[str, Called]:
    """What came of asking to be called, for each job whose last submission carried an address.

    Args:
        connection: the open transaction.
        job_id: one job only; None: all.
    """
    columns = (attempt.c.job_id, attempt.c.n, job.c.status, callback.c.seq, callback.c.came_to)
    joined = attempt.join(job, job.c.id == attempt.c.job_id).join(
        callback, callback.c.attempt_id == attempt.c.id, isouter=True
    )
    wanted = select(*columns).select_from(joined).where(attempt.c.calls_back, attempt.c.provider_job_id.is_not(None))
    rows = connection.execute(wanted if job_id is None else wanted.where(attempt.c.job_id == job_id))
    best: dict[str, tuple[int, int]] = {}  # by job: its last submission, and the word that says most of it
    for row in rows:
        if row.seq is not None:
            word = _OF_CALL.get(row.came_to, Called.RECEIVED)
        else:
            ended = JobStatus(row.status).meaning.final or row.status == JobStatus.READY
            word = Called.MISSED if ended else Called.AWAITED
        best[row.job_id] = max(best.get(row.job_id, (0, 0)), (row.n, -_WORDS.index(word)))
    return {job_id: _WORDS[-rank] for job_id, (_, rank) in best.items()}


def counts(connection: Connection, turned_away: int = 0) -> CallCounts:
    """Count what was asked for and what came, over the whole campaign: the sums that everybody shows.

    Args:
        connection: the open transaction.
        turned_away: requests that the receiver inside a run has not let in.
    """
    words = Counter(calls_of_jobs(connection).values())
    return CallCounts(
        words.total(),
        words[Called.RECEIVED],
        words[Called.LATE],
        words[Called.REFUSED] + turned_away,
        words[Called.MISSED],
    )
