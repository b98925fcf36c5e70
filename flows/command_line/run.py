"""`reelbatch run`: the main job. The same command again resumes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command_line.arguments import AsJson, BatchFile, Fallback, ProfileFiles, ProviderName
from flows.command_line.talk import say, show_warnings

if TYPE_CHECKING:
    from pipelines.run.options import RunOptions

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
    options = _options(given, {"faults": faults, "speed": speed, "latency": latency})
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


def _options(given: dict[str, Any], of_a_rehearsal: dict[str, Any]) -> RunOptions:
    """The choices of this run.

    Raises:
        SetupError: one makes no sense, or is a rehearsal's while this is to be a run that costs money.
    """
    from pydantic import ValidationError

    from pipelines.core.errors import SetupError
    from pipelines.run.options import RunOptions

    chosen = {name: value for name, value in of_a_rehearsal.items() if value is not None}
    if chosen and not given["rehearse"]:
        names = ", ".join(f"--{name}" for name in chosen)
        raise SetupError(
            f"Only a rehearsal has {names}, and this run would be paid for. Add --rehearse, or leave out {names}."
        )
    try:
        return RunOptions.model_validate(given | chosen)
    except ValidationError as error:
        first = error.errors()[0]
        said = "Write a number such as 2.50" if first["type"] == "decimal_parsing" else first["msg"]
        raise SetupError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {said}.") from None
