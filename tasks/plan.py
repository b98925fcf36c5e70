"""Read, expand, validate and price a batch file."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.batch import Batch, read_batch
from pipelines.providers.profile.load import find_profiles
from pipelines.run.options import RunOptions
from pipelines.run.run import planned_batch

log = logging.getLogger("reelbatch")


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
async def plan(path: Path, options: RunOptions) -> Batch:
    """The batch, or a BatchError with every problem in it. The command line has read it already and hands it over."""
    read_already = planned_batch.get()
    return read_already if read_already is not None else await asyncio.to_thread(_read, path, options)


def _read(path: Path, options: RunOptions) -> Batch:
    known = find_profiles(options.profiles, beside=path)
    for note in known.notes:
        log.warning(note)
    return read_batch(
        path,
        provider=options.provider,
        fallback=options.fallback,
        profiles=known.profiles,
        elsewhere=known.elsewhere(os.environ),
    )
