"""`reelbatch status`: where everything stands, from the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command_line.arguments import AsJson, OutputFolder
from flows.command_line.talk import print_json, say, show_warnings

NAME = "status"


def command(
    folder: OutputFolder,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="COLUMN", help="Add up by a column of the manifest, such as provider, or one of your own."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show where everything stands: counts, money, and what needs a person. Works while a run is going on."""
    import asyncio

    from flows.command_line.tables import case_table, status_table, sums_table
    from pipelines.actions.known_batch import refresh_after_a_kill
    from pipelines.actions.overview import campaign_overview
    from pipelines.core.errors import SetupError, UploadFailed
    from pipelines.ledger.ledger import LedgerReader, ledger_in

    found = campaign_overview(folder, by)
    try:
        if asyncio.run(refresh_after_a_kill(LedgerReader(ledger_in(folder)))):
            say("A run had ended before it could write the catalogue: manifest and gallery are written anew.")
    except (SetupError, UploadFailed) as error:
        show_warnings((f"Manifest and gallery are older than the ledger, and cannot be written anew: {error}",))
    if as_json:
        print_json(found.as_dict())
        return
    status_table(found)
    if found.by is not None:
        sums_table(found.by, found.groups)
    case_table(found.folder, found.attention)
