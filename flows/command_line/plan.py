"""`reelbatch plan`: read, expand, validate and price, without touching the network."""

from __future__ import annotations

import gc

from flows.command_line.arguments import (
    AsJson,
    BatchFile,
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    Fallback,
    LedgerAt,
    Limit,
    Occurrence,
    Only,
    Out,
    ProfileFiles,
    ProviderName,
    Timezone,
)
from flows.command_line.talk import print_json, show_warnings

NAME = "plan"


def command(
    batch: BatchFile,
    out: Out = None,
    provider: ProviderName = None,
    fallback: Fallback = None,
    profiles: ProfileFiles = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    only: Only = None,
    limit: Limit = None,
    ledger: LedgerAt = None,
    occurrence: Occurrence = None,
    timezone: Timezone = "UTC",
    as_json: AsJson = False,
) -> None:
    """Read, expand, validate and price a batch. Sends nothing; prints every problem at once."""
    given = locals()  # the names of its choices are those of `RunOptions`
    gc.disable()  # it would look through 100,000 rows again and again: a fifth of the time
    from flows.command_line.tables import plan_table
    from pipelines.actions.prospect import prospect
    from pipelines.pricing.budget import shortfall
    from pipelines.pricing.estimate import estimate
    from pipelines.pricing.plan_hash import plan_hash
    from pipelines.run.batch_file import read_for_run
    from pipelines.run.opening import check_only
    from pipelines.run.options import chosen_options

    options = chosen_options(given)
    notes, planned = read_for_run(batch, options)
    check_only(planned, options)
    found = prospect(planned, options)
    room = found.room()
    warnings = (*notes, *(() if room is None else shortfall(found.new, room.left, room.currency, room.name)))
    show_warnings(warnings)
    estimated = estimate(planned.jobs, planned.profiles)
    if as_json:
        print_json(
            {
                "name": planned.name,
                "plan": plan_hash(planned.jobs),
                "source_sha256": planned.source_sha256,
                "own_columns": planned.kept,
                "jobs": [job.model_dump(mode="json") for job in planned.jobs],
                "estimate": estimated.model_dump(mode="json"),
                "run": found.as_dict(),
                "warnings": [str(warning) for warning in warnings],
            }
        )
    else:
        plan_table(planned, estimated, found)
