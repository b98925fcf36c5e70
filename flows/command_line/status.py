"""`reelbatch status`: where everything stands, from the ledger."""

from __future__ import annotations

from dataclasses import replace

from flows.command_line.arguments import AsJson, OutputFolder
from flows.command_line.talk import print_json

NAME = "status"


def command(folder: OutputFolder, as_json: AsJson = False) -> None:
    """Show where everything stands: counts, money, and what needs a person. Works while a run is going on."""
    from flows.command_line.tables import status_table
    from pipelines.ledger import views
    from pipelines.ledger.ledger import LedgerReader, ledger_in

    reader = LedgerReader(ledger_in(folder))
    overview = replace(reader.read(views.overview), running=reader.is_being_written())
    if as_json:
        print_json(overview.as_dict())
    else:
        status_table(folder, overview)
