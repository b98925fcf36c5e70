"""Every file of a campaign against what its ledger says of it; what is missing or damaged is fetched again, if it can be."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipelines.actions.collect import collect_folder
from pipelines.actions.known_batch import refresh_after_a_kill
from pipelines.actions.persons_word import records_by_id, say_of_jobs, who
from pipelines.core.errors import LedgerOwned, SettlementRefused, SetupError
from pipelines.core.failpoints import failpoint
from pipelines.core.outcome import ClipGone
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import ACCEPTED, JobStatus
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, is_rehearsal, ledger_in
from pipelines.outputs.storage.object_store import ObjectStore, store_of
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import refuse_links

_LOOK_EVERY_S = 0.2
_PATIENCE_S = 120.0

BadCode = Literal["file_missing", "file_damaged"]


@dataclass(frozen=True, slots=True)
class BadClip:
    """A file that is not what the ledger says."""

    job_id: str
    path: str  # relative to the folder
    code: BadCode
    what: str
    set_aside: str | None = None  # where a damaged file lies now
    status: JobStatus = JobStatus.DONE  # of its job, at the end
    why: str = ""  # it could not be had again

    @property
    def whole_again(self) -> bool:
        """Whether it was fetched again."""
        return self.status is JobStatus.DONE and not self.why

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        known = {"id": self.job_id, "path": self.path, "code": self.code, "what": self.what}
        return known | {
            "set_aside": self.set_aside,
            "status": str(self.status),
            "whole_again": self.whole_again,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of looking at every file."""

    folder: Path
    files: int  # that were looked at
    bad: tuple[BadClip, ...] = ()

    @property
    def lost(self) -> tuple[BadClip, ...]:
        """What could not be had again."""
        return tuple(clip for clip in self.bad if not clip.whole_again)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"folder": shown_place(self.folder), "files": self.files, "bad": [clip.as_dict() for clip in self.bad]}


async def verify_folder(folder: Path, options: RunOptions | None = None) -> Verified:
    """Compare every file with its size and sha256, and fetch again what is missing or damaged while its link lives.

    A job whose file is gone is `ready` until it is back: paid for, and not home. A damaged file is set aside under another
    name, never overwritten. Of a folder in a bucket it is the files there that count; one of which the working folder has a
    whole copy is put back. While a run goes on, that run fetches it. Nothing is fetched for a rehearsal.

    Args:
        folder: the output folder.
        options: further profiles, and the pace.

    Raises:
        LedgerError: the folder has no ledger that can be read.
        SetupError: the folder cannot be written.
    """
    reader = LedgerReader(ledger_in(folder))
    place = reader.folder
    refuse_links(place)
    outputs = {
        name: record.output
        for name, record in records_by_id(reader).items()
        if record.status is JobStatus.DONE and record.output is not None and not record.archived
    }
    files, bad = await asyncio.to_thread(faults_in, place, outputs)
    if not bad:
        await refresh_after_a_kill(reader)
        return Verified(place, files)
    try:
        bad, gone = await _set_all_aside(place, bad, outputs)
        failpoint("verify.set_aside")
        with suppress(SettlementRefused):  # somebody else has found it out meanwhile
            await say_of_jobs(reader.place, gone)
        failpoint("verify.given_up")
        gone_ids = {job_id for job_id, _ in gone}  # what else is at a provider may take its time
        found = None if is_rehearsal(place) else await collect_folder(place, options, only=gone_ids)
    except LedgerOwned as error:
        return Verified(place, files, _left(bad, str(error)))
    why = "a rehearsal's: rehearse again, it costs nothing" if found is None else "; ".join(found.reasons)
    if found is not None and found.run:
        await _until_fetched(reader, gone_ids)
        why = "the run that goes on fetches it"
    return Verified(place, files, _as_they_stand(reader, bad, why))


def faults_in(place: Path, outputs: Mapping[str, Mapping[str, Any]]) -> tuple[int, list[BadClip]]:
    """Look at every file, and say how many there are, and which are not what they were.

    Args:
        place: the output folder.
        outputs: what the ledger says of the files, by job.
    """
    files, bad, store = 0, [], store_of(place)
    for job_id, output in outputs.items():
        for clip in _clips_of(output):
            files += 1
            found = _fault(place / clip["path"], clip) if store is None else _fault_in_bucket(store, clip)
            if found is not None:
                bad.append(BadClip(job_id, clip["path"], *found))
    return files, bad


