from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipelines.core.job import Job, Order, RemoteJob
from pipelines.core.outcome import Accepted, Done, Failed, FellBack, InDoubt, Outcome, Parked, Ready, Rejected
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import attempts, outcomes, registration
from pipelines.ledger.attempts import Claim
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.outcomes import Change
from pipelines.ledger.storage.place import LedgerPlace, place_named

ACCOUNT = "account-a"
END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": None}

MakeJob = Callable[..., Job]


async def tell(ledger: Ledger, about: Claim | str, outcome: Outcome) -> Change:
    """Record what has happened to the job of a claim, or to a job."""
    claimed = about if isinstance(about, Claim) else None
    return await ledger.write(outcomes.record, claimed.job_id if claimed else about, outcome, claimed)


def fell_back(now: Job, *, code: str, message: str, http_status: int, trace_id: str | None = None) -> FellBack:
    """A refusal that turns a job to its next fallback."""
    return FellBack(now, code, message, Rejected("row", code, message, http_status, trace_id=trace_id))


def _job(name: str = "a", *, cost: str | None = "0.40", prompt: str = "a cat", row: int = 1, **more: Any) -> Job:
    order = Order(provider="qiniu", mode="video", model="sora-2", prompt=prompt, seconds=4, size="1280x720")
    price = {"cost_estimated": Decimal(cost), "currency": "USD"} if cost else {}
    return Job(id=name, row=row, campaign="spring", order=order, filename=f"{name}.mp4", **price, **more)


@pytest.fixture
def make_job() -> MakeJob:
    return _job


#: A law of the ledger, wherever it is kept.
EVERYWHERE = pytest.mark.parametrize("path", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | LedgerPlace:
    """Where a ledger is; also in a database, for tests that are marked with EVERYWHERE."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "ledger.sqlite3"
    return place_named(request.getfixturevalue("postgres"), tmp_path, f"Spring! {uuid4()}")


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with Ledger(path) as opened:
        yield opened


@pytest.fixture
def register() -> Callable[..., Awaitable[None]]:
    async def write(ledger: Ledger, *jobs: Job, sha: str = "s1", campaign: str = "spring") -> None:
        await ledger.write(registration.register, jobs, campaign=campaign, path=Path("spring.csv"), source_sha256=sha)

    return write


@pytest.fixture
def claim() -> Callable[..., Awaitable[Claim]]:
    async def write(ledger: Ledger, job: Job, budget: attempts.Budget | None = None, account: str = ACCOUNT) -> Claim:
        change = await ledger.write(outcomes.reserve, job, account, budget)
        assert change.claim is not None
        return change.claim

    return write


@pytest.fixture
def send(claim: Callable[..., Awaitable[Claim]]) -> Callable[..., Awaitable[Claim]]:
    async def write(ledger: Ledger, job: Job, account: str = ACCOUNT) -> Claim:
        claimed = await claim(ledger, job, account=account)
        assert await ledger.write(attempts.mark_sending, claimed)
        return claimed

    return write


@pytest.fixture
def accept(send: Callable[..., Awaitable[Claim]]) -> Callable[..., Awaitable[Claim]]:
    async def write(ledger: Ledger, job: Job, provider_job_id: str = "p-1", account: str = ACCOUNT) -> Claim:
        claimed = await send(ledger, job, account=account)
        assert (await tell(ledger, claimed, Accepted(RemoteJob(provider_job_id, "video"), "t-1", 200))).changed
        return claimed

    return write


@pytest.fixture
def bring_to(
    claim: Callable[..., Awaitable[Claim]],
    send: Callable[..., Awaitable[Claim]],
    accept: Callable[..., Awaitable[Claim]],
) -> Callable[..., Awaitable[Claim | None]]:
    """Lead a planned job to a status by the transactions that a run uses. Gives the claim, if there was one."""
    failures = (JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)

    async def write(ledger: Ledger, job: Job, status: JobStatus) -> Claim | None:
        if status is JobStatus.PLANNED:
            return None
        if status is JobStatus.SUBMITTING:
            return await claim(ledger, job)
        if status is JobStatus.REJECTED:
            claimed = await send(ledger, job)
            await tell(ledger, claimed, Rejected("row", code="bad", message="no", http_status=400))
        elif status is JobStatus.IN_DOUBT:
            claimed = await send(ledger, job)
            await tell(ledger, claimed, InDoubt("reset"))
        else:
            claimed = await accept(ledger, job)
        if status is JobStatus.PARKED:
            await tell(ledger, job.id, Parked(stage="generate", code="deadline", message="m"))
        elif status is JobStatus.READY:
            await tell(ledger, job.id, Ready(**END))
        elif status is JobStatus.DONE:
            await tell(ledger, job.id, Done(output={"path": "a"}, flags=("shorter",), **END))
        elif status in failures:
            why = {"stage": "generate", "code": "c", "message": "m", "billed": Billed.NO}
            await tell(ledger, job.id, Failed(status=status, **why))
        return claimed

    return write


@pytest.fixture
def rows() -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    async def read(ledger: Ledger, table: str = "attempt") -> list[dict[str, Any]]:
        return await ledger.write(
            lambda connection: [dict(row._mapping) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
        )

    return read


@pytest.fixture
def buckets(rows: Callable[..., Awaitable[list[dict[str, Any]]]]) -> Callable[[Ledger], Awaitable[tuple[int, ...]]]:
    """Reserved, spent and uncertain of the only currency, in cents."""

    async def read(ledger: Ledger) -> tuple[int, ...]:
        found = await rows(ledger, "account")
        return tuple(found[0][f"{bucket}_micros"] // 10_000 for bucket in ("reserved", "spent", "uncertain"))

    return read
