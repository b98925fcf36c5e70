"""`reelbatch plan`: read, expand, validate and price, without touching the network."""

from __future__ import annotations

from flows.command_line.arguments import AsJson, BatchFile, Fallback, Occurrence, ProfileFiles, ProviderName
from flows.command_line.talk import print_json, show_warnings

NAME = "plan"


def command(
    batch: BatchFile,
    provider: ProviderName = None,
    fallback: Fallback = None,
    profile: ProfileFiles = None,
    occurrence: Occurrence = None,
    as_json: AsJson = False,
) -> None:
    """Read, expand, validate and price a batch. Sends nothing; prints every problem at once."""
    from flows.command_line.tables import plan_table
    from pipelines.pricing.budget import budget_currency, shortfall
    from pipelines.pricing.estimate import estimate
    from pipelines.pricing.plan_hash import plan_hash
    from pipelines.run.batch_file import read_for_run
    from pipelines.run.options import chosen_options

    given = {"provider": provider, "fallback": fallback, "profiles": profile}
    notes, planned = read_for_run(batch, chosen_options(given | {"occurrence": occurrence}))
    jobs, budget = planned.jobs, planned.budget
    short = () if budget.max is None else shortfall(jobs, budget.max, budget_currency(jobs, budget.currency))
    warnings = (*notes, *short)
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
                "warnings": [str(warning) for warning in warnings],
            }
        )
    else:
        plan_table(planned, estimated)
