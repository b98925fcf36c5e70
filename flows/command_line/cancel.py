"""`reelbatch cancel`: stop the run that works on an output folder."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, OutputFolder, ProfileFiles
from flows.command_line.talk import print_json, say

NAME = "cancel"


def command(
    folder: OutputFolder,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has stopped.")] = True,
    at_provider: Annotated[
        bool,
        typer.Option(
            "--at-provider", help="Then ask providers to make no more of what they have, where they take that."
        ),
    ] = False,
    profile: ProfileFiles = None,
    as_json: AsJson = False,
) -> None:
    """Stop the run of a folder in order: it submits nothing more, and writes its catalogue. To go on, run it again."""
    import asyncio

    from pipelines.actions.cancel import PATIENCE_S, call_off, cancel_run
    from pipelines.core.text.counts import counted, first_of
    from pipelines.run.exit_code import UNFINISHED
    from pipelines.run.options import RunOptions

    if at_provider and not wait:
        raise typer.BadParameter("--at-provider waits until the run has stopped: leave out --no-wait.")

    found = cancel_run(
        folder,
        patience_s=PATIENCE_S if wait else 0.0,
        told=lambda owner: say(f"Asked {owner} to stop. It submits nothing more."),
    )
    off = None
    if at_provider and found.stopped:
        off = asyncio.run(call_off(folder, RunOptions(profiles=tuple(profile or ()))))
    if as_json:
        asked = None if found.asked is None else {"host": found.asked.host, "pid": found.asked.pid}
        told = {"folder": str(found.folder), "asked": asked, "stopped": found.stopped}
        print_json(told if off is None else told | {"at_provider": off.as_dict()})
    elif found.asked is None:
        say(f"No run is going on in {found.folder}.")
    elif found.stopped:
        say("It has stopped. To go on, run the same command again: nothing is paid twice.")
    elif wait:
        say(f"It has not stopped within {PATIENCE_S:.0f} s: an order or a download is still open. It will.")
    if off is not None and not as_json:
        for job_id, why in off.left.items():
            say(f"left: {job_id}: {why}")
        if off.asked:
            say(
                f"Asked to make no more of {counted(len(off.asked), 'job')}: {first_of(off.asked)}. `reelbatch collect DIR` "
                "says what became of each, and what it costs."
            )
        elif not off.left:
            say("Nothing is at a provider.")
    if (wait and not found.stopped) or (off is not None and off.left):
        raise typer.Exit(UNFINISHED)
