"""What each status means, in one table: everything else that is said or decided about a status follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How a status looks: five tones are enough to see at a glance what needs a person."""

    GOOD = "good"
    BUSY = "busy"
    IDLE = "idle"
    WARN = "warn"
    BAD = "bad"


class Readiness(StrEnum):
    """What a remix may do while its parent stands there."""

    GO = "go"  #: the parent is made
    WAIT = "wait"  #: it may still be
    SKIP = "skip"  #: it will not be


class JobStatus(StrEnum):
    """Where a job stands, as the manifest, `status` and `ls` show it. In the order of a job's life."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    WAITING = "waiting"
    READY = "ready"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    PARKED = "parked"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def meaning(self) -> Meaning:
        """Its row of the table."""
        return MEANINGS[self]

    @property
    def label(self) -> str:
        """As people read it: `in doubt`."""
        return self.value.replace("_", " ")

    @property
    def has_work(self) -> bool:
        """Whether a run has something to do for it: neither at its end, nor waiting for a person's word."""
        return not self.meaning.final and self is not JobStatus.IN_DOUBT

    @property
    def rank(self) -> int:
        """Its place in a list that shows first what needs a person: 0 for the most urgent."""
        return _RANKS[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one status means, for whoever decides and for whoever reads."""

    words: str  # what it means, one sentence for a person
    tone: Tone
    advice: str = ""  # what a person can do; empty where nothing is needed of anybody
    next_run: str = ""  # what the next run does with it, and what that costs
    final: bool = False  # nothing more happens by itself
    failed: bool = False  # it has ended without a clip
    unfinished: bool = False  # money may hang on it: a later run, or a person, must go on with it
    accepted: bool = False  # the provider has it, or has had it and the clip is not home yet
    editable: bool = False  # it has cost nothing and owes nothing: its row may ask for something else
    unsent: bool = False  # nothing was sent for it yet, so that it may be planned anew without a question
    remixes: Readiness = Readiness.WAIT  # what the jobs may do that remix its clip

    @property
    def needs_person(self) -> bool:
        """Whether no run ends it well without a person, or a person may want to know why it ended."""
        return bool(self.advice)


_FAILED = "`reelbatch retry DIR` tries it again, and says what that may cost first. Where moderation was the reason, change the prompt."
_REFUSED = (
    "Change what the row asks for, or the prompt where moderation was the reason, and run the same command again."
)
#: By status, the most urgent first: what needs a person, then what goes on, then what is in order.
MEANINGS: dict[JobStatus, Meaning] = {
    JobStatus.IN_DOUBT: Meaning(
        words="It may have been paid, and is not sent again by itself. Look into your account at the provider.",
        advice="It may have been paid, and is not sent again by itself. `reelbatch resolve DIR ID` shows what is known "
        "of it, and settles it.",
        next_run="It is not sent again by itself.",
        tone=Tone.WARN,
        unfinished=True,
    ),
    JobStatus.EXPIRED: Meaning(
        words="The provider no longer has the file.",
        advice="It was paid, and the provider no longer has the file. `reelbatch redo DIR ID` buys a new take.",
        tone=Tone.BAD,
        final=True,
        failed=True,
        remixes=Readiness.SKIP,
    ),
    JobStatus.PARKED: Meaning(
        words="Set aside for later.",
        advice="The same run command goes on with it; it costs nothing.",
        next_run="The next run asks again; it costs nothing.",
        tone=Tone.WARN,
        unfinished=True,
        accepted=True,
    ),
    JobStatus.FAILED: Meaning(
        words="Failed at the provider.",
        advice=_FAILED,
        tone=Tone.BAD,
        final=True,
        failed=True,
        editable=True,
        remixes=Readiness.SKIP,
    ),
    JobStatus.REJECTED: Meaning(
        words="Refused by the provider.",
        advice=_REFUSED,
        tone=Tone.BAD,
        final=True,
        failed=True,
        editable=True,
        remixes=Readiness.SKIP,
    ),
    JobStatus.CANCELLED: Meaning(
        words="Cancelled.",
        advice=_FAILED,
        tone=Tone.IDLE,
        final=True,
        failed=True,
        editable=True,
        remixes=Readiness.SKIP,
    ),
    JobStatus.READY: Meaning(
        words="Generated; the file is not home yet.",
        next_run="It is paid for, and not home yet; the next run fetches it, it costs nothing.",
        tone=Tone.BUSY,
        unfinished=True,
        accepted=True,
        remixes=Readiness.GO,
    ),
    JobStatus.WAITING: Meaning(
        words="The provider is working on it.",
        next_run="The provider is working on it; the next run asks again, it costs nothing.",
        tone=Tone.BUSY,
        unfinished=True,
        accepted=True,
    ),
    JobStatus.SUBMITTING: Meaning(
        words="On its way to the provider.",
        next_run="It was on its way when the run ended.",
        tone=Tone.BUSY,
        unfinished=True,
    ),
    JobStatus.PLANNED: Meaning(words="Not sent yet.", tone=Tone.IDLE, editable=True, unsent=True),
    JobStatus.SKIPPED: Meaning(
        words="Not to be made.", tone=Tone.IDLE, final=True, editable=True, unsent=True, remixes=Readiness.SKIP
    ),
    JobStatus.DONE: Meaning(
        words="On disk, verified and catalogued.", tone=Tone.GOOD, final=True, remixes=Readiness.GO
    ),
}
_RANKS = {status: rank for rank, status in enumerate(MEANINGS)}


def statuses(has: Callable[[Meaning], bool]) -> tuple[JobStatus, ...]:
    """The statuses whose meaning has a property, the most urgent first: `statuses(lambda m: m.final)`."""
    return tuple(status for status, meaning in MEANINGS.items() if has(meaning))


FINAL = frozenset(statuses(lambda meaning: meaning.final))
ACCEPTED = statuses(lambda meaning: meaning.accepted)


class AttemptState(StrEnum):
    """How far one paid submission got. Only the first byte of `sending` can cost money."""

    CLAIMED = "claimed"  #: slot and budget reserved; surely nothing was sent
    SENDING = "sending"  #: committed just before the first byte
    NOT_SENT = "not_sent"  #: ended before the first byte; the job may be tried again
    IN_DOUBT = "in_doubt"  #: sent, and nobody knows whether it was accepted
    ACCEPTED = "accepted"  #: the provider gave an id
    REJECTED = "rejected"  #: the provider surely refused it
    CLOSED = "closed"  #: was accepted, and has ended without a video; the job may be bought again if a person asks


class Billed(StrEnum):
    """Whether the provider charges for a job, as far as anyone can know here."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
