"""`reelbatch run`: the main job. The same command again resumes."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from flows.command_line.arguments import (
    Again,
    AsJson,
    BatchFile,
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    Fallback,
    Faults,
    InFlight,
    InsecureCallbacks,
    Latency,
    LedgerAt,
    Limit,
    Occurrence,
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
)
from flows.command_line.talk import say, show_warnings

NAME = "run"


def command(
    batch: BatchFile,
    out: Out = None,
    provider: ProviderName = None,
    fallback: Fallback = None,
    profiles: ProfileFiles = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    in_flight: InFlight = None,
    per_minute: PerMinute = None,
    only: Only = None,
    limit: Limit = None,
    poll_every: PollEvery = None,
    ledger: LedgerAt = None,
    callback_url: Annotated[
        str | None,
        typer.Option("--callback-url", help="Where providers reach the receiver of callbacks; see docs/callbacks.md."),
    ] = None,
    callback_listen: Annotated[
        str | None, typer.Option("--callback-listen", help="HOST:PORT on which this run receives callbacks itself.")
    ] = None,
    insecure_callbacks: InsecureCallbacks = False,
    occurrence: Occurrence = None,
    timezone: Timezone = "UTC",
    plan: Annotated[
        str | None, typer.Option("--plan", help="Run only if inputs and prices are as in the plan with this hash.")
    ] = None,
    trust_hosts: TrustHost = None,
    wait_for_provider: WaitForProvider = 600.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; buy without a cap if none is set.")] = False,
    again: Again = False,
    rehearse: Rehearse = False,
    faults: Faults = None,
    speed: Speed = None,
    latency: Latency = None,
    as_json: AsJson = False,
) -> None:
    """Make every video of a batch file, and catalogue them. The same command again resumes and pays for nothing twice."""
    given = locals()  # the names of its choices are those of `RunOptions`
    gc.disable()  # until all is read and loaded: see `all_is_loaded`
    from flows.command_line.driving import drive
    from pipelines.batch import own_columns_words
    from pipelines.pricing.plan_hash import check_plan
    from pipelines.run.batch_file import read_for_run
    from pipelines.run.options import chosen_options

    options = chosen_options(given)
    notes, planned = read_for_run(batch, options)
    show_warnings(notes)
    if planned.kept:
        say(own_columns_words(planned.kept))
    check_plan(planned.jobs, plan)
    raise typer.Exit(drive(planned, options, as_json=as_json, agreed=yes or plan is not None))
