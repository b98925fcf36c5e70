"""`reelbatch archive`: take rows out of the counts."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import OutputFolder
from flows.command_line.talk import say

NAME = "archive"


def command(
    folder: OutputFolder,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Jobs.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask where money is open.")] = False,
) -> None:
    """Take jobs out of the counts, of `status`, `ls` and the gallery. Deletes nothing; asks where money is open on one."""
    import asyncio

    from flows.command_line.consent import ask_first
    from pipelines.actions.archive import archive_jobs, open_of, open_words
    from pipelines.core.text.counts import counted

    if found := open_of(folder, ids):
        say(open_words(found))
        ask_first("Archive them all the same?", yes=yes)
    new = asyncio.run(archive_jobs(folder, ids, open_too=bool(found)))
    say(f"{counted(len(new), 'job')} archived. Nothing was deleted.")
