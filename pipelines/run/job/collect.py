"""The last stretch of a job: its clip is fetched, measured against the order, and recorded as done."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from logging import ERROR, WARNING
from pathlib import Path

from pipelines.core.errors import (
    AddressRefused,
    KeyRefused,
    LinkExpired,
    NotAVideo,
    OutputError,
    ProviderError,
    TransportError,
)
from pipelines.core.job import Job
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import outcomes
from pipelines.outputs import Clip, Source, bring_home, changed_orders, differences, settle
from pipelines.pacing.back_off import delay
from pipelines.pacing.waits import sleep_unless
from pipelines.providers.protocol import Link, Phase, Progress
from pipelines.run.provider_session import Lane
from pipelines.run.run import Run

_TRIES = 5
_NOTE_AFTER_S = 1.0
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


async def bring_job_home(job: Job, progress: Progress, lane: Lane, run: Run) -> None:
    """Fetch the clips of a finished job, soonest expiry first among all jobs, and record it as done.

    Raises:
        OutputError: the clip is paid for and cannot be had now; it stays `ready`, and calling again goes on.
        DiskFull: no space; it stays `ready`.
    """
    expires_at = _expiry(progress, job, lane)
    run.move(job, replace(run.standing[job.id], status=JobStatus.READY, url_expires_at=expires_at))
    noted = run.later(_NOTE_AFTER_S, _note_ready(job, progress, run))
    try:
        async with run.downloads.place(priority=(expires_at or _LAST).timestamp()):
            clips = [await _fetch(job, number, progress, lane, run) for number in range(len(progress.links))]
    except LinkExpired as error:
        await _expired(job, error, lane, run)
        return
    except AddressRefused as error:
        await run.ledger.write(outcomes.parked, job.id, stage="download", code="address_refused", message=str(error))
        run.move(job, run.standing[job.id].but(JobStatus.PARKED))
        run.tally.say(f"{job.id}: parked: {error}", WARNING)
        return
    finally:
        noted.cancel()
    await _record(job, progress, clips, lane, run)


async def _note_ready(job: Job, progress: Progress, run: Run) -> None:
    """Write down that the job is paid and ready.

    A download that takes a moment only needs no such note: after a crash the next run asks the provider again.
    """
    if run.standing[job.id].status is JobStatus.READY:
        expires_at = run.standing[job.id].url_expires_at
        await run.ledger.write(outcomes.ready, job.id, completed_at=progress.completed_at, url_expires_at=expires_at)


async def _record(job: Job, progress: Progress, clips: list[Clip | None], lane: Lane, run: Run) -> None:
    here = [clip for clip in clips if clip is not None]
    if len(here) < len(clips):  # the run ends; the next one goes on
        await _note_ready(job, progress, run)
        return
    output = _output(here[0], run.folder)
    if here[1:]:
        output["more"] = [_output(clip, run.folder) for clip in here[1:]]
    await run.ledger.write(
        outcomes.done,
        job.id,
        output=output,
        flags=_flags(job, progress, here[0], lane),
        completed_at=progress.completed_at,
        url_expires_at=run.standing[job.id].url_expires_at,
    )
    for number in range(len(here)):
        settle(run.folder / "videos", _numbered(job.filename, number), _attempt(job, run))
    run.move(job, run.standing[job.id].but(JobStatus.DONE))


async def _fetch(job: Job, number: int, progress: Progress, lane: Lane, run: Run) -> Clip | None:
    """Download one clip of a job, again after faults that pass. None: the run ends first."""
    link = progress.links[number]
    for tried in range(_TRIES):
        if run.stop.is_set():
            return None
        try:
            return await bring_home(
                run.http,
                Source(
                    link.url,
                    lane.provider.key_header() if link.needs_key else None,
                    link.expires_at,
                    lane.provider.trusted,
                ),
                folder=run.folder / "videos",
                filename=_numbered(job.filename, number),
                attempt=_attempt(job, run),
            )
        except (LinkExpired, NotAVideo) as error:
            fresh = await _fresh_link(job, number, lane, run)
            if isinstance(error, LinkExpired) and _is_over(fresh, link):
                raise
            link = fresh or link
            last: OutputError = error
        except OutputError as error:
            if not error.passes:
                raise
            last = error
        await sleep_unless(run.stop, delay(tried, base_s=1.0 / run.time_scale, cap_s=30.0 / run.time_scale))
    raise last


async def _fresh_link(job: Job, number: int, lane: Lane, run: Run) -> Link | None:
    """What the provider says now; status queries sign links anew."""
    remote = run.standing[job.id].remote
    assert remote is not None
    try:
        progress = await lane.provider.check(remote)
    except (ProviderError, TransportError, KeyRefused):
        return None
    usable = progress.phase is Phase.SUCCEEDED and number < len(progress.links)
    return progress.links[number] if usable else None


def _is_over(fresh: Link | None, used: Link) -> bool:
    """Whether an expired link is the last word: the provider gives the same one, and its time has passed."""
    if fresh is None or fresh.url != used.url:
        return False
    return fresh.expires_at is not None and fresh.expires_at < datetime.now(UTC)


async def _expired(job: Job, error: LinkExpired, lane: Lane, run: Run) -> None:
    """Paid and gone, said loudly; or, where the expiry is not sure, parked for the next run."""
    expires_at = run.standing[job.id].url_expires_at
    if expires_at is None or expires_at > datetime.now(UTC):
        await run.ledger.write(outcomes.parked, job.id, stage="download", code="link_refused", message=str(error))
        run.move(job, run.standing[job.id].but(JobStatus.PARKED))
        run.tally.say(f"{job.id}: parked: {error}", WARNING)
        return
    name = lane.provider.profile.name
    await run.ledger.write(
        outcomes.failed,
        job.id,
        status=JobStatus.EXPIRED,
        stage="download",
        code="expired",
        message=f"the link expired before the clip was fetched: {error}",
        billed=Billed.YES,
    )
    run.move(job, run.standing[job.id].but(JobStatus.EXPIRED))
    run.tally.say(f"{job.id}: PAID AND EXPIRED at {name}: its link ended and no new one is given.", ERROR)


def _expiry(progress: Progress, job: Job, lane: Lane) -> datetime | None:
    """When the first link ends: as the link says, or as the vendor's documents say of its own service."""
    known = [link.expires_at for link in progress.links if link.expires_at is not None]
    hours = lane.provider.profile.timing_of(job.order).link_lifetime_hours if lane.vendor_links else None
    if known or hours is None:
        return min(known, default=None)
    return (progress.completed_at or datetime.now(UTC)) + timedelta(hours=hours)


