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
    as_json: AsJson = False,
) -> None:
    """List the jobs of a run, one a line."""
    from flows.command_line.tables import job_table
    from pipelines.catalogue.compilation import manifest_rows
    from pipelines.catalogue.manifest_row import exact_values, own_names
    from pipelines.core.errors import SetupError
    from pipelines.core.status import JobStatus
    from pipelines.ledger import views
    from pipelines.ledger.ledger import LedgerReader, ledger_in

    if wanted is not None and wanted not in set(JobStatus):
        raise SetupError(f"There is no status {wanted!r}. Known: {', '.join(JobStatus)}.")
    rows = manifest_rows(LedgerReader(ledger_in(folder)).read(lambda connection: list(views.records(connection))))
    rows = [row for row in rows if wanted is None or row.status == wanted]
    if as_json:
        print_json([exact_values(row, own_names(tuple(row.own))) for row in rows])
    else:
        job_table(rows)
