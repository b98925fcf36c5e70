"""The contract between us and a provider, as values and protocols: verdict, progress, request, client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from pipelines.core.image import Image
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.addresses import Origin
from pipelines.providers.profile.model import Profile

#: How a body is written: as JSON, as multipart/form-data, or as application/x-www-form-urlencoded.
BodyEncoding = Literal["json", "multipart", "urlencoded"]
#: What the answer to a submission means.
Verdict = Accepted | Rejected | InDoubt


class Phase(StrEnum):
    """The four states that a provider's status word comes down to."""

    RUNNING = "running"  #: also for words that nobody knows
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Link:
    """An address at which a finished clip can be had, or the clip itself where an answer holds it."""

    url: str
    needs_key: bool = False
    expires_at: datetime | None = None
    data: bytes | None = field(default=None, repr=False)  # the clip; nothing is fetched then


@dataclass(frozen=True, slots=True)
class MissingClip:
    """Why no clip was found in the answer about a finished job."""

    words: str
    is_empty: bool = False  # the place where its profile looks is there, and nothing is in it


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one job, as a status query tells it."""

    phase: Phase
    word: str = ""  # the provider's own
    links: tuple[Link, ...] = ()
    code: str | None = None
    message: str | None = None
    completed_at: datetime | None = None
    poll_after_s: float | None = None  # the provider's hint
    result_url: str | None = None  # it has ended, and this address says with what
    unread: bool = False  # it succeeded and may have files, but none where the profile looks for them
    missing: MissingClip | None = None  # it succeeded and shows no clip: why not, as far as the answer tells
    seconds: float | None = None  # the length that the provider says it makes, where it says one
    size: str | None = None  # the same for the picture size
    trace_id: str | None = None  # what the provider's support will ask for


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job as the provider's list of an account shows it; what the list does not say is None."""

    job: RemoteJob
    created_at: datetime | None = None
    status: str = ""  # the provider's own word
    model: str | None = None
    prompt: str | None = None
    size: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of the list of an account, in its order."""

    jobs: tuple[ListedJob, ...]
    next_after: str | None = None  # the id behind which the next page begins, or a cursor; None: there is no more of it
    next_url: str | None = None  # the address of the next page, as the answer has it; it may be relative


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes out as a part of a multipart form."""

    name: str
    type: str  # media type
    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a contract, without key."""

    method: str
    path: str  # percent-encoded, begins with a slash; or a whole address that the provider gave
    body: Mapping[str, Any] | None = None  # an `Upload` may stand at the top level of a form
    encoding: BodyEncoding = "json"  # how the body goes out


@dataclass(frozen=True, slots=True)
class Supplies:
    """The parts of an order that are found just before it is sent: pictures, the parent's id, the address to call."""

    images: tuple[Image, ...] = ()  # one for each of `Order.image_urls`
    parent_id: str | None = None  # the provider's id of the clip that is remixed
    callback_url: str | None = None
    attempt: str = ""  # a name for this attempt, the same if it is ever sent twice; for those who take one


class Contract(Protocol):
    """The shape of an API as pure functions: what to send, and how to read what comes back."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """The request that buys an order."""

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """The request that asks about one job."""

    def batch_status(self, provider_job_ids: Sequence[str], profile: Profile) -> Request:
        """The request that asks about many; only where the profile's limits say how many."""

    def listing(self, profile: Profile, mode: str, most: int, after: str | None) -> Request:
        """The request for the newest jobs of an account, where its profile says that there is one."""

    def read_listing(self, answer: Mapping[str, Any], profile: Profile, after: str | None = None) -> ListPage:
        """The jobs in the answer to that, asked with that `after`."""

    def job_named(self, name: str, order: Order, profile: Profile) -> RemoteJob:
        """The job that an order became, of which only the id is known, with where it is usually asked about."""

    def id_places(self, profile: Profile) -> tuple[str, ...]:
        """Where an answer about a job may name it; none: it never does."""

    def with_word(self, result: Mapping[str, Any], word: str, profile: Profile) -> Mapping[str, Any]:
        """The result of a job, from an address of its own, with the word of its status where it has none."""

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """The job in the answer to a submission; its mode is filled in by the caller."""

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """The progress in the answer to a status query."""

    def read_batch(
        self, answer: Mapping[str, Any], jobs: Sequence[RemoteJob], profile: Profile, base_url: str
    ) -> dict[str, Progress]:
        """The progress of each of these jobs that the answer to a batch query names, by its id.

        Raises:
            UnusableAnswer: it is no answer about many jobs, so that it says nothing about those it does not name.
        """


class UsualWays:
    """The parts of a contract that most have alike; what differs is said by the contract itself."""

    def listing(self, profile: Profile, mode: str, most: int, after: str | None) -> Request:
        """There is none.

        Raises:
            NotImplementedError: always; `supports` of its profiles names no list.
        """
        raise NotImplementedError

    def read_listing(self, answer: Mapping[str, Any], profile: Profile, after: str | None = None) -> ListPage:
        """Nothing: nobody asked."""
        del answer, profile, after
        return ListPage(())

    def job_named(self, name: str, order: Order, profile: Profile) -> RemoteJob:
        """Its id tells where to ask."""
        return RemoteJob(name, order.mode, contract=profile.contract_of(order.mode))

    def id_places(self, profile: Profile) -> tuple[str, ...]:
        """`id`, or `task_id`; a `request_id` is that of the HTTP request."""
        del profile
        return ("id", "task_id")

    def with_word(self, result: Mapping[str, Any], word: str, profile: Profile) -> Mapping[str, Any]:
        """Under `status`."""
        del profile
        return result if result.get("status") else {**result, "status": word}

    def batch_status(self, provider_job_ids: Sequence[str], profile: Profile) -> Request:
        """There is none.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def read_batch(
        self, answer: Mapping[str, Any], jobs: Sequence[RemoteJob], profile: Profile, base_url: str
    ) -> dict[str, Progress]:
        """Nothing: nobody asked."""
        del answer, jobs, profile, base_url
        return {}


BeforeFirstByte = Callable[[], Awaitable[None]]


class Provider(Protocol):
    """One account at one provider."""

    profile: Profile
    account: str  # fingerprint of address and key; tells accounts apart without naming the key
    trusted: frozenset[
        Origin
    ]  # its own, if the operator set its address, and further ones that the operator names: files may come from there

    async def submit(self, order: Order, supplies: Supplies, before_first_byte: BeforeFirstByte) -> Verdict:
        """Send one paid submission, once."""

    async def check(self, job: RemoteJob) -> Progress:
        """Ask about one job. Free."""

    async def check_many(self, jobs: Sequence[RemoteJob]) -> dict[str, Progress]:
        """Ask about many jobs at once. Free. Jobs that the answer leaves out are absent."""

    def remote_named(self, name: str, order: Order) -> RemoteJob:
        """The job that an order became, as far as its id tells where to ask about it."""

    def key_header(self) -> Mapping[str, str]:
        """The header that proves who asks."""

    def keyed(self, url: str) -> str:
        """The address of a file that needs the key, with the key in its query where it has to stand there."""
