"""Bring home what is paid for in one output folder: one task run a folder, named by it."""

from __future__ import annotations

import logging
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.actions.collect import Collected, collect_or_say
from pipelines.core.remote_folder import shown_place
from pipelines.core.text.counts import counted
from pipelines.run.options import RunOptions

log = logging.getLogger("reelbatch")


@task(name="collect", task_run_name="{folder}", cache_policy=NO_CACHE)
async def collect_clips(folder: Path, options: RunOptions) -> Collected:
    """Bring home every paid clip of one output folder; submits nothing. A folder that another run owns is left alone."""
    found = await collect_or_say(folder, options)
    if found.recovered:
        log.info("%s: %s recovered.", shown_place(folder), counted(len(found.recovered), "paid clip"))
    if found.run:
        log.info("%s: %s", shown_place(folder), found.run_words)
    for reason in found.reasons:
        log.warning("%s: %s", shown_place(folder), reason)
    return found
