"""The last stretch of a job: its clips are fetched, measured against the order, and recorded as done."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.core.errors import (
    AddressRefused,
    ClipRefused,
    KeyRefused,
    LinkExpired,
    NotAVideo,
    OutputError,
    ProviderError,
    TransportError,
)
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.outcome import Done, Failed, Parked, Ready
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.job_state import JobState
from pipelines.ledger.outcomes import Change
from pipelines.ledger.recovery import LINK_ENDED
from pipelines.outputs import Clip, ClipSource, bring_home, changed_orders, differences, settle
from pipelines.pacing.back_off import delay
from pipelines.pacing.waits import sleep_unless
from pipelines.providers.protocol import Link, Phase, Progress, Provider
from pipelines.run.job.upload import Home, upload
from pipelines.run.provider_session import ProviderSession
from pipelines.run.run import Run

_TRIES = 5
_NOTE_AFTER_S = 1.0  # a download that takes a moment only needs no note: after a crash the provider is asked again
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


async def collect_job(job: Job, progress: Progress, session: ProviderSession, run: Run) -> Change | None:
    """Fetch the clips of a finished job, soonest expiry first among all jobs, and record it as done.

    Raises:
        OutputError: the clip is paid for and cannot be had now; it stays `ready`, and calling again goes on.
        DiskFull: no space; calling again goes on.
    """
    record = partial(run.record, about=run.states[job.id].provider_job_id)
    expires_at = first_expiry(progress, job, session)
    trace_id = progress.trace_id if run.states[job.id].trace_id is None else None
    ready = Ready(progress.completed_at, expires_at, trace_id)
    failpoint("collect.begin")
    try:
        async with _noted(job, ready, record, run), run.downloads.slot(priority=(expires_at or _LAST).timestamp()):
            found = [
                await _fetch(job, number, session.provider, link, run) for number, link in enumerate(progress.links)
            ]
            homes = [] if None in found else [await upload(clip, run) for clip in found if clip is not None]
    except LinkExpired as error:
        return await record(job, outcome_of_refused_link(error, expires_at))
    except AddressRefused as error:
        return await record(job, Parked("download", "address_refused", str(error)))
    except ClipRefused as error:
        return await record(job, Parked("download", error.code, str(error)))
    except OutputError:
        await record(job, ready)
        raise
    if len(homes) < len(found):  # the run ends; the next one goes on
        return await record(job, ready)
    output = _output(homes[0], run.folder)
    if homes[1:]:
        output["more"] = [_output(home, run.folder) for home in homes[1:]]
    flags = flags_of(job, progress, homes[0].clip, session)
    change = await record(job, Done(output, flags, progress.completed_at, expires_at, trace_id, homes[0].storage_uri))
    failpoint("collect.recorded")
    for number in range(len(homes)):
        settle(run.folder / "videos", _numbered(job.filename, number), _part_id(job.id, run.states[job.id]))
    failpoint("collect.settled")
    return change


def settle_what_is_done(kept: Mapping[str, Sequence[Path]], states: Mapping[str, JobState]) -> None:
    """Take away what a run that was killed has kept for clips that it had recorded a moment before.

    Args:
        kept: files by attempt, as `unsettled` finds them.
        states: of every job, by id.
    """
    for job_id, state in states.items():
        if state.status is JobStatus.DONE:
            for path in kept.get(_part_id(job_id, state), ()):
                path.unlink(missing_ok=True)


@asynccontextmanager
async def _noted(
    job: Job, ready: Ready, record: Callable[[Job, Ready], Coroutine[Any, Any, Change]], run: Run
) -> AsyncIterator[None]:
    """Record that a job is ready if the block takes more than a moment. What it comes to is recorded after that."""
    notes: list[asyncio.Task[Change]] = []
    timer = asyncio.get_running_loop().call_later(_NOTE_AFTER_S, lambda: notes.append(run.begin(record(job, ready))))
    try:
        yield
    finally:
        timer.cancel()
        if notes:
            await asyncio.wait(notes)


async def _fetch(job: Job, number: int, provider: Provider, link: Link, run: Run) -> Clip | None:
    """Download one clip of a job, again after faults that pass. None: the run ends first."""
    for tried in range(_TRIES):
        if run.stop.is_set():
            return None
        try:
            key_header = provider.key_header() if link.needs_key else None
            return await bring_home(
                run.http,
                ClipSource(
                    provider.keyed(link.url) if link.needs_key else link.url,
                    key_header,
                    link.expires_at,
                    provider.trusted,
                    link.data,
                ),
                folder=run.folder / "videos",
                filename=_numbered(job.filename, number),
                attempt=_part_id(job.id, run.states[job.id]),
            )
        except (LinkExpired, NotAVideo) as error:
            fresh = await _fresh_link(job, number, provider, run)
            if isinstance(error, LinkExpired) and is_over(fresh, link, error.said_at):
                raise
            link = fresh or link
            last: OutputError = error
        except OutputError as error:
            if not error.passes:
                raise
            last = error
        await sleep_unless(run.stop, delay(tried, base_s=1.0 / run.time_scale, cap_s=30.0 / run.time_scale))
    raise last


async def _fresh_link(job: Job, number: int, provider: Provider, run: Run) -> Link | None:
    """Ask the provider what it says now; status queries sign links anew."""
    remote = run.states[job.id].remote
    assert remote is not None
    try:
        progress = await provider.check(remote)
    except (ProviderError, TransportError, KeyRefused):
        return None
    usable = progress.phase is Phase.SUCCEEDED and number < len(progress.links)
    return progress.links[number] if usable else None


def is_over(fresh: Link | None, used: Link, said_at: datetime | None) -> bool:
    """Tell whether an expired link is the last word: the provider gives the same one, and its time has passed."""
    return fresh is not None and fresh.url == used.url and has_ended(fresh.expires_at, said_at)


def has_ended(expires_at: datetime | None, said_at: datetime | None) -> bool:
    """Tell whether a link's time has passed by two clocks: ours, and that of the server that refuses it.

    One clock may be wrong by days; a paid clip is not given up on its word alone.
    """
    return expires_at is not None and said_at is not None and expires_at < min(said_at, datetime.now(UTC))


def outcome_of_refused_link(error: LinkExpired, expires_at: datetime | None) -> Failed | Parked:
    """Decide what a refused link means: paid and gone; or, where the expiry is not sure, a case for the next run."""
    if not has_ended(expires_at, error.said_at):
        return Parked("download", "link_refused", str(error))
    message = f"the link expired before the clip was fetched: {error}"
    return Failed("download", LINK_ENDED, message, Billed.YES, JobStatus.EXPIRED)


def first_expiry(progress: Progress, job: Job, session: ProviderSession) -> datetime | None:
    """When the first link ends: as the link says, or as the vendor's documents say of its own service."""
    known = [link.expires_at for link in progress.links if link.expires_at is not None]
    hours = session.provider.profile.timing_of(job.order).link_lifetime_hours if session.vendor_links else None
    if known or hours is None:
        return min(known, default=None)
    return (progress.completed_at or datetime.now(UTC)) + timedelta(hours=hours)


def flags_of(job: Job, progress: Progress, clip: Clip, session: ProviderSession) -> tuple[str, ...]:
    """Say how a clip differs from what was ordered, as flags of its manifest row."""
    order, profile = job.order, session.provider.profile
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


def _output(home: Home, folder: Path) -> dict[str, object]:
    clip = home.clip
    return {
        "path": clip.path.relative_to(folder).as_posix(),
        "bytes": clip.bytes,
        "sha256": clip.sha256,
        "media": asdict(clip.media),
        "source_host": clip.source_host,
        **({} if home.storage_uri is None else {"storage_uri": home.storage_uri}),
    }


def _numbered(filename: str, number: int) -> str:
    """Name a clip: `clip.mp4`, and `clip-2.mp4` for the second clip of the same job."""
    return filename if number == 0 else f"{filename.removesuffix('.mp4')}-{number + 1}.mp4"


def _part_id(job_id: str, state: JobState) -> str:
    """Name the part file: the same in every run that fetches the same paid clip."""
    return hashlib.sha256((state.provider_job_id or job_id).encode()).hexdigest()[:12]
