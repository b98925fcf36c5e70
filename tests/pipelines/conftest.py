"""Runs jobs over a real sandbox and a real ledger, without Prefect: what the tests of a job's life share."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.batch import Batch, read_batch
from pipelines.core.errors import LedgerError
from pipelines.core.events import Event
from pipelines.core.job import Choice, Job, Order
from pipelines.core.status import JobStatus
from pipelines.core.text.sentences import sentence
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.views import JobRecord, Overview
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.model import Profile
from pipelines.run.dispatch import dispatch
from pipelines.run.ending import RunResult
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.run import Run, RunContext, run_context
from tests.pipelines.kept_limits import KeptLimits

HOUSE = Path(__file__).parents[2]
MODES = {"qiniu": "video", "openai": "video", "acedata": "v2"}
PRICES = {"qiniu": "0.40", "openai": "0.50", "acedata": "0.60"}
_PROGRAMME = """
import asyncio, pickle, sys
from pathlib import Path
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run

async def main():
    batch, options = pickle.loads(Path(sys.argv[1]).read_bytes())
    async with open_run(batch, options) as run:
        await dispatch(run, lambda job: generate_job(job.id, run))

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of one run."""

    code: int | None
    said: list[str]
    reasons: tuple[str, ...]
    statuses: dict[str, JobStatus]

    def heard(self, words: str) -> bool:
        """Whether something like this was said."""
        return any(words in line for line in self.said)


@dataclass
class Studio:
    """One account at every provider of a sandbox, and one output folder, for the runs of one test."""

    sandbox: Any
    folder: Path
    key: str = field(default_factory=lambda: f"key-{uuid.uuid4()}")
    said: list[str] = field(default_factory=list)
    result: RunResult | None = None  # of the run that was closed last
    profiles: dict[str, Profile] = field(default_factory=lambda: dict(shipped_profiles()))

    def job(self, name: str, *fallbacks: str, provider: str = "qiniu", parent: str | None = None, **more: Any) -> Job:
        """A job, by default at qiniu, and the providers that it may turn to."""
        first, *others = (self.choice(at, name, parent=parent) for at in (provider, *fallbacks))
        usual = {"id": name, "row": 1, "campaign": "x", "filename": f"{name}.mp4", "parent": parent}
        return Job(**usual | dict(first) | {"fallbacks": tuple(others)} | more)

    def choice(self, provider: str, name: str, *, parent: str | None = None, **more: Any) -> Choice:
        """One way to make a clip; a remix is of the length and size of its parent."""
        picture = {"remix_of": parent} if parent else {"seconds": 4, "size": "1280x720"}
        order = Order(provider=provider, mode=MODES[provider], model="sora-2", prompt=f"clip {name}", **picture | more)
        return Choice(order=order, cost_estimated=Decimal(PRICES[provider]), currency="USD")

    def batch(self, jobs: Sequence[Job]) -> Batch:
        """A batch of these jobs, each a row of its file."""
        path = self.folder / "x.jsonl"
        rows = [{"id": job.id, "prompt": job.order.prompt} for job in jobs] or [{"id": "none", "prompt": "none"}]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        placed = tuple(job.model_copy(update={"row": row}) for row, job in enumerate(jobs, 1))
        return replace(read_batch(path, provider="qiniu"), jobs=placed, profiles=self.profiles)

    @asynccontextmanager
    async def opened(self, *jobs: Job, **options: Any) -> AsyncIterator[Run]:
        """A run of these jobs, in which nothing has begun yet."""
        self.said.clear()
        context = RunContext(observers=(self.hear,))
        token = run_context.set(context)
        try:
            usual = {"out": self.folder / "out", "poll_every": 0.05}
            async with open_run(self.batch(jobs), RunOptions(**usual | options)) as run:
                yield run
        finally:
            run_context.reset(token)
            self.result = context.result

    def hear(self, event: Event) -> None:
        """Keep what is said."""
        if (said := sentence(event)) is not None:
            self.said.append(said.words)

    async def work(self, run: Run) -> None:
        """Take every job of a run as far as it goes."""
        await dispatch(run, partial(_generate, run))

    async def interrupt(self, *jobs: Job, when: Callable[[Run], Any], **options: Any) -> Ending:
        """A run of these jobs that a person stops as soon as a condition holds."""
        async with self.opened(*jobs, **options) as run:
            working = asyncio.create_task(self.work(run))
            await self.until(lambda: when(run))
            run.interrupt()
            await working
        return self.ending(run)

    async def kill(self, jobs: Sequence[Job], *, when: Callable[[], Any]) -> None:
        """A run of these jobs in a process of its own, which is killed without warning as soon as a condition holds."""
        wanted = self.folder / "wanted.pickle"
        options = RunOptions(out=self.folder / "out", poll_every=0.05)
        wanted.write_bytes(pickle.dumps((self.batch(jobs), options)))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAMME, wanted, cwd=HOUSE)
        try:
            await self.until(lambda: process.returncode is not None or when())
            assert process.returncode is None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def make(self, *jobs: Job, **options: Any) -> Ending:
        """A whole run of these jobs."""
        async with self.opened(*jobs, **options) as run:
            await self.work(run)
        return self.ending(run)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds; the test's own time limit ends it."""
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)

    def ending(self, run: Run) -> Ending:
        """What came of a run that is closed."""
        statuses = {name: state.status for name, state in run.states.items()}
        result = self.result
        return Ending(result.exit_code, list(self.said), result.reasons, statuses)

    def bill(self) -> list[dict[str, Any]]:
        """What this account has bought."""
        account = hashlib.sha256(self.key.encode()).hexdigest()[:10]
        return [line for line in self.sandbox.bill() if line["account"] == account]

    def bought(self) -> list[tuple[str, str]]:
        """Where which clip was bought, in order of time."""
        return [(line["contract"], line["prompt"].removeprefix("clip ")) for line in self.bill()]

    def records(self) -> dict[str, JobRecord]:
        """What the ledger knows of each job."""
        read = LedgerReader(ledger_in(self.folder / "out")).read
        return {record.job.id: record for record in read(lambda connection: list(views.records(connection)))}

    def attempts(self) -> list[str]:
        """The states of all attempts, as anybody sees them who looks into the ledger."""
        with suppress(LedgerError):
            statement = "SELECT state FROM attempt ORDER BY claimed_at"
            return LedgerReader(ledger_in(self.folder / "out")).read(
                lambda c: list(c.exec_driver_sql(statement).scalars())
            )
        return []

    def overview(self) -> Overview:
        """Counts and money."""
        return LedgerReader(ledger_in(self.folder / "out")).read(views.overview)


async def _generate(run: Run, job: Job) -> None:
    await generate_job(job.id, run)


@pytest.fixture
def studio(shared_provider: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """Providers that cost nothing, where all goes well unless a test wants it otherwise."""
    studio = Studio(shared_provider, tmp_path)
    for name, value in shared_provider.environment(studio.key).items():
        monkeypatch.setenv(name, value)
    yield studio
    shared_provider.faults()


@pytest.fixture
def limit_server() -> KeptLimits:
    """Who keeps the limits that runs share."""
    return KeptLimits()
