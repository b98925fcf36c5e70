"""Read, expand, validate and price a batch file."""

from __future__ import annotations

import asyncio
import logging

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.batch import Batch
from pipelines.run.batch_file import local_batch, read_for_run
from pipelines.run.options import RunOptions
from pipelines.run.run import handed_over

log = logging.getLogger("reelbatch")


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
async def plan(batch: str, options: RunOptions) -> Batch:
    """The batch, or a BatchError with every problem in it. The command line has read it already and hands it over."""
    context = handed_over()
    if context is not None and context.batch is not None:
        return context.batch
    notes, planned = await asyncio.to_thread(read_for_run, await local_batch(batch, options.root), options)
    for note in notes:
        log.warning(note)
    return planned
