"""`reelbatch run`: the main job. The same command again resumes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, BatchFile, Fallback, ProfileFiles, ProviderName
from flows.command_line.talk import say, show_warnings

NAME = "run"


def command(
    batch: BatchFile,
    out: Annotated[Path | None, typer.Option("--out", help="Output folder. Default: outputs/<name>.")] = None,
    provider: ProviderName = None,
    fallback: Fallback = None,
    profile: ProfileFiles = None,
    budget: Annotated[str | None, typer.Option("--budget", help="The most that may be spent, such as 25.")] = None,
    in_flight: Annotated[int | None, typer.Option("--in-flight", help="Jobs at each provider at once.")] = None,
    per_minute: Annotated[float | None, typer.Option("--per-minute", help="Submissions a minute.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this job. May be given again.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Only the first so many unfinished jobs.")] = None,
    poll_every: Annotated[
        float | None, typer.Option("--poll-every", help="Seconds between status queries of a job. Default: learned.")
    ] = None,
    ledger: Annotated[str | None, typer.Option("--ledger", help="Another place for the ledger.")] = None,
    callback_url: Annotated[
        str | None, typer.Option("--callback-url", help="Address that providers are told to call. Polling goes on.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", help="Run only if inputs and prices are as in the plan with this hash.")
    ] = None,
    wait_for_provider: Annotated[
        float, typer.Option("--wait-for-provider", help="Seconds to wait for a provider that cannot be reached.")
    ] = 600.0,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Use the embedded sandbox; nothing is paid.")] = False,
    faults: Annotated[str | None, typer.Option("--faults", help="Rehearsal: a fault script. Default: none.")] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Rehearsal: how much faster than life. Default: 60.")
    ] = None,
    latency: Annotated[str | None, typer.Option("--latency", help="Rehearsal: seconds that a job takes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make every video of a batch file, and catalogue them. The same command again resumes and pays for nothing twice."""
    from flows.command_line.driving import drive
    from pipelines.batch import own_columns_words, read_batch
    from pipelines.pricing.plan_hash import check_plan
    from pipelines.providers.profile.load import find_profiles
    from pipelines.run.options import chosen_options

    given = {
        "out": out,
        "provider": provider,
        "fallback": tuple(fallback or ()),
        "profiles": tuple(profile or ()),
        "budget": budget,
        "in_flight": in_flight,
        "per_minute": per_minute,
        "poll_every": poll_every,
        "only": tuple(only or ()),
        "limit": limit,
        "ledger": ledger,
        "callback_url": callback_url,
        "wait_for_provider": wait_for_provider,
        "rehearse": rehearse,
    }
    options = chosen_options(given, {"faults": faults, "speed": speed, "latency": latency})
    known = find_profiles(options.profiles, beside=batch)
    elsewhere = known.elsewhere(os.environ)
    planned = read_batch(
        batch, provider=provider, fallback=options.fallback, profiles=known.profiles, elsewhere=elsewhere
    )
    show_warnings((*known.notes, *planned.warnings))
    if planned.kept:
        say(own_columns_words(planned.kept))
    check_plan(planned.jobs, plan)
    raise typer.Exit(drive(planned, options, as_json=as_json))
