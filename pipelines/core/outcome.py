"""What can happen to a job, as values. The ledger writes them down; nothing else changes a job.

planned -> Unsent | Accepted | Rejected | InDoubt | FellBack | Skipped
accepted -> Ready | Done | Failed | Parked

What a person says of it, of whom `by` says who it was:

in doubt -> Adopted | NotCharged | Charged | Resubmitted
accepted -> Withdrawn, where a person had given the id; then in doubt, and one of the four
ended    -> Retried | Replaced | Archived | ClipGone
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipelines.core.job import Job, RemoteJob
from pipelines.core.status import Billed, JobStatus

#: By whose fault an order was refused: the row's, the account's, the address's, or the provider's for now.
RefusalKind = Literal["key", "funds", "address", "forbidden", "row", "moderation", "slow_down", "server"]


@dataclass(frozen=True, slots=True)
class Unsent:
    """Nothing left this machine: the price is given back and the job is planned again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider gave an id: it works, and will charge."""

    job: RemoteJob
    trace_id: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Surely nothing was bought: the provider refused, or nothing was sent because the order cannot be."""

    kind: RefusalKind
    code: str
    message: str
    http_status: int | None = None  # None: nothing was sent
    retry_after_s: float | None = None
    trace_id: str | None = None  # what the provider's support will ask for
    profile: str | None = None  # digest of what wrote the order: with another it would go out differently

    @property
    def again(self) -> bool:
        """Whether the fault is not the row's, so that the same row may be sent later."""
        return self.kind not in ("row", "moderation")


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Something may have been accepted, and nobody knows. The job is not sent again by itself."""

    reason: str
    http_status: int | None = None
    excerpt: str | None = None
    replay_of: str | None = None  # the job that owns the id which came back: whoever answers so replays answers


@dataclass(frozen=True, slots=True)
class FellBack:
    """Surely not bought where it was to be: from now on the job is made by its next fallback."""

    now: Job  # as it is made from now on
    code: str  # why not as before
    reason: str
    refused: Rejected | None = None  # the refusal that led here, if there was one


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not to be made after all, and nothing was sent."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The provider has finished and will charge; the clip is still on its side."""

    completed_at: datetime | None = None  # None: now
    url_expires_at: datetime | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The clip is on disk and verified; and in the bucket, where the output folder is in one."""

    output: Mapping[str, Any]  # path (relative to the output folder), bytes, sha256, media, source_host
    flags: tuple[str, ...] = ()  # what differs from the order
    completed_at: datetime | None = None  # None: now
    url_expires_at: datetime | None = None
    trace_id: str | None = None
    storage_uri: str | None = None  # where the first of its files is in a bucket


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider has ended the job without a clip, or the clip can no longer be had."""

    stage: Literal["generate", "download"]
    code: str  # the provider's, or ours
    message: str
    billed: Billed
    status: JobStatus = JobStatus.FAILED  # or cancelled, or expired
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """Set aside: the next run goes on with it at no new cost."""

    stage: Literal["generate", "download"]
    code: str
    message: str
    is_news: bool = True  # whether this run has not said the same of another job


#: The code of a job that its provider has ended well, and whose clip is not where the profile looks for it.
CLIP_MISSING = "clip_missing"
#: The code of a job that its provider does not know, though it was given an id.
UNKNOWN_ID = "lost"
#: Who says it where no person does: a callback has named an id, and the provider knows it.
BY_CALLBACK = "a callback"


@dataclass(frozen=True, slots=True)
class Adopted:
    """It was accepted after all: a person, or a callback, has found its id at the provider."""

    job: RemoteJob
    by: str = ""
    takes_back: str | None = None  # the id, given by a person, that was not the right one


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The id that a person gave was not the right one, says a person: nobody knows again what became of the submission."""

    remote_id: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class NotCharged:
    """It was not accepted, says a person who has looked: its price is given back, and it is planned again."""

    by: str = ""
    takes_back: str | None = None  # the id, given by a person, that was not the right one


@dataclass(frozen=True, slots=True)
class Charged:
    """It was charged and there is no clip, says a person who has looked. It is not sent again by itself."""

    by: str = ""
    takes_back: str | None = None  # the id, given by a person, that was not the right one


@dataclass(frozen=True, slots=True)
class Resubmitted:
    """A person wants it bought, though it may have been already: the old price stays uncertain."""

    by: str = ""
    takes_back: str | None = None  # the id, given by a person, that was not the right one


@dataclass(frozen=True, slots=True)
class Retried:
    """A person wants it made that has failed, or was skipped with what has: it is planned again, as its row asks for it."""

    by: str = ""
    again: bool = False  # also if the same was bought before, elsewhere


@dataclass(frozen=True, slots=True)
class Replaced:
    """A person has asked for a new take: this one stays as it is, and is not counted any more."""

    new: Job  # made in its place
    by: str = ""


@dataclass(frozen=True, slots=True)
class Archived:
    """A person does not want it counted, nor shown by default."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class ClipGone:
    """The file of a clip that was home is gone or damaged: it is paid for, and to be fetched again."""

    code: Literal["file_missing", "file_damaged"]
    message: str
    lost: Mapping[str, Any]  # path and sha256 of the file, for the history
    by: str = ""


PersonsWord = Adopted | Withdrawn | NotCharged | Charged | Resubmitted | Retried | Replaced | Archived | ClipGone
Outcome = Unsent | Accepted | Rejected | InDoubt | FellBack | Skipped | Ready | Done | Failed | Parked | PersonsWord
