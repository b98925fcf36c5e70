"""The inbox flow: each batch file that is dropped into a folder or a bucket is made once, and filed."""

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
from flows.subcampaign import make_campaign
from pipelines.inbox.memory import InboxMemory
from pipelines.inbox.place import InboxPlace
from pipelines.inbox.result import InboxResult, inbox_result
from pipelines.inbox.watch import InboxWatch, check_cap, home_of, root_of
from pipelines.run.options import RunOptions
from pipelines.run.run import handed_over


@flow(name="inbox", flow_run_name="inbox {folder}", validate_parameters=True)
async def inbox(
    folder: Annotated[str, Field(json_schema_extra={"title": "Inbox"})],
    rehearse: Annotated[bool, Field(json_schema_extra={"title": "Rehearse"})] = False,
    budget: Annotated[float | None, Field(json_schema_extra={"title": "Budget of each file"}, gt=0)] = None,
    yes: Annotated[bool, Field(json_schema_extra={"title": "Any amount"})] = False,
    provider: Annotated[str | None, Field(json_schema_extra={"title": "Provider"})] = None,
    out: Annotated[str | None, Field(json_schema_extra={"title": "Root of the outputs"})] = None,
    in_flight: Annotated[int | None, Field(json_schema_extra={"title": "Jobs in flight"}, ge=1, le=10_000)] = None,
    per_minute: Annotated[float | None, Field(json_schema_extra={"title": "Submissions a minute"}, gt=0)] = None,
    once: Annotated[bool, Field(json_schema_extra={"title": "Look once"})] = True,
    every: Annotated[float, Field(json_schema_extra={"title": "Seconds between looks"}, gt=0)] = 5.0,
    budget_per_day: Annotated[float | None, Field(json_schema_extra={"title": "Budget of a day"}, ge=0)] = None,
    budget_per_month: Annotated[float | None, Field(json_schema_extra={"title": "Budget of a month"}, ge=0)] = None,
) -> State[InboxResult]:
    """Make each new batch file of an inbox exactly once by its content, and file it as done, refused, failed or seen.

    Args:
        folder: A folder, or a prefix of a bucket such as s3://studio/inbox.
        rehearse: Send everything to the embedded sandbox. Nothing is paid.
        budget: The most that one file may cost, in the currency of the prices.
        yes: A file may cost any amount.
        provider: For rows that name none.
        out: Each batch has a folder below it. Default: the Variable reelbatch_root, or outputs in the inbox.
        in_flight: Jobs at each provider at once.
        per_minute: To each provider.
        once: Take what is there and whole, and end. Else watch on.
        every: A file is whole when it has not changed for so long.
        budget_per_day: The most that all campaigns together may spend in a day (UTC).
        budget_per_month: The same for a month.

    Returns:
        What was taken, when it was to look once: `await inbox(...)` gives the InboxResult.

    Raises:
        SetupError: neither a budget nor a yes, or the inbox cannot be opened. Nothing was sent.
    """
    send_logs()
    options = RunOptions(
        rehearse=rehearse,
        budget=None if budget is None else str(budget),  # as it was typed
        provider=provider,
        in_flight=in_flight,
        per_minute=per_minute,
        budget_per_day=budget_per_day,
        budget_per_month=budget_per_month,
    )
    check_cap(options, yes=yes)
    place = InboxPlace(folder)
    named = await root_here(out)  # that of deployments, which the command line does not ask about
    root = root_of(place, None if out is None and named == Path.cwd() else named)
    if (context := handed_over()) is not None and context.begun is not None:
        context.begun()
    with InboxMemory(home_of(place, root), rehearsed=rehearse) as memory:
        watch = InboxWatch(place, memory, root, options, make_campaign, whole_after_s=every)
        filed = await watch.once() if once else await watch.until_stopped()
    result = inbox_result(filed)
    return Completed(message=result.words, data=result)
