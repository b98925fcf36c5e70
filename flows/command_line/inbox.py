"""`reelbatch inbox`: each batch file that is dropped is made once, and filed."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from flows.command_line.arguments import BudgetPerDay, BudgetPerMonth, ProviderName
from flows.command_line.talk import say

NAME = "inbox"


def command(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder or bucket prefix, such as s3://studio/inbox.")],
    once: Annotated[bool, typer.Option("--once", help="Take what is there and whole, and leave.")] = False,
    budget: Annotated[float | None, typer.Option("--budget", help="The most that one file may cost.")] = None,
    budget_per_day: BudgetPerDay = None,
    budget_per_month: BudgetPerMonth = None,
    yes: Annotated[bool, typer.Option("--yes", help="A file may cost any amount.")] = False,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Use the embedded sandbox; nothing is paid.")] = False,
    out: Annotated[
        str | None, typer.Option("--out", help="Each batch has a folder below it. Default: outputs in the inbox.")
    ] = None,
    provider: ProviderName = None,
    in_flight: Annotated[int | None, typer.Option("--in-flight", help="Jobs at each provider at once.")] = None,
    per_minute: Annotated[float | None, typer.Option("--per-minute", help="Submissions a minute.")] = None,
    every: Annotated[
        float, typer.Option("--every", min=0.1, help="Seconds between looks; a file that stays so long is whole.")
    ] = 5.0,
) -> None:
    """Make each new batch file exactly once by its content, and file it: done, refused (with a report), failed or seen."""
    import asyncio

    from flows.command_line.driving import quiet_prefect
    from pipelines.core.remote_folder import folder_named, shown_place
    from pipelines.inbox.place import InboxPlace
    from pipelines.inbox.watch import check_cap, root_of
    from pipelines.run.options import chosen_options

    given = {"rehearse": rehearse, "budget": None if budget is None else str(budget), "provider": provider}
    caps = {"budget_per_day": budget_per_day, "budget_per_month": budget_per_month}
    check_cap(chosen_options(given | caps | {"in_flight": in_flight, "per_minute": per_minute}), yes=yes)
    place = InboxPlace(folder)
    parameters = {
        "folder": folder,
        "rehearse": rehearse,
        "budget": budget,
        "yes": yes,
        "provider": provider,
        "out": shown_place(root_of(place, None if out is None else folder_named(out))),
        "in_flight": in_flight,
        "per_minute": per_minute,
        "once": once,
        **caps,
        "every": every,
    }
    with quiet_prefect():
        code = asyncio.run(_watch(parameters))
    raise typer.Exit(code)


async def _watch(parameters: dict[str, Any]) -> int:
    import logging

    from flows.command_line.driving import all_is_loaded, listen_for_signals
    from flows.command_line.prefect_api import prefect_api
    from pipelines.run.exit_code import ALL_DONE, INTERRUPTED, SOME_FAILED
    from pipelines.run.observers import SAID
    from pipelines.run.run import RunContext, run_context

    context = RunContext()
    run_context.set(context)

    def ask() -> None:
        if context.stop.is_set():  # the first Ctrl-C takes nothing more and ends the file in hand; the second leaves
            os._exit(INTERRUPTED)
        context.stop.set()
        if context.run is not None:
            context.run.interrupt()

    listen_for_signals(context, ask)
    terminal = logging.StreamHandler()
    logging.getLogger(SAID).addHandler(terminal)
    try:
        async with prefect_api(say):
            from flows.inbox import inbox  # takes its time, while the server comes up

            all_is_loaded()
            say(f"Watching {parameters['folder']}. Videos go to {parameters['out']}.")
            found: Any = await inbox(**parameters)
    finally:
        logging.getLogger(SAID).removeHandler(terminal)
    say(f"{found.words}.")
    return INTERRUPTED if context.stop.is_set() else ALL_DONE if found.good else SOME_FAILED
