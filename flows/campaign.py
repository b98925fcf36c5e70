"""The campaign flow: a batch file becomes a folder of catalogued videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import prefect.runtime
from prefect import flow
from prefect.client.schemas.objects import State

from flows.abandoned_run import noted_flow_run
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from tasks.catalogue import catalogue
from tasks.generate import generate_all
from tasks.plan import plan
from tasks.report import final_state, progress_artifact, report


def _run_name() -> str:
    given = prefect.runtime.flow_run.parameters
    options = given.get("options") or {}
    rehearsed = options.get("rehearse") if isinstance(options, dict) else options.rehearse
    name = Path(str(given["batch"])).stem
    return f"{name} (rehearsal)" if rehearsed else name


@flow(name="campaign", flow_run_name=_run_name, validate_parameters=True)
async def campaign(batch: Path, options: RunOptions = RunOptions()) -> State[Any]:
    """Make every video of a batch file. Running it again resumes, and never pays twice.

    Args:
        batch: the batch file, CSV, YAML or JSONL.
        options: what is left empty comes from the batch file, then from the provider's profile.
    """
    planned = await plan(batch, options)
    async with open_run(planned, options) as run, noted_flow_run(run):
        async with progress_artifact(run):
            await generate_all(run)
        await catalogue()
        await report()
        return await final_state(run)
