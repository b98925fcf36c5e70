"""`reelbatch ls`: the jobs of a run, one a line."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, OutputFolder
from flows.command_line.talk import print_json

NAME = "ls"


def command(
    folder: OutputFolder,
    wanted: Annotated[
        str | None, typer.Option("--status", help="Only jobs of this status, such as done or failed.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also archived jobs, and rows that were removed from the file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a run, one a line."""
    from flows.command_line.tables import job_table
    from pipelines.actions.listing import list_jobs, rows_as_dicts

    rows = list_jobs(folder, wanted, everything=everything)
    if as_json:
        print_json(rows_as_dicts(rows))
    else:
        job_table(rows)
