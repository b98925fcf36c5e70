"""One run of a campaign: what its jobs share, which of them are to be worked on, and why it did less than everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipelines.batch import Batch
from pipelines.core.dependencies import held_up, in_turn
from pipelines.core.errors import ReelbatchError
from pipelines.core.job import Job
from pipelines.core.status import FINAL, JobStatus, Readiness
from pipelines.ledger.attempts import Budget
from pipelines.ledger.job_state import Standing
from pipelines.ledger.ledger import Ledger
from pipelines.net.http import Http
from pipelines.pacing.slots import InFlight
from pipelines.run.exit_code import exit_code
from pipelines.run.options import RunOptions
from pipelines.run.progress import SAID, Tally, level_of
from pipelines.run.provider_session import Lane

log = logging.getLogger(SAID)

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
            self.tally.say(str(reason), level_of(reason))

    def leave_out(self, reason: ReelbatchError) -> None:
        """Do not submit one job in this run."""
        self.left_out = self.left_out or reason
        self.tally.say(str(reason), level_of(reason))

    def end(self, reason: ReelbatchError) -> None:
        """End the run: nothing more is sent, and what waits is left to the next run."""
        if self.failure is None:
            self.failure = reason
            log.error(str(reason))  # who watches hears it in a moment, with the other reasons
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
        if turn is not Readiness.GO:
            return turn is Readiness.SKIP
        lane = self.lanes[job.order.provider]
        shut = lane.closed is not None and not (lane.turns_away and job.turn() is not None)
        return self.closed is None and not shut

    def turn_of(self, job: Job) -> Readiness:
        """Whether it is a job's turn, as its parent stands."""
        return Readiness.GO if job.parent is None else self.status_of(job.parent).meaning.remixes

    def reasons(self) -> tuple[ReelbatchError, ...]:
        """Why this run did less than everything, if it did. A lane that shut is none if nothing is left to be done."""
        unsent = bool(self.tally.counts[JobStatus.PLANNED])
        lanes = [lane.closed for lane in self.lanes.values() if unsent or lane.watch.over]
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
        over = self.status_of(job.id) in {*FINAL, JobStatus.IN_DOUBT}
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
