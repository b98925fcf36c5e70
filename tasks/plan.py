"""Read, expand, validate and price a batch file."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.batch import Batch, read_batch
from pipelines.run import planned_batch


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
async def plan(path: Path, provider: str | None) -> Batch:
    """The batch, or a BatchError with every problem in it. The command line has read it already and hands it over."""
    read_already = planned_batch.get()
    return read_already if read_already is not None else await asyncio.to_thread(read_batch, path, provider=provider)
