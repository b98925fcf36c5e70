"""What a run tells whoever watches it: typed events, from which observers make counts, words, logs and pages.

An observer must not fail and must not wait; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import ReelbatchError
from pipelines.core.job import Job
from pipelines.core.money import BucketMove
from pipelines.core.outcome import Outcome
from pipelines.core.status import JobStatus
from pipelines.core.stop_reason import StopReason


@dataclass(frozen=True, slots=True)
class RunBegan:
    """The counts of the run hold now: what is done already, and what is still to be made."""


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job went from one status to another, or stays where it is and something is worth saying of it."""

    job: Job  # as it was made when this happened
    before: JobStatus | None  # None: this run sees it for the first time
    after: JobStatus
    outcome: Outcome | None = None  # None: it was reserved, or somebody else changed it
    money: BucketMove | None = None  # where its price went
    counted_before: bool = True  # whether it was one of the jobs that the campaign is to make
    counted: bool = True  # whether it is one


@dataclass(frozen=True, slots=True)
class ProviderAway:
    """A provider cannot be reached; its rows wait."""

    provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderBack:
    """A provider that had been away answers again."""

    provider: str


@dataclass(frozen=True, slots=True)
class ProviderSlowed:
    """A provider asks for fewer submissions."""

    provider: str
    hold_s: float  # for so long none are sent


@dataclass(frozen=True, slots=True)
class ProviderClosed:
    """Nothing more is sent to a provider in this run; what it has made is still brought home."""

    provider: str
    reason: ReelbatchError


@dataclass(frozen=True, slots=True)
class SubmissionsClosed:
    """Nothing more is sent to anybody in this run; what was accepted is still brought home."""

    reason: ReelbatchError


@dataclass(frozen=True, slots=True)
class JobLeftOut:
    """One job is not sent in this run."""

    job_id: str
    reason: ReelbatchError


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that asks for something else than was bought of it."""

    job_id: str
    row: int  # of the batch file
    status: JobStatus
    differs: tuple[str, ...]  # in what: names of columns; `fixed` and `mode` are the profile's


@dataclass(frozen=True, slots=True)
class RowsChanged:
    """Rows ask for something else than was bought of them; they stay as they are."""

    rows: tuple[RowChange, ...]
    folder: Path  # of the ledger


@dataclass(frozen=True, slots=True)
class JobsWait:
    """Jobs wait for one that has not come to its end in this run, and does not by itself."""

    job_ids: tuple[str, ...]
    parent: str
    parent_status: JobStatus


@dataclass(frozen=True, slots=True)
class ClipsOutOfReach:
    """Paid jobs wait at a provider that this run cannot ask."""

    provider: str
    job_ids: tuple[str, ...]
    remedy: str  # what to do, as a clause: "set QINIU_API_KEY"


@dataclass(frozen=True, slots=True)
class PurchasesAdopted:
    """The ledger had lost purchases, and has them again from the index."""

    job_ids: tuple[str, ...]
    task_ids: tuple[str, ...]  # of the provider, as far as it gave any


@dataclass(frozen=True, slots=True)
class JobsRecognised:
    """Rows go by another id now, and order the very same: what was bought for them is theirs."""

    renamed: tuple[tuple[str, str], ...]  # before, now


@dataclass(frozen=True, slots=True)
class IndexUnusable:
    """The index of purchases cannot be used; the ledger alone guards this run."""

    reason: ReelbatchError


@dataclass(frozen=True, slots=True)
class NoCallbacks:
    """These providers cannot call back for the jobs of this run."""

    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallbackOdd:
    """Somebody with the right token has called and said of a job what cannot be; the provider's own word counts."""

    job_id: str
    words: str  # what is odd, as the predicate of a sentence


@dataclass(frozen=True, slots=True)
class CallbacksSilent:
    """Jobs of a provider have ended and nobody has called; it is asked as often as ever."""

    provider: str
    missed: int


@dataclass(frozen=True, slots=True)
class DownloadFailed:
    """A clip that is paid for could not be brought home now; it stays ready."""

    job_id: str
    reason: ReelbatchError


@dataclass(frozen=True, slots=True)
class RunStopping:
    """The run is asked to stop."""

    why: StopReason = StopReason.INTERRUPTED


@dataclass(frozen=True, slots=True)
class LimitsLost:
    """The server of the limits that runs share cannot be asked; the run goes on with what it holds."""

    reason: str


@dataclass(frozen=True, slots=True)
class LimitsRegained:
    """The server of the limits that runs share answers again."""


@dataclass(frozen=True, slots=True)
class LimitTurned:
    """A limit that runs share is not what it was, or not what this run would have by itself."""

    limit: str
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class AccountFull:
    """Other runs hold all slots of an account; this one waits."""

    limit: str
    most: int


Event = (
    RunBegan
    | JobChanged
    | ProviderAway
    | ProviderBack
    | ProviderSlowed
    | ProviderClosed
    | SubmissionsClosed
    | JobLeftOut
    | RowsChanged
    | JobsWait
    | ClipsOutOfReach
    | PurchasesAdopted
    | JobsRecognised
    | IndexUnusable
    | NoCallbacks
    | CallbackOdd
    | CallbacksSilent
    | DownloadFailed
    | RunStopping
    | LimitsLost
    | LimitsRegained
    | LimitTurned
    | AccountFull
)
Observer = Callable[[Event], None]
