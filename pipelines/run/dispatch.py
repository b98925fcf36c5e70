"""Which job of a run is begun when: so many at once at each provider, parents before what is made after them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from pipelines.core.dependencies import children_of, roots_of
from pipelines.core.events import JobsWait
from pipelines.core.job import Job
from pipelines.pacing.worker_pool import work_through
from pipelines.run.run import Run


async def dispatch(run: Run, work: Callable[[Job], Awaitable[object]]) -> None:
    """Await `work(job)` for every job that this run is to work on, at each provider as many at once as its session has workers.

    Args:
        run: the run.
        work: takes one job as far as it can go; must deal with its own failures, an exception of it ends everything.
    """

    async def begin(job: Job) -> None:
        if run.may_start(job):
            await work(job)

    def then(job: Job) -> list[Job]:  # a remix is made, or skipped, when its parent has ended
        return children.get(job.id, [])

    jobs = run.jobs()
    roots, children = roots_of(jobs), children_of(jobs)
    async with asyncio.TaskGroup() as group:
        for name, session in run.sessions.items():
            own = [job for job in roots if job.order.provider == name]
            most = sum(job.order.provider == name for job in jobs)
            workers = partial(lambda session, most: min(session.workers, most), session, most)
            group.create_task(work_through(own, begin, workers=workers, stop=run.stop, then=then))
    while not run.stop.is_set() and run.callbacks is not None and (found := run.callbacks.take_adopted()):
        await asyncio.gather(*(begin(job) for job in found))
    if not run.stop.is_set():
        for head, ids in run.held_up().items():
            run.emit(JobsWait(tuple(ids), head, run.status_of(head)))
