"""Every error that reelbatch raises on purpose, split by who must act.

ReelbatchError
├── BatchError               the author of the batch file
├── ImageUnusable            the author of the batch file
├── SetupError               the operator: keys, addresses, folders, disk
│   ├── ProfileError         (whoever wrote the profile of a provider)
│   ├── KeyMissing
│   ├── KeyRefused
│   ├── Unsendable
│   │   └── ProxyUnusable
│   ├── FundsExhausted
│   ├── BoughtBefore
│   ├── LedgerError
│   │   └── LedgerOwned
│   ├── SettlementRefused    (whoever settles: what was said does not fit how the job stands)
│   └── DiskFull
├── BudgetReached            whoever set the cap
│   └── NotCovered           the same, for this one job
├── AttentionNeeded          whoever runs the campaign: it has ended, and not all of it is done
├── ProviderError            the provider, or nobody
│   ├── ProviderUnavailable  (passes)
│   │   └── SlowDown         (passes)
│   └── UnusableAnswer       (passes)
│       └── UnknownJob       (passes early on; later a person must look)
├── TransportError           the network between us (passes)
│   ├── NotSent              surely nothing reached the provider
│   └── NoAnswer             something may have reached it
└── OutputError              the file that came back
    ├── LinkExpired          (a fresh status query gives a new link)
    ├── DownloadInterrupted  (passes)
    ├── NotAVideo
    ├── ClipRefused
    ├── AddressRefused
    └── UploadFailed         (passes)
        └── BucketRefused    the operator: rights, the name of the bucket, a missing package

A class docstring is its default message and says what to do next. `passes` marks what time alone may mend.
Whatever is not in this tree is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a batch file, and how to mend it."""

    where: str  # file, and as far as known row and column: "spring.csv, row 3, column 'seconds'"
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" {self.fix}" if self.fix else "")


class ReelbatchError(Exception):
    """Something went wrong that reelbatch knows about."""

    exit_code: ClassVar[int] = 1
    passes: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((self.__doc__ or "").split()))


class BatchError(ReelbatchError):
    """The batch file has problems. Nothing was sent."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class ImageUnusable(ReelbatchError):
    """A reference image cannot be used. Nothing was sent."""

    exit_code = 2


class SetupError(ReelbatchError):
    """The environment is not ready. Run `reelbatch doctor` to see what is missing."""

    exit_code = 2


class ProfileError(SetupError):
    """A profile of a provider has problems. Nothing was sent."""

    MOST_SAID: ClassVar[int] = 20

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        more = len(problems) - self.MOST_SAID
        said = [str(problem) for problem in problems[: self.MOST_SAID]]
        super().__init__("\n".join([*said, *([f"There are {more:,} more problems."] if more > 0 else [])]))


class KeyMissing(SetupError):
    """No API key was found for a provider of this batch. Set <PROVIDER>_API_KEY and run the same command again."""


class KeyRefused(SetupError):
    """The provider refuses the API key. Put a valid key in <PROVIDER>_API_KEY and run the same command again."""


class Unsendable(SetupError):
    """A request cannot be sent as it is: look at the key and the address. Nothing was sent."""


class ProxyUnusable(Unsendable):
    """HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no address of a proxy. Set it right, or unset it. Nothing was sent."""


class FundsExhausted(SetupError):
    """The account has no balance left. Top it up and run the same command again: open rows are kept."""

    exit_code = 3


class BoughtBefore(SetupError):
    """The same was bought before, and nobody has said that it is to be bought again. Nothing was sent."""


class LedgerError(SetupError):
    """The ledger cannot be used, so nothing may be paid. See the message for what to do."""


class LedgerOwned(LedgerError):
    """Another run is working on this folder. Wait for it, or stop it, then run the same command again."""


class SettlementRefused(SetupError):
    """This cannot be said of the job as it stands. Nothing was changed."""


class DiskFull(SetupError):
    """No space is left. Free some and run the same command again: what was paid for is remembered."""

    exit_code = 4


class BudgetReached(ReelbatchError):
    """The budget does not cover the next job. Raise it with --budget and run the same command again."""

    exit_code = 3


class NotCovered(BudgetReached):
    """A budget cannot cover a job without a price in its currency. Run without a budget, or leave the job out."""


class AttentionNeeded(ReelbatchError):
    """A campaign has ended, and a person must look at it."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result  # what the campaign came to all the same: a CampaignResult

    def __reduce__(self) -> tuple[type[AttentionNeeded], tuple[str, Any]]:
        """Prefect keeps what a flow raised."""
        return type(self), (str(self), self.result)


class ProviderError(ReelbatchError):
    """The provider could not do what was asked."""


class ProviderUnavailable(ProviderError):
    """The provider does not answer or answers with server errors. The rows wait; run the same command again later."""

    passes = True
    exit_code = 4


class SlowDown(ProviderUnavailable):
    """The provider asks for fewer requests."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnusableAnswer(ProviderError):
    """The provider answered with something that cannot be understood. The rows wait; the next query may be better."""

    passes = True


class UnknownJob(UnusableAnswer):
    """The provider does not know the job. Early on that passes; later the job is lost, and a person must look."""


class TransportError(ReelbatchError):
    """The network failed between here and the provider."""

    passes = True


class NotSent(TransportError):
    """No connection could be made: surely nothing was sent."""


class NoAnswer(TransportError):
    """The connection broke before an answer was complete: the provider may have received the request."""


class LimitServerAway(ReelbatchError):
    """The server that keeps the limits which runs share cannot be asked now. A run goes on with what it holds."""

    passes = True


class LimitServerGone(LimitServerAway):
    """No connection to it can be made: it is not only slow."""


class OutputError(ReelbatchError):
    """A paid clip could not be brought home. The same command tries again, and pays nothing."""


class LinkExpired(OutputError):
    """The download link has expired. A fresh status query may give a new one."""

    passes = True

    def __init__(self, message: str | None = None, said_at: datetime | None = None) -> None:
        super().__init__(message)
        self.said_at = said_at  # what time it was at the server that said so; None: it did not say


class DownloadInterrupted(OutputError):
    """The download broke off. It resumes where it stopped."""

    passes = True


class NotAVideo(OutputError):
    """What was downloaded is not a whole MP4 file."""

    passes = True


class ClipRefused(OutputError):
    """A clip cannot be taken as it is served. The job is parked; the next run asks again and pays nothing."""

    def __init__(self, message: str | None = None, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class AddressRefused(OutputError):
    """The provider's link leads to an address that reelbatch does not open: a private or reserved network."""


class UploadFailed(OutputError):
    """A file could not be put into the bucket. It lies in the working folder; the same command tries again."""

    passes = True
    exit_code = 4


class BucketRefused(UploadFailed):
    """The bucket does not take a file, and time alone will not mend that."""

    passes = False
