"""Files of ours that can be read as a batch: the done copy and `failed.csv`. They lie beside their ledger, and that knows whose they are.

The index of purchases is of one user on one machine; this holds for whoever finds such a file, wherever that is.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from pipelines.batch import Batch
from pipelines.core.errors import BoughtBefore, LedgerError
from pipelines.core.remote_folder import shown_place
from pipelines.ledger.ledger import LedgerReader, is_rehearsal
from pipelines.ledger.storage.place import LEDGER_NAME, PLACE_NOTE, TRACE, place_remembered
from pipelines.ledger.storage.schema import batch as batch_table
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import output_folder

DONE_SUFFIX, FAILED_NAME = ".done.csv", "failed.csv"
_CONSENT = "--again (advanced.again in Prefect)"


def refusal_of_own_copy(batch: Batch, options: RunOptions) -> BoughtBefore | None:
    """Say why a batch file is not to be bought: a campaign has written it, into its own folder. None: it may be.

    Not where the run goes on in that very folder, whose ledger knows each row, nor where a person has agreed.
    """
    if options.again or options.rehearse:
        return None
    path = batch.path.resolve()
    folder, is_failed = path.parent, path.name == FAILED_NAME
    named_by_us = is_failed or path.name.endswith(DONE_SUFFIX)
    if not named_by_us or output_folder(batch, options).resolve() == folder or is_rehearsal(folder):
        return None
    if not any((folder / name).exists() for name in (LEDGER_NAME, PLACE_NOTE, TRACE)):
        return None
    originals = _originals(folder, path)
    if originals is None:  # the ledger does not say: nothing is bought of what may be bought already
        return BoughtBefore(_words(path, None, is_failed=is_failed))
    mine = [each for each in originals if is_failed or f"{each.stem or 'batch'}{DONE_SUFFIX}" == path.name]
    return BoughtBefore(_words(path, mine[0], is_failed=is_failed)) if mine else None


def _originals(folder: Path, copy: Path) -> list[Path] | None:
    """The batch files of a folder but for the copy, the newest first. None: its ledger is lost, or cannot be read."""
    try:
        place = place_remembered(folder)
        known = None if place is None else LedgerReader(place).read(_registered_paths)
    except LedgerError:
        return None
    return None if known is None else [path for path in known if path.resolve() != copy]


def _registered_paths(connection: Connection) -> list[Path]:
    newest_first = select(batch_table.c.path).order_by(batch_table.c.read_at.desc())
    return list(dict.fromkeys(Path(path) for path in connection.execute(newest_first).scalars()))


def _words(copy: Path, original: Path | None, *, is_failed: bool) -> str:
    folder = shown_place(copy.parent)
    whose = f"the campaign in {folder}" + ("" if original is None else f", whose batch file is {original}")
    go_on = "Run the batch file of that campaign" if original is None else f"Run {original}"
    if is_failed:
        return (
            f"{copy} has what has failed of {whose}. Nothing was sent. `reelbatch retry {folder}` runs it again; where a row must "
            f"ask for something else, change it in the batch file of that campaign. To order it apart from that, copy the "
            f"file to another folder, or add {_CONSENT}."
        )
    return (
        f"{copy} is the done copy of {whose}: its rows are bought there. Nothing was sent. {go_on} to go on with what is "
        f"there; to buy its rows once more, add {_CONSENT}."
    )
