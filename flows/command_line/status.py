"""`reelbatch status`: where everything stands, from the ledger."""

from __future__ import annotations

from dataclasses import replace

from flows.command_line.arguments import AsJson, OutputFolder
from flows.command_line.talk import print_json

NAME = "status"


def command(folder: OutputFolder, as_json: AsJson = False) -> None:
    """Show where everything stands: counts, money, and what needs a person. Works while a run is going on."""
    from flows.command_line.tables import case_table, status_table
    from pipelines.catalogue.attention import cases
    from pipelines.ledger import views
    from pipelines.ledger.ledger import LedgerReader, ledger_in
    from pipelines.run.output_folder import is_rehearsal

    reader = LedgerReader(ledger_in(folder))
    shown = reader.path.parent
    overview = replace(reader.read(views.overview), running=reader.is_being_written())
    urgent = any(status.meaning.needs_person for status in overview.counts)
    waiting = reader.read(lambda connection: cases(views.records(connection))) if urgent else []
    if as_json:
        more = {
            "folder": str(shown),
            "rehearsal": is_rehearsal(shown),
            "attention": [case.as_dict() for case in waiting],
        }
        print_json(overview.as_dict() | more)
    else:
        status_table(shown, overview, rehearsed=is_rehearsal(shown))
        case_table(shown, waiting)
