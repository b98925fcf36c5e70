"""One run of a campaign: what its jobs share, what it remembers of them, and why it did less than everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipelines.batch import Batch
from pipelines.core.dependencies import held_up
from pipelines.core.errors import BudgetReached, DiskFull, LedgerError, ReelbatchError, SetupError
from pipelines.core.events import (
    Event,
    IndexUnusable,
    JobChanged,
    JobLeftOut,
    Observer,
    ProviderClosed,
    RowChange,
    RunStopping,
    SubmissionsClosed,
)
from pipelines.core.job import Job
from pipelines.core.outcome import Accepted, Adopted, Failed, FellBack, InDoubt, Outcome, PersonsWord
from pipelines.core.status import JobStatus, Readiness
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import outcomes, settlement
from pipelines.ledger.attempts import Budget, Claim
from pipelines.ledger.job_state import JobState
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.outcomes import Change
from pipelines.ledger.spending_book import SpendingBook
from pipelines.net.http import Http
from pipelines.outputs.storage.object_store import ObjectStore
from pipelines.pacing.slots import Slots
from pipelines.run.call_hints import CallHints
from pipelines.run.ending import RunResult, warnings_of
from pipelines.run.exit_code import exit_code, open_beside
from pipelines.run.observers import write_log
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import title_of
from pipelines.run.progress import RunProgress
from pipelines.run.provider_session import ProviderSession
from pipelines.run.purchase_recorder import PurchaseRecorder
from pipelines.run.selection import choose, in_hand

_DOWNLOADS = 16
_RARELY_S = 60.0
R = TypeVar("R")


@dataclass
class Run:
    """What the jobs of one run share."""

    batch: Batch
    options: RunOptions
    folder: Path  # where everything of this run lies
    ledger: Ledger
    http: Http
    sessions: Mapping[str, ProviderSession]  # by provider name
    budget: Budget | None
    states: dict[str, JobState]  # by job id, as the ledger said last: a cache that every write corrects
    orphans: list[Job]  # no longer in the batch file, but paid for
    made_as: dict[str, Job]  # by id, every job as it is made now: by one of its fallbacks perhaps
    progress: RunProgress
    recorder: PurchaseRecorder | None = None  # None: nothing of it is paid for
    store: ObjectStore | None = None  # the bucket that the folder is in; None: files stay in the folder
    book: SpendingBook | None = None  # of all that campaigns spend; None: nothing of it is paid for
    observers: tuple[Observer, ...] = ()
    changed: tuple[RowChange, ...] = ()  # rows that ask for something else than was bought of them
    missing: Mapping[str, str] = field(default_factory=dict)  # clips, by job, that were home and are not there any more
    first_events: tuple[Event, ...] = ()  # what there is to say when it begins
    ahead: dict[str, asyncio.Task[Any]] = field(default_factory=dict)  # by id, waits that began before the run did
    stop: asyncio.Event = field(default_factory=asyncio.Event)  # no more submissions; leave what waits to the next run
    closed: ReelbatchError | None = None  # why nothing more is submitted, while what was sent is still brought home
    left_out: ReelbatchError | None = None  # why a single job was not submitted, the first of them
    failure: ReelbatchError | None = None  # why the whole run ends
    downloads: Slots = field(default_factory=lambda: Slots(_DOWNLOADS))
    begin_also: Callable[[Job], None] | None = None  # begins one job more; None: nothing is begun any more
    adding: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while a person's word is taken: nothing ends then
    time_scale: float = 1.0
    pages: dict[str, str] = field(default_factory=dict)  # by job id, the address of a page about it alone
    showing: set[asyncio.Task[None]] = field(default_factory=set)  # pages that are being made, beside the jobs
    one_page: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while one of them is made
    stopped: StopReason | None = None  # who stopped it in order, before its end
    generating_cpu_s: float = 0.0  # CPU time of this process while jobs were generated
    callbacks: CallHints | None = None  # None: nobody is to call
    _open_ends: set[asyncio.Task[Any]] = field(default_factory=set)
    _said_at: dict[str, float] = field(default_factory=dict)  # by topic, what is said rarely

    async def reserve(self, job: Job, account: str) -> Change:
        """Reserve a job and its price, for a submission with this account.

        Raises:
            BudgetReached: the budget, or a cap of a day or month, leaves too little for it, or does not cover it.
        """
        if self.book is None:
            change = await self.ledger.write(outcomes.reserve, job, account, self.budget)
        else:
            try:
                change = await self.book.reserve(job, account, self.budget)
            except BudgetReached:
                if self.recorder is None or not self.recorder.hurry():
                    raise
                await self._catch_up(self.recorder)  # of what was given back a moment ago the book knows nothing yet
                change = await self.book.reserve(job, account, self.budget)
        self._learn(job, change)
        return change

    async def record(self, job: Job, outcome: Outcome, claim: Claim | None = None, about: str | None = None) -> Change:
        """Write down what has happened to a job. Memory, counts and observers learn it from what the ledger returns."""
        change = await self.ledger.write(outcomes.record, job.id, outcome, claim, about)
        self._learn(job, change)
        bought = isinstance(change.outcome, Accepted | Adopted | InDoubt | Failed)
        counts_anew = change.money is not None and None in (change.money.source, change.money.target)
        if change.changed and (bought or counts_anew):
            self._note(job.id, bought=bought)
        return change

    async def take_word(self, job_id: str, word: PersonsWord, request: int) -> Change:
        """Write down what a person asks to be said of a job, together with the answer to the request.

        Raises:
            SettlementRefused: it cannot be said of the job as it stands.
        """
        change = await self.ledger.write(settlement.settle_as_asked, job_id, word, request)
        if job_id in self.made_as:
            self._learn(self.made_as[job_id], change)
        self._note(job_id, bought=True)
        return change

    def _note(self, job_id: str, *, bought: bool) -> None:
        if self.recorder is not None and self.recorder.note(job_id, bought=bought):
            self.begin(self._catch_up(self.recorder))

    async def _catch_up(self, recorder: PurchaseRecorder) -> None:
        if (error := await recorder.catch_up()) is not None:
            self.emit(IndexUnusable(error))

    def _learn(self, job: Job, change: Change) -> None:
        old, new = self.states[job.id], change.state
        self.states[job.id] = new
        if isinstance(change.outcome, FellBack):
            self.made_as[job.id] = change.outcome.now
        if change.changed or old.status is not new.status:
            counted = {"counted_before": old.counts, "counted": new.counts}
            self.emit(JobChanged(job, old.status, new.status, change.outcome, change.money, **counted))

    def emit(self, event: Event) -> None:
        """Tell whoever watches."""
        self.progress.observe(event)
        write_log(event)
        for observer in self.observers:
            observer(event)

    def emit_rarely(self, topic: str, event: Event) -> None:
        """Tell what comes again and again: at most once a minute of each topic."""
        now = time.monotonic()
        if now - self._said_at.get(topic, -_RARELY_S) >= _RARELY_S:
            self._said_at[topic] = now
            self.emit(event)

    def close(self, reason: ReelbatchError) -> None:
        """Submit nothing more; what was accepted is still waited for and brought home."""
        if self.closed is None:
            self.closed = reason
            self.emit(SubmissionsClosed(reason))

    def close_provider(self, session: ProviderSession, reason: ReelbatchError) -> None:
        """Send nothing more to one provider in this run; what it has made is still brought home."""
        known, session.closed = str(session.closed), reason
        if str(reason) != known:  # else it was said when the first of the orders on their way was answered
            self.emit(ProviderClosed(session.name, reason))

    def leave_out(self, job: Job, reason: ReelbatchError) -> None:
        """Do not submit one job in this run."""
        self.left_out = self.left_out or reason
        self.emit(JobLeftOut(job.id, reason))

    def end(self, reason: ReelbatchError) -> None:
        """End the run: nothing more is sent, and what waits is left to the next run."""
        if self.failure is None:
            self.failure = reason
            write_log(SubmissionsClosed(reason))  # who watches hears it in a moment, with the other reasons
        self.halt()

    def interrupt(self, why: StopReason = StopReason.INTERRUPTED) -> None:
        """Stop in order, as a person wants it. The first reason stays."""
        if self.stopped is None:
            self.stopped = why
            self.emit(RunStopping(why))
        self.halt()

    def halt(self) -> None:
        """Set the stop sign and wake everybody who sleeps."""
        self.stop.set()
        for session in self.sessions.values():
            session.poller.wake_all()

    async def to_the_end(self, work: Coroutine[Any, Any, R]) -> R:
        """Await work that may not break off half-way, also when the task that asked for it is cancelled."""
        return await asyncio.shield(self.begin(work))

    def begin(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start work that the run waits for before it closes its ledger."""
        task = asyncio.ensure_future(work)
        self._open_ends.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Heed what has failed though nobody waits for it any more: without a ledger the run cannot go on."""
        self._open_ends.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), LedgerError | DiskFull):
            self.end(error)

    async def settle(self) -> None:
        """Wait for what `begin` still has in hand."""
        if self.recorder is not None:
            self.recorder.end()
        while self._open_ends:
            await asyncio.wait(set(self._open_ends))

    @property
    def title(self) -> str:
        """The heading of the gallery; a rehearsal says that it is one."""
        return title_of(self.batch, self.options)

    def job(self, job_id: str) -> Job:
        """The job of that id, as it is made now."""
        return self.made_as[job_id]

    def status_of(self, job_id: str) -> JobStatus:
        """Where the job of that id stands."""
        return self.states[job_id].status

    def readiness_of(self, job: Job) -> Readiness:
        """What a job may do, as its parent stands."""
        return Readiness.GO if job.parent is None else self.status_of(job.parent).meaning.remixes

    def jobs(self) -> list[Job]:
        """The jobs that this run is to work on, in their order."""
        # One that is switched off may have no session.
        wanted = (job for job in self._asked_for() if job.order.provider in self.sessions)
        return in_hand(wanted, self.states, self.options.limit)

    def held_up(self) -> Mapping[str, list[str]]:
        """The jobs that wait in vain, by the one at the head of their chain: in doubt, parked, or not asked for."""
        asked = {job.id: job for job in self._asked_for()}
        heads = held_up(asked.values(), self.status_of)
        return {h: ids for h, ids in heads.items() if h not in asked or self.status_of(h) is not JobStatus.PLANNED}

    def may_start(self, job: Job) -> bool:
        """Tell whether there is anything to do for a job now: a new one is not begun when nothing more may be sent."""
        if self.status_of(job.id) is not JobStatus.PLANNED:
            return True
        if not self.states[job.id].counts:  # a person has set it aside meanwhile
            return False
        readiness = self.readiness_of(job)
        if readiness is not Readiness.GO:
            return readiness is Readiness.SKIP
        session = self.sessions[job.order.provider]
        shut = session.closed is not None and not (session.falls_back and job.fall_back() is not None)
        return self.closed is None and not shut

    def reasons(self) -> tuple[ReelbatchError, ...]:
        """Why this run did less than everything, if it did. A closed provider is none if nothing is left to be sent."""
        unsent = bool(self.progress.counts[JobStatus.PLANNED])
        providers = [session.closed for session in self.sessions.values() if unsent or session.poller.over]
        every = (self.failure, self.closed, self.left_out, *providers)
        return tuple(reason for reason in every if reason is not None)

    def result(self) -> RunResult:
        """What the run comes to."""
        # Whoever has pressed Ctrl-C knows who has stopped it.
        told = () if self.stopped in (None, StopReason.INTERRUPTED) else (self.stopped.sentence,)
        counts = self.progress.counts + open_beside(self.states)
        return RunResult(
            exit_code=exit_code(counts, reasons=self.reasons(), interrupted=self.stopped is not None),
            reasons=(*told, *(str(reason) for reason in self.reasons())),
            status_requests=sum(session.poller.requests for session in self.sessions.values()),
            generating_cpu_s=self.generating_cpu_s,
            warnings=warnings_of(self.changed, self.missing, self.folder),
        )

    def _asked_for(self) -> list[Job]:
        """The jobs of the batch, or those that `--only` names, or with the whole batch what has left it as well."""
        here = list(dict.fromkeys(job.id for job in (*self.batch.jobs, *self.orphans)))
        chosen = choose(here, self.options.only)[0] if self.options.only else here
        return [self.made_as[job_id] for job_id in chosen]


@dataclass(slots=True)
class RunContext:
    """What the command line hands to a flow in its own process, and what the tasks of the flow find there."""

    batch: Batch | None = None  # read already, so that the flow need not read it again
    options: RunOptions | None = None  # chosen already; what Prefect shows of them is without secrets
    observers: tuple[Observer, ...] = ()
    ledger: Ledger | None = None  # open, with the batch registered in it; None: the flow opens it
    states: dict[str, JobState] | None = None  # of all jobs, as read from it since; whoever takes them keeps them up
    ready: Run | None = None  # opened already, so that the flow begins it; None: the flow opens it
    begun: Callable[[], None] | None = None  # called when the run begins, inside the flow
    stop: asyncio.Event = field(default_factory=asyncio.Event)  # set by who stops the watch over an inbox
    own_server: bool = False  # Prefect's server is this run's own: nobody shares it
    progress: RunProgress = field(default_factory=RunProgress)
    run: Run | None = None  # while it is open
    result: RunResult | None = None  # since it has ended


run_context: ContextVar[RunContext | None] = ContextVar("run_context", default=None)


def handed_over() -> RunContext | None:
    """What the command line handed to this flow, if it began it; a flow's file cannot name a ContextVar itself."""
    return run_context.get()


def by_command_line() -> bool:
    """Tell whether a command began this flow in its own process: it listens to signals, and somebody waits for its end."""
    context = run_context.get()
    return context is not None and context.begun is not None


@contextmanager
def handing_over(context: RunContext) -> Iterator[None]:
    """Hand a batch and its options over to the flow that is called in the block."""
    token = run_context.set(context)
    try:
        yield
    finally:
        run_context.reset(token)


def current_run() -> Run:
    """The run that the tasks of this flow belong to.

    Raises:
        SetupError: there is none: a task was called by itself.
    """
    context = run_context.get()
    if context is None or context.run is None:
        raise SetupError("This task works on an open run. Call it inside the flow `campaign`.")
    return context.run
