"""Where a campaign stands: counts, money, what needs a person, and sums by any column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.catalogue.load import frame_of_records
from pipelines.catalogue.report import Case, cases
from pipelines.catalogue.sums import GroupSum, sums_by
from pipelines.core.remote_folder import shown_place
from pipelines.ledger import views
from pipelines.ledger.balances import payments
from pipelines.ledger.clips import clips_at_home
from pipelines.ledger.ledger import LedgerReader, is_rehearsal, ledger_in
from pipelines.ledger.set_aside import NotCounted, not_counted
from pipelines.ledger.snapshot import Snapshot
from pipelines.outputs.storage.local_disk import not_there


@dataclass(frozen=True, slots=True)
class CampaignOverview:
    """Where the campaign of an output folder stands."""

    folder: Path  # of the ledger: that of the rehearsal where there was no other run
    counts: views.Overview
    rehearsal: bool  # nothing was paid
    attention: list[Case]
    aside: NotCounted = field(default_factory=NotCounted)  # what archived, replaced and removed jobs hold of the sums
    by: str | None = None
    groups: tuple[GroupSum, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)  # clips, by job, that were done and are not there any more

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        known = self.counts.as_dict() | {
            "folder": shown_place(self.folder),
            "rehearsal": self.rehearsal,
            "attention": [case.as_dict() for case in self.attention],
            "missing": [{"id": job_id, "path": path} for job_id, path in self.missing.items()],
            "not_counted": self.aside.as_dict(),
        }
        if self.by is not None:
            known["by"] = {"column": self.by, "groups": [group.as_dict() for group in self.groups]}
        return known


def campaign_overview(folder: Path, by: str | None = None) -> CampaignOverview:
    """Look where everything stands. Changes nothing, and works while a run is going on.

    Args:
        folder: the output folder.
        by: a column of the catalogue to add up by: of the manifest, or the user's own.

    Raises:
        LedgerError: the folder has no ledger that can be read.
        SetupError: there is no such column.
    """
    reader = LedgerReader(ledger_in(folder))
    found = CampaignOverview(
        folder=reader.folder,
        counts=replace(reader.read(views.overview), running=reader.is_being_written()),
        rehearsal=is_rehearsal(reader.folder),
        attention=[],
        missing=not_there(reader.folder, reader.read(clips_at_home)),
        aside=reader.read(not_counted),
    )
    urgent = any(status.meaning.needs_person for status in found.counts.counts) or found.counts.removed
    if by is None and not urgent:
        return found
    records, paid = reader.read(lambda connection: (Snapshot(connection), payments(connection)))
    found = replace(found, attention=cases(records))
    if by is None:
        return found
    return replace(found, by=by, groups=tuple(sums_by(frame_of_records(records, found.folder), by, paid)))
