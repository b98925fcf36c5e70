"""Asking ahead: what providers have is asked about before the run begins, while whoever shows it still starts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipelines.core.status import ACCEPTED
from pipelines.run.job.wait import wait
from pipelines.run.opening import callbacks_of
from pipelines.run.run import Run


@asynccontextmanager
async def asked_ahead(run: Run) -> AsyncIterator[None]:
    """Wait for the jobs that are at a provider, as many as the run would begin with; `generate_job` goes on from there.

    Nothing is written, bought or fetched: a status query is free. Where providers are to call, the run itself begins it all.
    """
    if callbacks_of(run.batch, run.options) is None:
        jobs = run.jobs() if run.options.only else run.made_as.values()
        away = [job for job in jobs if run.status_of(job.id) in ACCEPTED and job.order.provider in run.sessions]
        begun: Counter[str] = Counter()
        for job in away[: run.options.limit]:
            session = run.sessions[job.order.provider]
            if run.states[job.id].remote is not None and begun[session.name] < session.workers:
                begun[session.name] += 1
                run.ahead[job.id] = asyncio.create_task(wait(job, session, run))
    try:
        yield
    finally:  # what nobody has taken over
        for waiting in run.ahead.values():
            waiting.cancel()
        await asyncio.gather(*run.ahead.values(), return_exceptions=True)
        run.ahead.clear()
