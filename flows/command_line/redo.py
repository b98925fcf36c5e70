"""`reelbatch redo`: a new take of a row that has ended."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import (
    AsJson,
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    JobId,
    OutputFolder,
    ProfileFiles,
    Yes,
)
from flows.command_line.talk import say, say_taken_up

NAME = "redo"


def command(
    folder: OutputFolder,
    job_id: JobId,
    prompt: Annotated[str | None, typer.Option("--prompt", help="Another prompt. Default: the same.")] = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    yes: Yes = False,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Buy a new take of a job that is done, or has ended without a clip; its price first. The old file stays.

    While a run goes on in the folder, that run makes it, within its own caps.
    """
    import asyncio

    from flows.command_line.consent import ask_first
    from flows.command_line.driving import drive
    from pipelines.actions.redo import begin_redo, plan_redo, redo_in_run
    from pipelines.run.options import chosen_options

    caps = {"budget": budget, "budget_per_day": budget_per_day, "budget_per_month": budget_per_month}
    options = chosen_options(caps | {"profiles": profile})
    plan = plan_redo(folder, job_id, prompt, options)
    price = plan.new.price_words or "an unknown price"
    paid = " Rehearsed: nothing is paid." if plan.rehearsal else ""
    order = plan.new.order
    say(f"New take {plan.new.id} of {job_id} at {order.provider}, {order.model}: {price}.{paid}")
    if order.fingerprint() != plan.old.order.fingerprint():
        say(f"Not as it was bought: {order.prompt}")
    ask_first("Buy it?", yes=yes or plan.rehearsal or budget is not None, instead="--yes or --budget")
    if (run := asyncio.run(redo_in_run(plan, options))) is not None:
        say_taken_up(plan.as_dict(), run, as_json=as_json)
        return
    batch, options = asyncio.run(begin_redo(plan, options))
    raise typer.Exit(drive(batch, options, as_json=as_json, agreed=True))
