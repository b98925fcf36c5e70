"""`reelbatch cancel`: stop the run that works on an output folder."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, OutputFolder
from flows.command_line.talk import print_json, say

NAME = "cancel"


def command(
    folder: OutputFolder,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has stopped.")] = True,
    as_json: AsJson = False,
) -> None:
    """Stop the run of a folder in order: it submits nothing more, and writes its catalogue. To go on, run it again."""
    from pipelines.actions.cancel import PATIENCE_S, cancel_run
    from pipelines.run.exit_code import UNFINISHED

    found = cancel_run(
        folder,
        patience_s=PATIENCE_S if wait else 0.0,
        told=lambda owner: say(f"Asked {owner} to stop. It submits nothing more."),
    )
    if as_json:
        asked = None if found.asked is None else {"host": found.asked.host, "pid": found.asked.pid}
        print_json({"folder": str(found.folder), "asked": asked, "stopped": found.stopped})
    elif found.asked is None:
        say(f"No run is going on in {found.folder}.")
    elif found.stopped:
        say("It has stopped. To go on, run the same command again: nothing is paid twice.")
    elif wait:
        say(f"It has not stopped within {PATIENCE_S:.0f} s: an order or a download is still open. It will.")
    if wait and not found.stopped:
        raise typer.Exit(UNFINISHED)
