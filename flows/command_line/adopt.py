"""`reelbatch adopt`: take back the line of a payment that could not be recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.command_line.arguments import opened_folder
from flows.command_line.talk import say

NAME = "adopt"


def command(
    line: Annotated[
        str, typer.Argument(metavar="LINE", help="What the run said: the whole line, or its JSON. -: standard input.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="DIR", parser=opened_folder, help="The output folder, for a line that does not name it."
        ),
    ] = None,
) -> None:
    """Take back a line `PAID, AND NOT RECORDED ...`: its payment is written down, and its clip can be brought home."""
    import asyncio

    from pipelines.actions.adopt import adopt_line
    from pipelines.core.remote_folder import shown_place

    found = asyncio.run(adopt_line(sys.stdin.read() if line == "-" else line, folder))
    say(f"{shown_place(found.folder)}: {found.words}")
