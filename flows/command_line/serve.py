"""`reelbatch serve`: this machine runs what was deployed without a work pool."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import (
    Budget,
    BudgetPerDay,
    BudgetPerMonth,
    Cron,
    Interval,
    ProfileFiles,
    ProviderName,
    Rehearse,
    Timezone,
    Yes,
)
from flows.command_line.talk import say

NAME = "serve"


def command(
    batches: Annotated[
        list[str] | None, typer.Argument(metavar="[BATCH]...", help="Deploy these first, each under its own name.")
    ] = None,
    cron: Cron = None,
    interval: Interval = None,
    timezone: Timezone = "UTC",
    provider: ProviderName = None,
    profile: ProfileFiles = None,
    budget: Budget = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    yes: Yes = False,
    rehearse: Rehearse = False,
) -> None:
    """Run deployments on this machine, by their schedules and by hand, until Ctrl-C: those without a work pool."""
    import asyncio
    import os
    import socket
    import sys

    from flows.command_line.deploy_batch import deploy_batch
    from flows.deployments.prefect_home import POOL, check_server, find_pool
    from pipelines.run.options import chosen_options

    url = asyncio.run(check_server())
    caps = {"budget": budget, "budget_per_day": budget_per_day, "budget_per_month": budget_per_month}
    given = {"provider": provider, "profiles": profile, "rehearse": rehearse, "timezone": timezone}
    options = chosen_options(given | caps)
    for batch in batches or ():
        deploy_batch(
            batch,
            options,
            name=None,
            cron=cron,
            interval=interval,
            pool=None,
            overlap="queue",
            notify=(),
            uncapped=yes,
        )
    asyncio.run(find_pool(None))
    say(f"Serving deployments of {url} on this machine. Ctrl-C ends it; schedules wait until it is started again.")
    worker = (
        "worker",
        "start",
        "--pool",
        POOL,
        "--type",
        "process",
        "--name",
        f"reelbatch serve on {socket.gethostname()}",
    )
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "prefect", *worker])  # noqa: S606 - this process becomes a worker of Prefect
