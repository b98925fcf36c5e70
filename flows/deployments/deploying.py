"""Writing a deployment of the campaign flow down in a Prefect server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound

from flows.campaign import campaign
from flows.deployments.notifications import tell
from flows.deployments.parameters import deployment_parameters, form
from flows.deployments.schedules import overlap_of, schedules_with
from flows.lost_runs import watch_for_lost_runs
from pipelines.run.options import RunOptions

ENTRYPOINT = "reelbatch.campaign"

#: What a run of a deployment needs in its environment, beside keys of providers.
JOB_ENVIRONMENT = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "reelbatch",  # what a run says stands in its logs in the UI
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # a run that is lost is seen within minutes
}


async def deploy(
    batch: str,
    options: RunOptions,
    *,
    name: str,
    pool: str,
    schedule: CronSchedule | IntervalSchedule | None,
    overlap: str,
    providers: Iterable[str],
    notify: Sequence[str],
) -> dict[str, Any]:
    """Make a deployment, or bring the one of that name up to date.

    Args:
        batch: an absolute path, or an address.
        options: of every run of it.
        name: of the deployment; the flow is `campaign`.
        pool: the work pool that runs it.
        schedule: when it runs by itself.
        overlap: what happens when a run is due while another is going on: queue, skip or allow.
        providers: every name that may be chosen in its form.
        notify: addresses of Apprise that are told how its runs end.

    Returns:
        What there is now: its name, id, and whether it was there before.
    """
    async with get_client() as client:
        flow_id = await client.create_flow(campaign)
        try:
            known = await client.read_deployment_by_name(f"{campaign.name}/{name}")
        except ObjectNotFound:
            known = None
        deployment = await client.create_deployment(
            flow_id,
            name,
            version=version("reelbatch"),
            description=campaign.description,
            tags=["reelbatch"],
            work_pool_name=pool,
            entrypoint=ENTRYPOINT,
            pull_steps=[],
            parameters=deployment_parameters(batch, options),
            parameter_openapi_schema=form(providers, options),
            enforce_parameter_schema=True,
            job_variables={"env": dict(JOB_ENVIRONMENT)},
            schedules=schedules_with(schedule, known),
            **overlap_of(overlap),
        )
    await tell(deployment, name, notify)
    await watch_for_lost_runs()
    return {"name": f"{campaign.name}/{name}", "id": str(deployment), "updated": known is not None, "work_pool": pool}
