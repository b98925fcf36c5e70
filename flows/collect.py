"""The collect flow: brings home what is paid for already, in one output folder or in all below the root."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.deployed_run import root_here
from flows.run_logs import send_logs
from pipelines.actions.collect import Collected, campaigns_below, recovered_words
from pipelines.run.options import RunOptions
from tasks.collect import collect_clips


@flow(name="collect", validate_parameters=True)
async def collect(
    folder: Annotated[str | None, Field(json_schema_extra={"title": "Folder"})] = None,
    profiles: Annotated[list[str] | None, Field(json_schema_extra={"title": "Profiles of providers"})] = None,
) -> State[list[Collected]]:
    """Bring home every clip that is paid for and not on disk. Submits nothing, and needs no batch file.

    A good schedule is once an hour: it finds what a run has left that was killed, or that ran out of patience.

    Args:
        folder: An output folder, or one above several. Default: the Variable reelbatch_root.
        profiles: Further profiles of providers, as YAML files.

    Returns:
        What was brought home, by output folder.

    Raises:
        SetupError: there is no such folder.
    """
    send_logs()
    options = RunOptions(profiles=tuple(map(Path, profiles or ())))
    found = [await collect_clips(each, options) for each in campaigns_below(await root_here(folder))]
    return Completed(message=recovered_words(found), data=found)
