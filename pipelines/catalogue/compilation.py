"""The whole catalogue of an output folder, derived from the ledger and rebuildable from it at any time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.batch import Batch
from pipelines.catalogue.done_copy import by_row, write_done_copy, write_failed_rows
from pipelines.catalogue.failed_rows import failed_rows
from pipelines.catalogue.gallery.page import write_gallery
from pipelines.catalogue.gallery.thumbnails import write_thumbnails
from pipelines.catalogue.manifest import write_manifest
from pipelines.catalogue.manifest_row import ManifestRow
from pipelines.core.image import shown
from pipelines.core.job import Order
from pipelines.ledger import views
from pipelines.ledger.balances import balances
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.views import JobRecord
from pipelines.outputs.storage.local_disk import disk_errors


async def write_catalogue(
    ledger: Ledger, batch: Batch, folder: Path, *, title: str | None = None, rehearsed: bool = False
) -> int:
    """Write manifest, done copy, failed rows, thumbnails and gallery. Each file is replaced whole or not at all.

    Args:
        ledger: of the output folder.
        batch: whose jobs are in it.
        folder: the output folder.
        title: what the gallery is headed by; None: the batch's name.
        rehearsed: nothing was paid.

    Returns:
        How many rows the manifest has.

    Raises:
        DiskFull: no space; calling again once there is some makes up for it.
        SetupError: the folder cannot be written.
    """
    with disk_errors(folder / "manifest.jsonl", shared=True):
        return await _write(ledger, batch, folder, title or batch.name, rehearsed=rehearsed)


async def _write(ledger: Ledger, batch: Batch, folder: Path, title: str, *, rehearsed: bool) -> int:
    records, money = await ledger.write(lambda connection: (list(views.records(connection)), balances(connection)))
    rows = manifest_rows(records)
    current = [row for row, record in zip(rows, records, strict=True) if record.in_batch]

    def write_files() -> None:
        write_manifest(folder, rows, batch.columns)
        table = batch.table
        cells = [table.texts(index) for index in range(len(table.rows))]
        write_done_copy(folder, batch.path.name, table.header, cells, by_row(current), table.dialect)
        write_failed_rows(folder, *failed_rows(batch, records), table.dialect)

    await asyncio.to_thread(write_files)
    await write_thumbnails(folder, rows)
    await asyncio.to_thread(write_gallery, folder, title, rows, money, rehearsed=rehearsed)
    return len(rows)


def manifest_rows(records: Iterable[JobRecord]) -> list[ManifestRow]:
    """The ledger's records as rows of the manifest."""
    return [_row(record) for record in records]


def _row(record: JobRecord) -> ManifestRow:
    job, order = record.job, record.job.order
    output: dict[str, Any] = record.output or {}
    media: dict[str, Any] = output.get("media") or {}
    return ManifestRow(
        id=job.id,
        row=job.row,
        campaign=job.campaign,
        take=job.take,
        status=record.status,
        provider=order.provider,
        model=order.model,
        prompt=order.prompt,
        prompt_sha256=hashlib.sha256(order.prompt.encode("utf-8", "surrogatepass")).hexdigest(),
        params=_params(order),
        task_id=record.provider_job_id,
        trace_id=record.trace_id,
        attempts=record.attempts,
        submitted_at=record.submitted_at,
        completed_at=record.completed_at,
        downloaded_at=record.downloaded_at,
        url_expires_at=record.url_expires_at,
        duration_s=media.get("duration_s"),
        width=media.get("width"),
        height=media.get("height"),
        fps=media.get("fps"),
        has_audio=media.get("has_audio"),
        bytes=output.get("bytes"),
        sha256=output.get("sha256"),
        path=output.get("path"),
        source_host=output.get("source_host"),
        cost_estimated=job.cost_estimated,
        cost_actual=record.cost_actual,
        currency=job.currency,
        billed=record.billed,
        error_code=record.error_code,
        error_message=record.error_message,
        failed_stage=record.failed_stage,
        flags=(*record.flags, *(f"also:{clip['path']}" for clip in output.get("more", []))),
        tags=job.tags,
        own=job.own,
    )


def _params(order: Order) -> dict[str, Any]:
    """Everything that was ordered besides provider, model and prompt, as far as it was said."""
    values = order.model_dump(mode="json", exclude={"provider", "model", "prompt", "extra"}, exclude_none=True)
    values["image_urls"] = [shown(reference) for reference in order.image_urls]
    return {name: value for name, value in values.items() if value not in ("", [])} | order.extra
