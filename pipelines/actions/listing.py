"""The jobs of a campaign as rows of the manifest, all of them or those of one status."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.catalogue.load import own_columns
from pipelines.catalogue.manifest_row import AS_TEXT, COLUMNS, ManifestRow, manifest_row, own_names
from pipelines.core.errors import SetupError
from pipelines.core.status import JobStatus
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import did_you_mean
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, is_rehearsal, ledger_in


def status_named(words: str) -> JobStatus:
    """The status of a name, as it is written in the manifest or as people read it, in any case.

    Raises:
        SetupError: there is none; the message names the nearest.
    """
    name = "_".join(words.replace("_", " ").replace("-", " ").casefold().split())
    if name not in set(JobStatus):
        raise SetupError(f"There is no status {quoted(words, 40)}. {did_you_mean(name, JobStatus)}")
    return JobStatus(name)


def list_jobs(folder: Path, status: str | None = None, *, everything: bool = False) -> list[ManifestRow]:
    """List the jobs of a campaign, in the order of the batch file. Works while a run is going on.

    Args:
        folder: the output folder.
        status: only jobs of this one, as `status_named` reads it.
        everything: those as well that a person has taken out of the counts, or that the file does not name any more.

    Raises:
        SetupError: there is no such status.
        LedgerError: the folder has no ledger that can be read.
    """
    wanted = None if status is None else status_named(status)
    reader = LedgerReader(ledger_in(folder))
    records = reader.read(lambda connection: list(views.records(connection)))
    shown = (record for record in records if everything or (record.in_batch and not record.archived))
    rehearsed = is_rehearsal(reader.folder)
    return [manifest_row(record, rehearsed=rehearsed) for record in shown if wanted in (None, record.status)]


def rows_as_dicts(rows: Sequence[ManifestRow]) -> list[dict[str, Any]]:
    """Rows for machines, as `manifest.jsonl` has them, each with those of the user's own columns that it fills."""
    names, found = own_names(own_columns(rows)), []
    for row in rows:
        values = {name: getattr(row, name) for name in COLUMNS}
        values |= {name: text(values[name]) for name, text in AS_TEXT.items() if values[name] is not None}
        found.append(values | {names[column]: text for column, text in row.own.items()})
    return found
