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
) -> None:
    """Take jobs out of the counts, of `status`, `ls` and the gallery. Deletes nothing; `ls --all` shows them."""
    import asyncio

    from pipelines.actions.archive import archive_jobs
    from pipelines.core.text.counts import counted

    new = asyncio.run(archive_jobs(folder, ids))
    say(f"{counted(len(new), 'job')} archived. Nothing was deleted.")
