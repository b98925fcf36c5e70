"""The redo flow: a new take of a row that has ended."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.deployed_run import folder_here
from flows.run_logs import send_logs
from flows.subcampaign import make_campaign, refuse_without_consent
from pipelines.actions.redo import begin_redo, plan_redo, redo_in_run
from pipelines.run.options import RunOptions
from pipelines.run.result import CampaignResult
from tasks.report import final_state


@flow(name="redo", flow_run_name="redo {job}", validate_parameters=True)
async def redo(
    folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})],
    job: Annotated[str, Field(json_schema_extra={"title": "Job"})],
    budget: Annotated[float | None, Field(json_schema_extra={"title": "Budget"}, gt=0)] = None,
    yes: Annotated[bool, Field(json_schema_extra={"title": "Any amount"})] = False,
    prompt: Annotated[str | None, Field(json_schema_extra={"title": "Another prompt"})] = None,
    profiles: Annotated[list[str] | None, Field(json_schema_extra={"title": "Profiles of providers"})] = None,
) -> State[CampaignResult] | State[None]:
    """Buy a new take of a job that is done, or has ended without a clip. While a run goes on, that run makes it.

    Args:
        folder: The output folder of the run.
        job: By id. Its old file stays.
        budget: The most that it may cost, in the currency of the prices.
        yes: It may cost any amount.
        prompt: Default: that of its row.
        profiles: Further profiles of providers, as YAML files.

    Returns:
        What the run came to; None where another run makes it.

    Raises:
        AttentionNeeded: a person must look. It has the result.
        SetupError: neither a budget nor a yes. Nothing was sent.
        SettlementRefused: it cannot be made anew, or the run that goes on does not order it.
    """
    send_logs()
    options = RunOptions(budget=None if budget is None else str(budget), profiles=tuple(map(Path, profiles or ())))
    plan = plan_redo(await folder_here(folder), job, prompt, options)
    refuse_without_consent(options, yes=yes, rehearsal=plan.rehearsal)
    if (run := await redo_in_run(plan, options)) is not None:
        return Completed(message=f"{plan.new.id}: the run that goes on ({run}) makes it.", data=None)
    return final_state(await make_campaign(*await begin_redo(plan, options)))
