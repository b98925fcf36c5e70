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
from pipelines.run.run import run_context

log = logging.getLogger("reelbatch")


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
async def plan(path: Path, options: RunOptions) -> Batch:
    """The batch, or a BatchError with every problem in it. The command line has read it already and hands it over."""
    context = run_context.get()
    if context is not None and context.batch is not None:
        return context.batch
    return await asyncio.to_thread(_read, path, options)


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
