"""`reelbatch deploy`: a batch becomes a deployment in a Prefect server, run by schedule or by a button."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import (
    Again,
    AsJson,
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    Cron,
    Fallback,
    Faults,
    InFlight,
    Interval,
    Latency,
    Limit,
    Only,
    Out,
    PerMinute,
    PollEvery,
    ProfileFiles,
    ProviderName,
    Rehearse,
    Speed,
    Timezone,
    TrustHost,
    WaitForProvider,
    Yes,
)

NAME = "deploy"


def command(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Batch file, or its https:// or s3:// address.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the deployment. Default: that of the batch.")] = None,
    cron: Cron = None,
    interval: Interval = None,
    timezone: Timezone = "UTC",
    work_pool: Annotated[
        str | None, typer.Option("--work-pool", help="Whose workers run it. Default: `reelbatch serve` does.")
    ] = None,
    overlap: Annotated[
        str, typer.Option("--overlap", help="A run is due while one is going on: queue, skip or allow it.")
    ] = "queue",
    occurrences: Annotated[
        str, typer.Option("--occurrences", help="each: every tick is made anew. once: what is made stays made.")
    ] = "each",
    notify: Annotated[
        list[str] | None,
        typer.Option("--notify", help="Address of Apprise that is told how runs end. May be given again."),
    ] = None,
    out: Out = None,
    provider: ProviderName = None,
    fallback: Fallback = None,
    profiles: ProfileFiles = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    yes: Yes = False,
    again: Again = False,
    in_flight: InFlight = None,
    per_minute: PerMinute = None,
    only: Only = None,
    limit: Limit = None,
    poll_every: PollEvery = None,
    trust_hosts: TrustHost = None,
    wait_for_provider: WaitForProvider = 600.0,
    rehearse: Rehearse = False,
    faults: Faults = None,
    speed: Speed = None,
    latency: Latency = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a batch: it runs by schedule, by a button in Prefect, or by a program. The same name again updates it."""
    given = locals()  # the names of its choices are those of `RunOptions`
    from flows.command_line.deploy_batch import deploy_batch
    from flows.command_line.talk import print_json
    from pipelines.run.options import chosen_options

    made = deploy_batch(
        batch,
        chosen_options(given),
        name=name,
        cron=cron,
        interval=interval,
        pool=work_pool,
        overlap=overlap,
        notify=tuple(notify or ()),
        uncapped=yes,
    )
    if as_json:
        print_json(made)
