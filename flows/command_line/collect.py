"""`reelbatch collect`: bring home what is paid for already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, ProfileFiles, TrustHost, opened_folder
from flows.command_line.talk import print_json, say, show_error

NAME = "collect"


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[DIR]",
            parser=opened_folder,
            help="An output folder, or one above several, or s3://bucket/folder. Default: this folder.",
        ),
    ] = Path(),
    profile: ProfileFiles = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="The ledger of DIR, if the run had it in another place.")
    ] = None,
    trust_host: TrustHost = None,
    as_json: AsJson = False,
) -> None:
    """Bring home every clip that is paid for and not on disk. Submits nothing, and needs no batch file."""
    import asyncio
    from dataclasses import asdict

    from flows.command_line.display import display
    from pipelines.actions.collect import Collected, campaigns_below, collect_folder, collect_or_say, recovered_words
    from pipelines.core.errors import SetupError
    from pipelines.core.remote_folder import shown_place
    from pipelines.run.exit_code import ALL_DONE, UNFINISHED
    from pipelines.run.options import chosen_options
    from pipelines.run.run import RunContext

    options = chosen_options({"profiles": profile, "ledger": ledger, "trust_hosts": trust_host})
    folders = [folder.absolute()] if ledger else campaigns_below(folder)
    if not folders:
        raise SetupError(f"There is no ledger in {shown_place(folder)} or below it. Give the output folder of a run.")
    collect = collect_folder if len(folders) == 1 else collect_or_say  # of several, one that is busy is left alone

    async def shown(place: Path) -> Collected:
        context = RunContext()
        with display(context.progress, plain=as_json) as (_, observe):
            context.observers = (observe,)
            return await collect(place, options, context)

    found = [asyncio.run(shown(each)) for each in folders]
    if as_json:
        print_json([asdict(each) | {"folder": shown_place(each.folder)} for each in found])
    else:
        for each in found:
            if each.run:
                say(f"{shown_place(each.folder)}: {each.run_words}")
            for reason in each.reasons:
                show_error(f"{shown_place(each.folder)}: {reason}")
        say(f"{recovered_words(found)}.")
    raise typer.Exit(UNFINISHED if any((each.left or each.reasons) and not each.run for each in found) else ALL_DONE)