def _flags(job: Job, progress: Progress, clip: Clip, lane: Lane) -> tuple[str, ...]:
    order, profile = job.order, lane.provider.profile
    sound = any(mode.sound for mode in profile.modes if mode.name == order.mode)
    measured = differences(
        clip.media, seconds=order.seconds, pixels=order.pixels(), orientation=order.orientation, audio=sound
    )
    said = changed_orders(
        seconds=order.seconds, size=order.size, said_seconds=progress.seconds, said_size=progress.size
    )
    fewer = ("fewer_clips",) if len(progress.links) < profile.clips_of(order) else ()
    renamed = ("renamed",) if clip.path.name != Path(job.filename).name else ()
    return (*measured, *said, *fewer, *renamed)


def _output(clip: Clip, folder: Path) -> dict[str, object]:
    return {
        "path": clip.path.relative_to(folder).as_posix(),
        "bytes": clip.bytes,
        "sha256": clip.sha256,
        "media": asdict(clip.media),
        "source_host": clip.source_host,
    }


def _numbered(filename: str, number: int) -> str:
    """`clip.mp4`, and `clip-2.mp4` for the second clip of the same job."""
    return filename if number == 0 else f"{filename.removesuffix('.mp4')}-{number + 1}.mp4"


def _attempt(job: Job, run: Run) -> str:
    """Names the part file: the same in every run that fetches the same paid clip."""
    return hashlib.sha256((run.standing[job.id].provider_job_id or job.id).encode()).hexdigest()[:12]
