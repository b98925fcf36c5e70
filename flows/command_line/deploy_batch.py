"""Deploying a batch from the command line: everything is checked before Prefect hears of it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.command_line.talk import say, show_warnings
from flows.deployed_run import root_variable
from flows.deployments.deploying import deploy
from flows.deployments.notifications import check_addresses
from flows.deployments.prefect_home import POOL, check_server, find_pool
from flows.deployments.schedules import OVERLAPS, schedule_of
from pipelines.batch import Batch
from pipelines.core.errors import BatchError, SetupError
from pipelines.core.occurrence import occurrence_at
from pipelines.core.text.amounts import price_text
from pipelines.core.text.counts import counted
from pipelines.pricing.budget import budget_currency, shortfall
from pipelines.pricing.estimate import estimate
from pipelines.run.accounts import profiles_of
from pipelines.run.batch_file import is_remote, local_batch, read_for_run
from pipelines.run.options import RunOptions


def deploy_batch(
    batch: str,
    options: RunOptions,
    *,
    name: str | None,
    cron: str | None,
    interval: float | None,
    pool: str | None,
    overlap: str,
    notify: tuple[str, ...],
    uncapped: bool,
) -> dict[str, Any]:
    """Check a batch and its options, and make a deployment of them. Says what was made.

    Args:
        batch: a path, or an address.
        options: of every run.
        name: of the deployment; None: that of the batch.
        cron: when it runs.
        interval: seconds between runs, instead.
        pool: the work pool whose workers run it; None: `reelbatch serve` does.
        overlap: queue, skip or allow.
        notify: addresses of Apprise.
        uncapped: it may spend without a cap.

    Raises:
        BatchError: with all problems of the batch at once.
        SetupError: something else is not as it must be. Nothing was deployed then.
    """
    schedule = schedule_of(cron, interval, options.timezone)
    if overlap not in OVERLAPS:
        raise SetupError(f"--overlap {overlap}: write one of {', '.join(OVERLAPS)}.")
    check_addresses(notify)
    ticks = schedule is not None and options.occurrences == "each"
    planned, tick = _planned(batch, options, ticks=ticks)
    options = capped(planned, options, uncapped=uncapped)
    name = name or planned.name
    if re.search(r"[/%&><\x00-\x1f]", name) or not name.strip():
        raise SetupError(f"--name {name!r}: Prefect takes no name with one of / % & < > in it.")
    asyncio.run(check_server())
    if is_remote(batch) and not options.rehearse and not options.out and not asyncio.run(root_variable()):
        raise SetupError(
            "A batch at an address has no folder beside it for its clips. Give --out an absolute path, or set the "
            "Prefect Variable reelbatch_root to a folder that stays."
        )
    made = asyncio.run(
        _deploy(
            batch if is_remote(batch) else str(planned.path.absolute()),
            options,
            name=name,
            pool=pool,
            schedule=schedule,
            overlap=overlap,
            providers=planned.profiles,
            notify=notify,
        )
    )
    when = "by hand" if schedule is None else "by schedule"
    for line in _words(
        made, planned, when, cap=_cap_words(options, ticks=ticks), needs_keys=not options.rehearse, tick=tick
    ):
        say(line)
    return made


def capped(batch: Batch, options: RunOptions, *, uncapped: bool) -> RunOptions:
    """Name the cap of each run of a deployment: `--budget`, or that of the batch file as it is now. Pure.

    Raises:
        SetupError: it would spend without one, and nobody has agreed to that.
    """
    if options.rehearse or options.budget is not None:
        return options
    if batch.budget.max is not None:
        return options.model_copy(update={"budget": batch.budget.max})
    if uncapped:
        return options
    raise SetupError(
        f"Every run of this deployment would spend money ({_price(batch)} as planned now), and nobody is there to ask. "
        "Name the most that a run may spend with --budget, agree to none with --yes, or try it with --rehearse."
    )


def _planned(batch: str, options: RunOptions, *, ticks: bool) -> tuple[Batch, str | None]:
    """Read the batch as a run would, for the occurrence of now where each tick is one.

    Returns:
        The batch; and the occurrence that a run by hand must name, because it cannot be planned without any.
    """
    path, tick = asyncio.run(local_batch(batch, None)) if is_remote(batch) else Path(batch), None
    if ticks:
        tick = occurrence_at(datetime.now(UTC).replace(second=0), options.timezone).words
        options = options.model_copy(update={"occurrence": tick})
    notes, planned = read_for_run(path, options)
    short: tuple[object, ...] = ()
    if options.budget is not None:
        short = shortfall(planned.jobs, options.budget, budget_currency(planned.jobs, planned.budget.currency))
    show_warnings((*notes, *short))
    return planned, tick if ticks and not _is_plannable(path, options) else None


def _is_plannable(path: Path, options: RunOptions) -> bool:
    """Tell whether a batch can be read without an occurrence: nothing in it names `{{ date }}` or `{{ occurrence }}`."""
    try:
        read_for_run(path, options.model_copy(update={"occurrence": None}))
    except BatchError:
        return False
    return True


async def _deploy(batch: str, options: RunOptions, *, pool: str | None, **more: Any) -> dict[str, Any]:
    return await deploy(batch, options, pool=await find_pool(pool), **more)


def _price(batch: Batch) -> str:
    found = estimate(batch.jobs, batch.profiles)
    words = ", ".join(price_text(amount, currency) for currency, amount in found.totals.items()) or "no known price"
    return f"{words} (assumed)" if found.assumed and found.totals else words


def _cap_words(options: RunOptions, *, ticks: bool) -> str:
    """What is the most that is paid, and for what: a cap is of a folder, and so of all runs that go on with it. Pure."""
    if options.rehearse:
        return "rehearsed, nothing is paid"
    if options.budget is None:
        return "without a cap"
    return f"at most {options.budget} " + ("for each tick, and for all runs by hand" if ticks else "over all its runs")


def _words(made: dict[str, Any], batch: Batch, when: str, *, cap: str, needs_keys: bool, tick: str | None) -> list[str]:
    """What was made, and what a person does next. Pure."""
    jobs = counted(sum(job.enabled for job in batch.jobs), "video")
    runner = "`reelbatch serve` on this machine" if made["work_pool"] == POOL else f"workers of {made['work_pool']}"
    keys = sorted({profile.key_names[0] for profile in profiles_of(batch).values() if profile.needs_key})
    needs = f", with {', '.join(keys)} in its environment" if keys and needs_keys else ""
    named = "" if tick is None else f""" -p advanced='{{"occurrence": "{tick}"}}'"""
    return [
        f"{'Updated' if made['updated'] else 'Deployed'} {made['name']}: {jobs}, {_price(batch)} a run; {cap}.",
        f"It runs {when}, by {runner}{needs}. Now: prefect deployment run '{made['name']}'{named}",
    ]
