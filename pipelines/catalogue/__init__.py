"""What the user takes away: manifest, their own file back, gallery. Derived from the ledger; knows no provider."""

from __future__ import annotations

from pipelines.catalogue.done_copy import by_row, write_done_copy, write_failed_rows
from pipelines.catalogue.failed_rows import FailedRow, failed_rows
from pipelines.catalogue.gallery.page import write_gallery
from pipelines.catalogue.gallery.thumbnails import poster_name, write_thumbnails
from pipelines.catalogue.manifest import write_manifest
from pipelines.catalogue.manifest_row import COLUMNS, ManifestRow

__all__ = [
    "COLUMNS",
    "FailedRow",
    "ManifestRow",
    "by_row",
    "failed_rows",
    "poster_name",
    "write_done_copy",
    "write_failed_rows",
    "write_gallery",
    "write_manifest",
    "write_thumbnails",
]
