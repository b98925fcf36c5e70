"""One run of a campaign: opens the ledger, the connections and a lane for each provider, and closes them in order."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from yaml import YAMLError

from pipelines.addresses import Origin, refusal
from pipelines.batch import Batch
from pipelines.errors import KeyMissing, ReelbatchError, SetupError
from pipelines.http import Http
from pipelines.job import FINAL_STATUSES, Job, JobStatus
from pipelines.lane import Lane, Pace
from pipelines.ledger import enrolment, views
from pipelines.ledger.attempts import Budget, Standing
from pipelines.ledger.database import ledger_path
from pipelines.ledger.ledger import LEDGER_NAME, Ledger
from pipelines.options import RunOptions
from pipelines.outcome import exit_code
from pipelines.pacing.in_flight import InFlight
from pipelines.providers.client import Client
from pipelines.providers.profile import Profile, profile_named
from pipelines.providers.sandbox.faults import rules_named
from pipelines.providers.sandbox.options import SandboxOptions
from pipelines.providers.sandbox.process import running_sandbox
from pipelines.tally import Tally, watched_tally

log = logging.getLogger("reelbatch")

_DOWNLOADS = 16
_REHEARSAL_KEY = "rehearsal"
R = TypeVar("R")


@dataclass
class Run:
    """What the jobs of one run share."""

    batch: Batch
    options: RunOptions
    folder: Path  # where everything of this run lies
    ledger: Ledger
    http: Http
    lanes: Mapping[str, Lane]  # by provider name
    budget: Budget | None
    standing: dict[str, Standing]  # by job id; this run is the only writer, so it is always true
    orphans: list[Job]  # no longer in the batch file, but paid for
    tally: Tally
    stop: asyncio.Event = field(default_factory=asyncio.Event)  # no more submissions; leave what waits to the next run
    closed: ReelbatchError | None = None  # why nothing more is submitted, while what was sent is still brought home
    failure: ReelbatchError | None = None  # why the whole run ends
    downloads: InFlight = field(default_factory=lambda: InFlight(_DOWNLOADS))
    time_scale: float = 1.0
    interrupted: bool = False
    _open_ends: set[asyncio.Task[Any]] = field(default_factory=set)
    _by_id: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the jobs."""
        self._by_id = {job.id: job for job in (*self.batch.jobs, *self.orphans)}

    def move(self, job: Job, after: Standing) -> None:
        """Remember where a job stands now, and show it."""
        before = self.standing.get(job.id)
        self.standing[job.id] = after
        self.tally.move(before.status if before else None, after.status)

    def close(self, reason: ReelbatchError) -> None:
        """Submit nothing more; what was accepted is still waited for and brought home."""
        if self.closed is None:
            self.closed = reason
            self.tally.say(str(reason))

    def end(self, reason: ReelbatchError) -> None:
        """End the run: nothing more is sent, and what waits is left to the next run."""
        if self.failure is None:
            self.failure = reason
            self.tally.say(str(reason))
        self.halt()

    def interrupt(self) -> None:
        """A person wants it to stop."""
        self.interrupted = True
        self.halt()

    def halt(self) -> None:
        """Set the stop sign and wake everybody who sleeps."""
        self.stop.set()
        for lane in self.lanes.values():
            lane.watch.wake_all()

    async def to_the_end(self, work: Coroutine[Any, Any, R]) -> R:
        """Await work that may not break off half-way, also when the task that asked for it is cancelled."""
        return await asyncio.shield(self.begin(work))

    def begin(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start work that the run waits for before it closes its ledger."""
        task = asyncio.ensure_future(work)
        self._open_ends.add(task)
        task.add_done_callback(self._open_ends.discard)
        return task

    def later(self, seconds: float, work: Coroutine[Any, Any, None]) -> Later:
        """Do something in a while, unless it is cancelled first. Once begun it goes to its end."""
        return Later(self, seconds, work)

    async def settle(self) -> None:
        """Wait for what `to_the_end` still has in hand."""
        while self._open_ends:
            await asyncio.wait(set(self._open_ends))

    @property
    def title(self) -> str:
        """What the gallery is headed by; a rehearsal says that it is one."""
        return f"{self.batch.name} (rehearsal, nothing was paid)" if self.options.rehearse else self.batch.name

    def job(self, job_id: str) -> Job:
        """The job of that id."""
        return self._by_id[job_id]

    def may_start(self, job: Job) -> bool:
        """Whether there is anything to do for a job now: a new one is not begun when nothing more may be sent."""
        if self.standing[job.id].status is not JobStatus.PLANNED:
            return True
        return self.closed is None and self.lanes[job.order.provider].closed is None

    def reasons(self) -> tuple[ReelbatchError, ...]:
        """Why this run did less than everything, if it did."""
        lanes = [lane.closed for lane in self.lanes.values()]
        return tuple(reason for reason in (self.failure, self.closed, *lanes) if reason is not None)

    def exit_code(self) -> int:
        """The exit code that the command line gives for this run."""
        return exit_code(self.tally.counts, reasons=self.reasons(), interrupted=self.interrupted)

    def jobs(self) -> list[Job]:
        """The jobs that this run is to work on: those at a provider first, and nothing that has ended."""
        wanted = set(self.options.only)
        chosen = [job for job in self.batch.jobs if not wanted or job.id in wanted]
        chosen = [job for job in chosen if job.order.provider in self.lanes]  # a row switched off may have none
        chosen = [job for job in chosen if self.standing[job.id].status not in {*FINAL_STATUSES, JobStatus.IN_DOUBT}]
        if not wanted:
            chosen += [job for job in self.orphans if job.order.provider in self.lanes]
        chosen.sort(key=lambda job: self.standing[job.id].status is JobStatus.PLANNED)
        return chosen[: self.options.limit]


class Later:
    """Work that begins in a while, if nobody cancels it before."""

    def __init__(self, run: Run, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        self._run = run
        self._work = work
        self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)
        self._begun = False

    def _begin(self) -> None:
        self._begun = True
        self._run.begin(self._work)

    def cancel(self) -> None:
        """Do not begin, if it has not begun."""
        self._timer.cancel()
        if not self._begun:
            self._work.close()


#: The run that the tasks of this flow belong to.
current_run: ContextVar[Run] = ContextVar("current_run")

#: A batch that the command line has read already, so that a flow in the same process need not read it again.
planned_batch: ContextVar[Batch | None] = ContextVar("planned_batch", default=None)


def output_folder(batch: Batch, options: RunOptions) -> Path:
    """Where a run puts everything: `--out`, the batch file's `output.dir`, or `outputs/<name>`; rehearsals apart."""
    folder = options.out or batch.output.dir or Path("outputs") / batch.name
    return (folder / "rehearsal" if options.rehearse else folder).absolute()


def profiles_of(batch: Batch) -> dict[str, Profile]:
    """The profile of each provider that an enabled job of the batch goes to."""
    return {name: profile_named(name) for name in sorted({job.order.provider for job in batch.jobs if job.enabled})}


def check_setup(batch: Batch, options: RunOptions) -> None:
    """What can be known to be missing before anything is started.

    Raises:
        SetupError: a key is missing, an address is none, `only` names unknown ids, the ledger or the rehearsal cannot
            be as asked for.
    """
    _check_only(batch, options)
    _accounts(batch, options)
    folder = output_folder(batch, options)
    _ledger_path(folder, options)
    if options.rehearse:
        _sandbox_options(folder, options)


@asynccontextmanager
async def open_run(batch: Batch, options: RunOptions) -> AsyncIterator[Run]:
    """Everything that a run needs, opened in order and closed in reverse.

    Raises:
        BatchError: a row that was bought already asks for something else now, or `only` names unknown ids.
        SetupError: a key is missing, the folder cannot be used, another run owns it.
    """
    tally = watched_tally.get() or Tally()
    if tally.begun is not None:
        tally.begun()
    folder = output_folder(batch, options)
    _check_only(batch, options)
    accounts = _accounts(batch, options)
    async with AsyncExitStack() as stack:
        _make_folders(folder)
        ledger = await stack.enter_async_context(Ledger(_ledger_path(folder, options), folder=folder))
        await ledger.write(
            enrolment.enrol, batch.jobs, campaign=batch.name, path=batch.path, source_sha256=batch.source_sha256
        )
        if options.rehearse:
            accounts = await _rehearsal_accounts(stack, accounts, folder, options)
        trusted = [Origin.of(account.base_url) for account in accounts if account.trusted]
        http = await stack.enter_async_context(Http(trusted))
        stop = asyncio.Event()
        lanes = {a.profile.name: Lane(_client(http, a), _pace(batch, options, a), stop) for a in accounts}
        run = Run(
            batch=batch,
            options=options,
            folder=folder,
            ledger=ledger,
            http=http,
            lanes=lanes,
            budget=_budget(batch, options),
            standing=await ledger.write(views.standings),
            orphans=await ledger.write(views.orphans),
            tally=tally,
            stop=stop,
            time_scale=options.speed if options.rehearse else 1.0,
        )
        await _fill_tally(run)
        token = current_run.set(run)
        bug = True
        try:
            yield run
            bug = False
        except ReelbatchError as error:
            bug = False
            run.end(error)
            raise
        finally:
            current_run.reset(token)
            await run.settle()
            run.tally.interrupt = None
            run.tally.exit_code = None if bug else run.exit_code()
            run.tally.status_requests = sum(lane.watch.requests for lane in run.lanes.values())
            run.tally.reasons = tuple(str(reason) for reason in run.reasons())


@dataclass(frozen=True, slots=True)
class _Account:
    profile: Profile
    base_url: str
    key: str = field(repr=False)
    trusted: bool  # the operator set the address
    name: str | None = None


def _accounts(batch: Batch, options: RunOptions) -> list[_Account]:
    accounts, missing = [], []
    for profile in profiles_of(batch).values():
        base_url, trusted = profile.base_url_from(os.environ)
        key = _REHEARSAL_KEY if options.rehearse else profile.key_from(os.environ)
        if key is None:
            missing.append(profile)
            continue
        if reason := _no_address(base_url):
            raise SetupError(f"{profile.base_url_env[0]} is no address to send to: {reason}.")
        accounts.append(_Account(profile, base_url, key, trusted))
    if missing:
        names = "; ".join(f"{p.name}: set {' or '.join(p.key_env)}" for p in missing)
        raise KeyMissing(f"No API key for {names}. Nothing was sent. Try it without a key by --rehearse.")
    return accounts


def _no_address(base_url: str) -> str | None:
    """Why nobody can be reached under a base URL. Its text is not repeated: somebody may have put a secret into it."""
    if any(character.isspace() for character in base_url):
        return "it has a space in it"
    try:
        return refusal(base_url, frozenset({Origin.of(base_url)}))
    except ValueError:
        return "it has no host, as https://api.example.com has one"


async def _rehearsal_accounts(
    stack: AsyncExitStack, accounts: list[_Account], folder: Path, options: RunOptions
) -> list[_Account]:
    """The same accounts, pointed at a sandbox of this run. Its bill outlives it, so that a rehearsal resumes too."""
    sandbox = await stack.enter_async_context(running_sandbox(_sandbox_options(folder, options)))
    return [
        _Account(a.profile, sandbox.base_url(a.profile.name), _REHEARSAL_KEY, trusted=True, name="rehearsal")
        for a in accounts
    ]


def _sandbox_options(folder: Path, options: RunOptions) -> SandboxOptions:
    """What the sandbox of a rehearsal is told, or a SetupError that names the option that it would not take."""
    try:
        rules_named(options.faults)
    except (ValueError, OSError, YAMLError) as error:
        raise SetupError(f"--faults {options.faults}: {error}") from None
    try:
        return SandboxOptions(
            bill=folder / "sandbox-bill.jsonl", speed=options.speed, latency=options.latency, faults=options.faults
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise SetupError(f"--{first['loc'][0]} {first['input']}: {first['msg']}.") from None


def _client(http: Http, account: _Account) -> Client:
    return Client(http, account.profile, account.base_url, account.key, account=account.name)


def _pace(batch: Batch, options: RunOptions, account: _Account) -> Pace:
    """The command line wins over the batch file, which wins over the profile."""
    limits = batch.limits
    per_minute = options.per_minute or limits.per_minute
    return Pace(
        in_flight=options.in_flight or limits.in_flight,
        per_minute=float(per_minute) if per_minute else None,
        poll_every_s=options.poll_every or (float(limits.poll_every) if limits.poll_every else None),
        time_scale=options.speed if options.rehearse else 1.0,
        patience_s=options.wait_for_provider,
        vendor_limits=options.rehearse or not account.trusted,
    )


def _budget(batch: Batch, options: RunOptions) -> Budget | None:
    most = options.budget if options.budget is not None else batch.budget.max
    if most is None:
        return None
    currencies = {job.currency for job in batch.jobs if job.currency}
    return Budget(most, batch.budget.currency or (currencies.pop() if len(currencies) == 1 else "USD"))


def _check_only(batch: Batch, options: RunOptions) -> None:
    unknown = sorted(set(options.only) - {job.id for job in batch.jobs})
    if unknown:
        raise SetupError(f"--only names {', '.join(unknown)}, which {batch.path.name} does not have.")


def _ledger_path(folder: Path, options: RunOptions) -> Path:
    if options.ledger and not options.rehearse:
        return ledger_path(options.ledger)
    return folder / LEDGER_NAME


def _make_folders(folder: Path) -> None:
    try:
        for name in ("videos", "thumbs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The output folder {folder} cannot be made ({error.strerror}). Choose another --out."
        ) from None


async def _fill_tally(run: Run) -> None:
    tally = run.tally
    tally.interrupt = run.interrupt
    tally.counts.clear()  # a flow that is tried again in this process counts anew
    tally.spent.clear()
    ids = {job.id for job in (*run.batch.jobs, *run.orphans)}
    tally.total = len(ids)
    for job_id in ids:
        tally.move(None, run.standing[job_id].status)
    tally.done_before = tally.done
    for balance in (await run.ledger.write(views.overview)).money:
        tally.price(balance.currency, Decimal(balance.committed))
