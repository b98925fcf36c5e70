"""`reelbatch retry`: run again what failed for a passing reason."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from flows.command_line.arguments import (
    Again,
    AsJson,
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    Only,
    OutputFolder,
    ProfileFiles,
    Yes,
)
from flows.command_line.talk import print_json, say, say_taken_up

if TYPE_CHECKING:
    from pipelines.actions.retry import RetryPlan

NAME = "retry"


def command(
    folder: OutputFolder,
    only: Only = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    yes: Yes = False,
    again: Again = False,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Run again what failed for a reason that passes, its price first. Says which rows it leaves, and why.

    While a run goes on in the folder, that run makes them, within its own caps.
    """
    import asyncio

    from flows.command_line.consent import ask_first
    from flows.command_line.driving import drive
    from pipelines.actions.retry import begin_retry, plan_retry, retry_in_run
    from pipelines.run.exit_code import ALL_DONE
    from pipelines.run.options import chosen_options

    caps = {"budget": budget, "budget_per_day": budget_per_day, "budget_per_month": budget_per_month}
    options = chosen_options(caps | {"profiles": profile, "again": again})
    plan = plan_retry(folder, only or (), options)
    _show(plan)
    if not plan.ids:
        if as_json:
            print_json(plan.as_dict())
        say("Nothing is run again.")
        raise typer.Exit(ALL_DONE)
    ask_first("Run them again?", yes=yes or plan.rehearsal or budget is not None, instead="--yes or --budget")
    if (run := asyncio.run(retry_in_run(plan, options))) is not None:
        say_taken_up(plan.as_dict(), run, as_json=as_json)
        return
    batch, options = asyncio.run(begin_retry(plan, options))
    raise typer.Exit(drive(batch, options, as_json=as_json, agreed=True))


def _show(plan: RetryPlan) -> None:
    from pipelines.core.text.amounts import assumed_text, price_text
    from pipelines.core.text.counts import counted, first_of

    for row in plan.left:
        say(f"left: {row.id}: {row.why}")
    if plan.unended_words:
        say(plan.unended_words)
    if not plan.ids:
        return
    prices = [
        f"{price_text(amount, currency)}{assumed_text(amount, plan.assumed.get(currency, Decimal(0)))}"
        for currency, amount in plan.cost.items()
    ]
    if plan.unpriced:
        prices.append(f"{plan.unpriced:,} of unknown price")
    paid = " Rehearsed: nothing is paid." if plan.rehearsal else ""
    remixes = f" and {counted(len(plan.with_them), 'remix')} of them" if plan.with_them else ""
    say(f"Run again: {first_of(plan.ids)}{remixes}, for at most {', '.join(prices)}.{paid}")
    if plan.uncertain:
        uncertain = ", ".join(price_text(amount, currency) for currency, amount in plan.uncertain.items())
        say(f"Up to {uncertain} may have been charged for them already; that stays uncertain, and counts.")
