"""One run of a campaign: opens the ledger, the connections and a lane for each provider, and closes them in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pipelines.addresses import Origin
from pipelines.batch import Batch
from pipelines.chains import Turn, held_up, in_turn, turn_of
from pipelines.credentials import Account, accounts_of, accounts_to_collect, rehearsed, sandbox_options
from pipelines.errors import ReelbatchError, SetupError
from pipelines.http import Http
from pipelines.job import FINAL_STATUSES, Job, JobStatus
from pipelines.lane import Lane, Pace
from pipelines.ledger import enrolment, views
from pipelines.ledger.attempts import Budget
from pipelines.ledger.database import ledger_path
from pipelines.ledger.ledger import LEDGER_NAME, Ledger
from pipelines.ledger.standing import ACCEPTED, Standing
from pipelines.options import RunOptions
from pipelines.outcome import exit_code
from pipelines.pacing.in_flight import InFlight
from pipelines.providers.client import Client
from pipelines.tally import Tally, watched_tally

log = logging.getLogger("reelbatch")

_DOWNLOADS = 16
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
    made_as: dict[str, Job]  # by id, every job as it is made now: by one of its fallbacks perhaps
    tally: Tally
    stop: asyncio.Event = field(default_factory=asyncio.Event)  # no more submissions; leave what waits to the next run
    closed: ReelbatchError | None = None  # why nothing more is submitted, while what was sent is still brought home
    left_out: ReelbatchError | None = None  # why a single job was not submitted, the first of them
    failure: ReelbatchError | None = None  # why the whole run ends
    downloads: InFlight = field(default_factory=lambda: InFlight(_DOWNLOADS))
    time_scale: float = 1.0
    interrupted: bool = False
    _open_ends: set[asyncio.Task[Any]] = field(default_factory=set)

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

    def leave_out(self, reason: ReelbatchError) -> None:
        """Do not submit one job in this run."""
        self.left_out = self.left_out or reason
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
        """The job of that id, as it is made now."""
        return self.made_as[job_id]

    def status_of(self, job_id: str) -> JobStatus:
        """Where the job of that id stands."""
        return self.standing[job_id].status

    def jobs(self) -> list[Job]:
        """The jobs that this run is to work on: those at a provider first, parents before what is made after them.

        Left out are those that have ended, and those that wait for one which this run does not work on.
        """
        wanted = [job for job in self._asked_for() if self._is_open(job)]
        wanted.sort(key=lambda job: self.status_of(job.id) is JobStatus.PLANNED)
        return in_turn(wanted, self.status_of)[: self.options.limit]

    def held_up(self) -> Mapping[str, list[str]]:
        """The jobs that wait in vain, by the one at the head of their chain: in doubt, parked, or not asked for."""
        asked = {job.id: job for job in self._asked_for()}
        heads = held_up(asked.values(), self.status_of)
        return {h: ids for h, ids in heads.items() if h not in asked or self.status_of(h) is not JobStatus.PLANNED}

    def may_start(self, job: Job) -> bool:
        """Whether there is anything to do for a job now: a new one is not begun when nothing more may be sent."""
        if self.status_of(job.id) is not JobStatus.PLANNED:
            return True
        turn = self.turn_of(job)
        if turn is not Turn.GO:
            return turn is Turn.SKIP
        shut = self.lanes[job.order.provider].closed is not None and job.turn() is None
        return self.closed is None and not shut

    def turn_of(self, job: Job) -> Turn:
        """Whether it is a job's turn, as its parent stands."""
        return Turn.GO if job.parent is None else turn_of(self.status_of(job.parent))

    def reasons(self) -> tuple[ReelbatchError, ...]:
        """Why this run did less than everything, if it did. A lane that shut is none if nothing is left to be sent."""
        lanes = [lane.closed for lane in self.lanes.values()] if self.tally.counts[JobStatus.PLANNED] else []
        every = (self.failure, self.closed, self.left_out, *lanes)
        return tuple(reason for reason in every if reason is not None)

    def exit_code(self) -> int:
        """The exit code that the command line gives for this run."""
        return exit_code(self.tally.counts, reasons=self.reasons(), interrupted=self.interrupted)

    def _asked_for(self) -> list[Job]:
        """The jobs of the batch, or those that `--only` names, or with the whole batch what has left it as well."""
        only = set(self.options.only)
        jobs = [*self.batch.jobs, *(() if only else self.orphans)]
        return [self.made_as[job.id] for job in jobs if not only or job.id in only]

    def _is_open(self, job: Job) -> bool:
        """Whether there may be something to do for a job: a row that is switched off may have no lane."""
        over = self.status_of(job.id) in {*FINAL_STATUSES, JobStatus.IN_DOUBT}
        return not over and job.order.provider in self.lanes


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


def check_setup(batch: Batch, options: RunOptions) -> None:
    """What can be known to be missing before anything is started.

    Raises:
        SetupError: a key is missing, an address is none, `only` names unknown ids, the ledger or the rehearsal cannot
            be as asked for.
    """
    _check_only(batch, options)
    accounts_of(batch, options)
    folder = output_folder(batch, options)
    _ledger_path(folder, options)
    if options.rehearse:
        sandbox_options(folder, options)


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
    accounts = accounts_of(batch, options)
    async with AsyncExitStack() as stack:
        _make_folders(folder)
        ledger = await stack.enter_async_context(Ledger(_ledger_path(folder, options), folder=folder))
        await ledger.write(
            enrolment.enrol, batch.jobs, campaign=batch.name, path=batch.path, source_sha256=batch.source_sha256
        )
        standing, orphans = await ledger.write(views.standings), await ledger.write(views.orphans)
        made_as = {job.id: job for job in (*batch.jobs, *orphans)}
        made_as |= {job.id: job for job in await ledger.write(views.turned) if job.id in made_as}
        waiting = [job for job in made_as.values() if standing[job.id].status in ACCEPTED]
        accounts += accounts_to_collect(waiting, accounts, batch.profiles, options, say=tally.say)
        if options.rehearse:
            accounts = await rehearsed(stack, accounts, folder, options)
        trusted = [Origin.of(account.base_url) for account in accounts if account.trusted]
        http = await stack.enter_async_context(Http(trusted))
        stop = asyncio.Event()
        run = Run(
            batch=batch,
            options=options,
            folder=folder,
            ledger=ledger,
            http=http,
            lanes={a.profile.name: Lane(_client(http, a), _pace(batch, options, a), stop) for a in accounts},
            budget=_budget(batch, options),
            standing=standing,
            orphans=orphans,
            made_as=made_as,
            tally=tally,
            stop=stop,
            time_scale=options.speed if options.rehearse else 1.0,
        )
        await _fill_tally(run)
        async with _current(run):
            yield run


@asynccontextmanager
async def _current(run: Run) -> AsyncIterator[None]:
    """The run that tasks find; at its end the tally says how it went."""
    token = current_run.set(run)
    bug = True
    try:
        yield
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


def _client(http: Http, account: Account) -> Client:
    return Client(http, account.profile, account.base_url, account.key, account=account.name)


def _pace(batch: Batch, options: RunOptions, account: Account) -> Pace:
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
