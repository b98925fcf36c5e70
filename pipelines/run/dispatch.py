"""Which job of a run is begun when: so many at once at each provider, parents before what is made after them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from pipelines.core.dependencies import children_of, roots_of
from pipelines.core.events import JobsWait
from pipelines.core.job import Job
from pipelines.core.status import Readiness
from pipelines.pacing.worker_pool import work_through
from pipelines.run.provider_session import ProviderSession
from pipelines.run.run import Run


async def dispatch(run: Run, work: Callable[[Job], Awaitable[object]], *, takes_more: bool = True) -> None:
    """Await `work(job)` for every job that this run is to work on, at each provider as many at once as its session has workers.

    Args:
        run: the run.
        work: takes one job as far as it can go; must deal with its own failures, an exception of it ends everything.
        takes_more: as long as one of them is worked on, `run.begin_also` begins what a person adds.
    """
    jobs = run.jobs()
    async with asyncio.TaskGroup() as group:
        dispatched = _Dispatch(run, work, takes_more, group, defaultdict(list, children_of(jobs)))
        dispatched.begin_roots(roots_of(jobs), jobs)
        await dispatched.ended()
    while not run.stop.is_set() and run.callbacks is not None and (found := run.callbacks.take_adopted()):
        await asyncio.gather(*(dispatched.begin(job) for job in found))
    if not run.stop.is_set():
        for head, ids in run.held_up().items():
            run.emit(JobsWait(tuple(ids), head, run.status_of(head)))


@dataclass(slots=True)
class _Dispatch:
    """The jobs of a run that are begun, and those that wait for them."""

    run: Run
    work: Callable[[Job], Awaitable[object]]
    takes_more: bool
    group: asyncio.TaskGroup
    waiting: defaultdict[str, list[Job]]  # remixes, by what they are made of
    pools: set[asyncio.Task[None]] = field(default_factory=set)  # of workers, that have not come to their end

    def begin_roots(self, roots: Sequence[Job], jobs: Sequence[Job]) -> None:
        """Begin jobs that wait for none of the others; there are no more workers than jobs."""
        for name, session in self.run.sessions.items():
            own = [job for job in roots if job.order.provider == name]
            most = sum(job.order.provider == name for job in jobs)
            if most:
                self.run.begin_also = self.begin_also if self.takes_more else None
                pool = self.group.create_task(self._work_through(own, session, most))
                self.pools.add(pool)

    def begin_also(self, job: Job) -> None:
        """Begin one job more; what it waits for goes on, and calls it in."""
        if not self._waits(job):
            self.begin_roots([job], [job])

    async def begin(self, job: Job) -> None:
        """Work on one job, if there is anything to do for it now; what it is made of may be made once more meanwhile."""
        if self.run.may_start(job):
            await self.work(job)
        else:
            self._waits(job)

    def _waits(self, job: Job) -> bool:
        """Tell whether a job has to wait for its parent; then it does."""
        waits = job.parent is not None and self.run.readiness_of(job) is Readiness.WAIT
        if waits:
            self.waiting[str(job.parent)].append(job)
        return waits

    async def _work_through(self, roots: Sequence[Job], session: ProviderSession, most: int) -> None:
        workers = partial(lambda session, most: min(session.workers, most), session, most)
        await work_through(roots, self.begin, workers=workers, stop=self.run.stop, then=self._then)

    async def ended(self) -> None:
        """Wait until nobody works any more, and nobody is about to add something; then nothing more is taken."""
        try:
            while self.pools or self.run.adding.locked():
                if self.pools:
                    done, _ = await asyncio.wait(set(self.pools), return_when=asyncio.FIRST_COMPLETED)
                    self.pools -= done
                else:
                    async with self.run.adding:
                        pass
        finally:
            self.run.begin_also = None

    def _then(self, job: Job) -> list[Job]:
        """A remix is made, or skipped, when its parent has ended."""
        return self.waiting.pop(job.id, [])
