"""The retry flow: what failed for a reason that passes is made once more."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.deployed_run import folder_here
from flows.run_logs import send_logs
from flows.subcampaign import make_campaign, refuse_without_consent
from pipelines.actions.retry import begin_retry, plan_retry, retry_in_run
from pipelines.core.text.counts import first_of
from pipelines.run.options import RunOptions
from pipelines.run.result import CampaignResult
from tasks.report import final_state

log = logging.getLogger("reelbatch")


@flow(name="retry", flow_run_name="retry {folder}", validate_parameters=True)
async def retry(
    folder: Annotated[str, Field(json_schema_extra={"title": "Output folder"})],
    budget: Annotated[float | None, Field(json_schema_extra={"title": "Budget"}, gt=0)] = None,
    yes: Annotated[bool, Field(json_schema_extra={"title": "Any amount"})] = False,
    only: Annotated[list[str] | None, Field(json_schema_extra={"title": "Only these jobs"})] = None,
    again: Annotated[bool, Field(json_schema_extra={"title": "Also what was bought elsewhere"})] = False,
    profiles: Annotated[list[str] | None, Field(json_schema_extra={"title": "Profiles of providers"})] = None,
) -> State[CampaignResult] | State[None]:
    """Run again what failed for a reason that passes. While a run goes on in the folder, that run makes it.

    Args:
        folder: The output folder of the run.
        budget: The most that it may cost, in the currency of the prices.
        yes: It may cost any amount.
        only: By id or pattern, such as hero-*.
        again: Also what was bought before, in another folder.
        profiles: Further profiles of providers, as YAML files.

    Returns:
        What the run came to; None where nothing is to be made again, or another run makes it.

    Raises:
        AttentionNeeded: a person must look. It has the result.
        SetupError: neither a budget nor a yes. Nothing was sent.
        SettlementRefused: there is no such job, or the run that goes on does not order it.
    """
    send_logs()
    capped = None if budget is None else str(budget)
    options = RunOptions(budget=capped, again=again, profiles=tuple(map(Path, profiles or ())))
    plan = plan_retry(await folder_here(folder), only or (), options)
    for row in plan.left:
        log.info("left: %s: %s", row.id, row.why)
    if not plan.ids:
        return Completed(message="Nothing is run again.", data=None)
    refuse_without_consent(options, yes=yes, rehearsal=plan.rehearsal)
    if (run := await retry_in_run(plan, options)) is not None:
        return Completed(message=f"{first_of(plan.ids)}: the run that goes on ({run}) makes it.", data=None)
    return final_state(await make_campaign(*await begin_retry(plan, options)))