def _clips_of(output: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield output
    yield from output.get("more", ())


def _fault(path: Path, clip: Mapping[str, Any]) -> tuple[BadCode, str] | None:
    """Say what is wrong with a file, or None. A link is never followed out of the folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return "file_missing", "there is no such file"
    except OSError as error:
        return "file_damaged", f"it cannot be read ({error.strerror})"
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != clip["bytes"]:
            return "file_damaged", f"it has {size:,} bytes, and had {clip['bytes']:,}"
        if hashlib.file_digest(file, "sha256").hexdigest() != clip["sha256"]:
            return "file_damaged", "its content has changed"
    return None


def _fault_in_bucket(store: ObjectStore, clip: Mapping[str, Any]) -> tuple[BadCode, str] | None:
    """The same of a file in a bucket, which is read whole."""
    found = store.digest(clip["path"])
    if found is None:
        return "file_missing", "there is no such file"
    if found[0] != clip["bytes"]:
        return "file_damaged", f"it has {found[0]:,} bytes, and had {clip['bytes']:,}"
    return None if found[1] == clip["sha256"] else ("file_damaged", "its content has changed")


async def _set_all_aside(
    place: Path, bad: list[BadClip], outputs: Mapping[str, Mapping[str, Any]]
) -> tuple[list[BadClip], list[tuple[str, ClipGone]]]:
    """Set damaged files aside.

    Returns:
        The same clips, with where they lie now; and what is to be said of their jobs: paid for, and not home.
    """
    store, aside, gone = store_of(place), list[BadClip](), list[BadClip]()
    for clip in bad:
        known = next(each for each in _clips_of(outputs[clip.job_id]) if each["path"] == clip.path)
        here = await asyncio.to_thread(_fault, place / clip.path, known)
        kept = None
        if store is not None and clip.code == "file_damaged":
            kept = await asyncio.to_thread(store.set_aside, clip.path)
        if here is not None and here[0] == "file_damaged":
            beside = _set_aside(place / clip.path).relative_to(place).as_posix()
            kept = kept or beside
        aside.append(replace(clip, set_aside=kept))
        if store is None or here is not None or await asyncio.to_thread(store.keep, clip.path) != clip.path:
            gone.append(clip)
    words, by = list[tuple[str, ClipGone]](), who()
    for clip in {clip.job_id: clip for clip in reversed(gone)}.values():
        lost = [{name: each[name] for name in ("path", "sha256")} for each in _clips_of(outputs[clip.job_id])]
        words.append((clip.job_id, ClipGone(clip.code, f"{clip.path}: {clip.what}", {"clips": lost}, by)))
    return aside, words


async def _until_fetched(reader: LedgerReader, job_ids: Iterable[str]) -> None:
    """Wait for a run that goes on to fetch clips, for a while."""
    end = time.monotonic() + _PATIENCE_S
    while reader.is_being_written() and time.monotonic() < end:
        states = reader.read(views.states)
        if not any(states[job_id].status in ACCEPTED for job_id in job_ids):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _set_aside(path: Path) -> Path:
    """Give a damaged file another name beside its own, that nothing has.

    Raises:
        SetupError: that cannot be done.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for number in range(100):
        free = path.with_name(f"{path.stem}.damaged-{stamp}{f'-{number}' if number else ''}{path.suffix}")
        if not os.path.lexists(free):
            try:
                path.rename(free)
            except OSError as error:
                raise SetupError(f"{path} is damaged, and cannot be set aside ({error.strerror}).") from None
            return free
    raise SetupError(f"{path} is damaged, and cannot be set aside: every other name is taken.")


def _left(bad: list[BadClip], why: str) -> tuple[BadClip, ...]:
    return tuple(replace(clip, why=why) for clip in bad)


def _as_they_stand(reader: LedgerReader, bad: list[BadClip], why: str) -> tuple[BadClip, ...]:
    """The same clips, with where their jobs stand now and why they are not back."""
    records = records_by_id(reader)
    found = []
    for clip in bad:
        record = records[clip.job_id]
        words = why or record.error_message or "it could not be fetched now; `reelbatch collect` tries again"
        home = record.status is JobStatus.DONE
        found.append(replace(clip, status=record.status, why="" if home else words))
    return tuple(found)
