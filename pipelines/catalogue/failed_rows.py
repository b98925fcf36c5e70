"""The jobs that have surely ended without a clip, each as a row of a batch that stands for itself. Pure.

Whoever runs `failed.csv` buys all that is in it, in a folder and a ledger of its own. So a job is in it only where
nothing of the old purchase can still come or be charged for, a row asks for one take and no more, and what the batch
file, the command line or the provider decided by default is written out. The user's own cells stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.batch.batch import Batch
from pipelines.batch.columns.names import CANONICAL, canonical_name, normalised
from pipelines.batch.files.document import Value
from pipelines.core.image import local_path
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.core.text.escaping import harmless
from pipelines.ledger.views import JobRecord

#: What counts whatever the user's cell says: a row of theirs may have several takes, and name files beside it.
_OURS = frozenset({"id", "takes", "filename", "image_url", "remix_of"})

#: The same for a remix of a clip that is there: it is made where that clip was made, of what that clip is.
_OF_THE_CLIP = frozenset({"provider", "model", "seconds", "size", "orientation", "fallback"})


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One job to order again, and why."""

    cells: tuple[str, ...]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What was decided of a job, as the cells of a batch file say it; only what there is to say."""

    canonical: Mapping[str, str]
    own: Mapping[str, str]  # by normalised name
    decisive: frozenset[str]  # canonical names where it counts whatever the user's cell says


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the new file, and where the user's file has it."""

    written: str
    meaning: str | None  # the canonical name; None: the user's own
    place: int | None  # None: the user's file does not have it

    def cell(self, row: Sequence[Value], resolved: _Resolved) -> str:
        """What stands in it: the user's own words where they said something that counts, else what was decided."""
        written = row[self.place] if self.place is not None else None
        if self.meaning == "takes":
            return "1"
        if self.meaning in resolved.decisive:
            return resolved.canonical.get(self.meaning or "", "")
        if isinstance(written, str) and written.strip():
            return written
        decided = resolved.own if self.meaning is None else resolved.canonical
        said = decided.get(self.meaning or normalised(self.written))
        if said is not None:
            return said
        return written if isinstance(written, str) else " ".join(written or ())


def failed_rows(batch: Batch, records: Sequence[JobRecord]) -> tuple[tuple[str, ...], list[FailedRow]]:
    """The header and the rows of a batch of what failed, in the order of the user's file.

    Args:
        batch: as it was planned; a job that turned to a fallback is written as the user asked for it.
        records: what became of its jobs.
    """
    known = {record.job.id: record for record in records if record.counts}
    jobs = {job.id: job for job in batch.jobs if job.id in known}
    failed = {name: job for name, job in jobs.items() if _is_surely_ended(job, jobs, known)}
    resolved = {name: _resolved(job, batch, failed, known) for name, job in failed.items()}
    columns = list(_columns(batch, list(resolved.values())))
    rows = [
        FailedRow(
            tuple(column.cell(batch.table.rows[job.row - 1], resolved[name]) for column in columns),
            known[name].error_code or "",
            known[name].error_message or "",
        )
        for name, job in failed.items()
    ]
    return tuple(column.written for column in columns), rows


def _is_surely_ended(job: Job | None, jobs: Mapping[str, Job], known: Mapping[str, JobRecord]) -> bool:
    """Also a job that was skipped because its parent is one of these; not one that is switched off."""
    while job is not None:
        record = known[job.id]
        if record.status is not JobStatus.SKIPPED:
            # Not one that expired: that clip was made and paid for, and whether to pay once more is for a person to say.
            # A clip that was made and could not be fetched is paid for, like one that has expired.
            return record.status.meaning.failed and record.status.meaning.editable and record.failed_stage != "download"
        if record.error_code is None:
            return False
        job = jobs.get(job.parent or "")
    return False


def _resolved(job: Job, batch: Batch, failed: Mapping[str, Job], known: Mapping[str, JobRecord]) -> _Resolved:
    parent = known.get(job.parent) if job.parent and job.parent not in failed else None
    clip = parent.provider_job_id if parent else None
    order = job.order if clip is None else known[job.id].job.order
    # A picture is named by its full path: the new batch file lies in another folder.
    pictures = [
        reference if (path := local_path(reference)) is None else str((batch.path.parent / path).absolute())
        for reference in order.image_urls
    ]
    said = {
        "prompt": order.prompt,
        "id": job.id,
        "filename": job.filename if job.filename != f"{job.id}.mp4" else None,
        "provider": order.provider,
        "model": order.model,
        # A provider may take the next three as parameters of its own.
        "seconds": order.seconds if order.seconds is not None else order.extra.get("seconds"),
        "size": order.size or order.extra.get("size"),
        "orientation": order.orientation or order.extra.get("orientation"),
        "image_url": " | ".join(pictures),
        "character_url": order.character_url,
        "character_start": order.character_start,
        "character_end": order.character_end,
        "remix_of": harmless(clip) if clip else order.remix_of,  # as its provider named it: there is no such row here
        "fallback": ", ".join(f"{choice.order.provider}:{choice.order.model}" for choice in job.fallbacks),
        "tags": ", ".join(job.tags),
        "campaign": job.campaign,
    }
    # What `defaults` say of parameters is not meant for a remix, which inherits them.
    own = job.own if order.remix_of is None else {}
    return _Resolved(
        {name: str(value) for name, value in said.items() if value not in (None, "")},
        {normalised(name): text for name, text in own.items() if text},
        _OURS if clip is None else _OURS | _OF_THE_CLIP,
    )


def _columns(batch: Batch, resolved: Sequence[_Resolved]) -> Iterator[_Column]:
    """The user's columns in their order, then those of ours and of theirs that only `defaults` and the like fill."""
    theirs = {normalised(name) for name in batch.columns}
    header = [
        _Column(name, None if normalised(name) in theirs else canonical_name(name), place)
        for place, name in enumerate(batch.table.header)
    ]
    yield from header
    filled = {name for one in resolved for name in one.canonical} - {column.meaning for column in header}
    yield from (_Column(name, name, None) for name in CANONICAL if name in filled)
    filled = {name for one in resolved for name in one.own} - {normalised(column.written) for column in header}
    yield from (_Column(name, None, None) for name in batch.columns if normalised(name) in filled)
