"""`reelbatch run`: the main job. The same command again resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, BatchFile, Fallback, Occurrence, ProfileFiles, ProviderName
from flows.command_line.talk import say, show_warnings

NAME = "run"


def command(
    batch: BatchFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="Output folder. Default: outputs/<name> beside the batch.")
    ] = None,
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
    occurrence: Occurrence = None,
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
    from pipelines.batch import own_columns_words
    from pipelines.pricing.plan_hash import check_plan
    from pipelines.run.batch_file import read_for_run
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
        "occurrence": occurrence,
        "rehearse": rehearse,
    }
    options = chosen_options(given, {"faults": faults, "speed": speed, "latency": latency})
    notes, planned = read_for_run(batch, options)
    show_warnings(notes)
    if planned.kept:
        say(own_columns_words(planned.kept))
    check_plan(planned.jobs, plan)
    raise typer.Exit(drive(planned, options, as_json=as_json))
