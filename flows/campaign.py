"""The campaign flow: a batch file becomes a folder of catalogued videos."""

# Prefect copies this file by value when it is served; annotations that are texts could not be read there.

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import BeforeValidator, Field

from flows.abandoned_run import noted_flow_run
from flows.deployed_run import chosen_here, refuse_temporary, refuse_uncapped
from flows.last_report import until_prefect_listens
from flows.naming import name_the_end, run_name, tag_run
from flows.run_logs import send_logs
from flows.stop_requests import stop_requests, stopped_state, within_grace
from pipelines.providers.profile.load import shipped_profiles
from pipelines.run.opening import open_run
from pipelines.run.options import AdvancedOptions, RunOptions
from pipelines.run.result import CampaignResult
from tasks.account_block import accounts_in_blocks
from tasks.account_limits import shared_limits
from tasks.catalogue import catalogue
from tasks.generate import generate_all
from tasks.plan import plan
from tasks.report import conclusion, final_state, progress_artifact, report

# Prefect titles each parameter by its name; only what is extra overrides that.
_PROVIDERS = Field(json_schema_extra={"title": "Provider", "enum": [*sorted(shipped_profiles()), None]})


@flow(name="campaign", flow_run_name=run_name, validate_parameters=True, on_failure=[name_the_end])
async def campaign(
    batch: Annotated[str, BeforeValidator(str), Field(json_schema_extra={"title": "Batch"})],
    rehearse: Annotated[bool, Field(json_schema_extra={"title": "Rehearse"})] = False,
    budget: Annotated[float | None, Field(json_schema_extra={"title": "Budget"}, gt=0)] = None,
    provider: Annotated[str | None, _PROVIDERS] = None,
    out: Annotated[str | None, Field(json_schema_extra={"title": "Output folder"})] = None,
    in_flight: Annotated[int | None, Field(json_schema_extra={"title": "Jobs in flight"}, ge=1, le=10_000)] = None,
    per_minute: Annotated[float | None, Field(json_schema_extra={"title": "Submissions a minute"}, gt=0)] = None,
    limit: Annotated[int | None, Field(json_schema_extra={"title": "At most so many jobs"}, ge=1)] = None,
    only: Annotated[list[str] | None, Field(json_schema_extra={"title": "Only these jobs"})] = None,
    advanced: Annotated[AdvancedOptions, Field(json_schema_extra={"title": "Advanced"})] = AdvancedOptions(),
) -> State[CampaignResult]:
    """Make every video of a batch file. Running it again resumes, and never pays twice.

    Args:
        batch: The batch file: a path, an s3:// or https:// address, or the text of a CSV file.
        rehearse: Send everything to the embedded sandbox. Nothing is paid.
        budget: The most that may be spent, in the currency of the prices.
        provider: For rows that name none.
        out: Where videos and manifest go. Relative to the Variable reelbatch_root, where there is one.
        in_flight: Jobs at each provider at once.
        per_minute: To each provider.
        limit: The first that are not done.
        only: By id or pattern, such as hero-*.
        advanced: What few need.

    Returns:
        What the campaign came to: `await campaign(...)` gives the CampaignResult.

    Raises:
        AttentionNeeded: a person must look: rows failed, are in doubt or wait, or the budget ended it. It has the result.
        ReelbatchError: the campaign could not begin; nothing was sent.
    """
    send_logs()
    options = await chosen_here(
        RunOptions.of(
            advanced,
            rehearse=rehearse,
            budget=None if budget is None else str(budget),
            provider=provider,
            out=out,
            in_flight=in_flight,
            per_minute=per_minute,
            limit=limit,
            only=tuple(only or ()),
        )
    )
    planned = await plan(batch, options)
    refuse_temporary(planned, options)
    refuse_uncapped(planned, options)
    kept = await accounts_in_blocks()
    async with (
        shared_limits(options) as limits,
        open_run(planned, options, kept, limits) as run,
        noted_flow_run(run),
        stop_requests(run),
    ):
        await tag_run(run)
        async with progress_artifact(run):
            await within_grace(run, generate_all(run))
        await catalogue()
        await report()
        result = await conclusion(run)
    await until_prefect_listens()
    return final_state(result) if result.stopped is None else await stopped_state(result)
