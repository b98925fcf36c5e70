"""Named instants in the life of a job at which a developer may end, stop or fail the process, to see what is left.

`REELBATCH_FAILPOINT=name[:nth][:kill|stop|raise]`, several with commas between: at the nth time (the first) that the process
comes there it is killed (`kill -9`, the default), stands still until it is continued, or fails as if the ledger could not be
written. Nothing happens that a power cut could not do as well. For who works on reelbatch; see `docs/reliability.md`.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.text.suggestion import did_you_mean

VARIABLE = "REELBATCH_FAILPOINT"

#: Every failpoint, in the order of a campaign's life, and what holds there.
FAILPOINTS = {
    "owner.locked": "the run may write, and has looked at nothing yet",
    "owner.recovering": "what an earlier run left half-way is put right, and not committed",
    "owner.recovered": "it is committed that the ledger is ours",
    "batch.registering": "the rows are written down, and not committed",
    "batch.registered": "the rows are written down",
    "index.announced": "the index of purchases knows what this run is about to buy",
    "reserve.writing": "a job is reserved, and its price, and not committed",
    "reserve.done": "a job is reserved",
    "send.connected": "the connection is open, and nothing of the order is sent",
    "send.marking": "the attempt is marked as sent, and not committed",
    "send.marked": "the attempt is marked as sent, and its first byte is not",
    "send.head": "the head of the order is sent",
    "send.body": "the whole order is sent",
    "answer.head": "the status of the answer came",
    "answer.whole": "the whole answer came, and is not judged",
    "answer.judged": "it is known what the answer means, and nobody has written it down",
    "record.writing": "an outcome is written down, and not committed",
    "commit.begin": "a group of transactions is about to be committed",
    "commit.done": "it is committed, and whoever waits for it does not know",
    "last_resort.begin": "a payment cannot be written down, and nobody was told",
    "last_resort.said": "it was told on standard error",
    "index.putting": "a purchase stands in the ledger, and not in the index",
    "index.put": "it stands in the index as well",
    "poll.begin": "a job is about to be asked about",
    "poll.answered": "it is known how far it is",
    "collect.begin": "it is known where the clips of a job are",
    "download.answered": "the server has begun to answer",
    "download.sidecar": "it is remembered how the part file goes on",
    "download.part": "some bytes are in the part file",
    "publish.begin": "the part file is whole, and not synced",
    "publish.synced": "it is synced, and has no name",
    "publish.named": "it has its name, and its part name as well",
    "publish.receipt": "its receipt is written",
    "publish.done": "it is published, and the ledger does not know",
    "collect.recorded": "the ledger has the job as done, and the receipt is still there",
    "collect.settled": "the receipt is gone",
    "catalogue.begin": "the jobs have ended, and the catalogue is the old one",
    "file.written": "a file of the catalogue is written beside the old one",
    "file.replaced": "it has taken the place of the old one",
    "run.ending": "everything is done, and the ledger is still ours",
    "person.asking": "a person's word is known, and the run that owns the ledger is not asked",
    "person.asked": "the request is written down",
    "person.taken": "the owner has done what was asked, and who asked does not know",
    "person.writing": "a person's word is written down, and not committed",
    "person.written": "it is committed, and the catalogue is the old one",
    "retry.planned": "what failed is planned again, and the run has not begun",
    "redo.planned": "a new take is planned, and the run has not begun",
    "collect.reopened": "what had expired is to be asked about once more",
    "verify.set_aside": "a damaged file has another name, and the ledger has its job as done",
    "verify.given_up": "the ledger knows that the file is gone, and it is not fetched again",
    "cancel.asked": "the run was asked to stop, and nobody has waited for its end",
}


@dataclass(slots=True)
class _Trap:
    """What happens at a failpoint, and how many times it is passed before."""

    left: int
    deed: str


_armed: dict[str, _Trap] | None = None  # None: nobody has looked into the environment yet


def failpoint(name: str) -> None:
    """Come to a failpoint. Costs nothing that could be measured where none is set.

    Raises:
        LedgerError: that is what was asked for.
        SetupError: the environment asks for something else than there is.
    """
    if _armed is None:
        arm(os.environ.get(VARIABLE, ""))
    if not _armed or (trap := _armed.get(name)) is None:
        return
    trap.left -= 1
    if trap.left:
        return
    if trap.deed == "raise":
        raise LedgerError(f"The failpoint {name} was asked for by {VARIABLE}.")
    os.kill(os.getpid(), signal.SIGKILL if trap.deed == "kill" else signal.SIGSTOP)


def arm(wanted: str) -> None:
    """Set the failpoints of this process, in place of those that were set.

    Args:
        wanted: as the environment has it; empty: none.

    Raises:
        SetupError: there is no such failpoint, or nothing of that kind can happen there.
    """
    global _armed  # noqa: PLW0603 - of the process, as a kill is
    traps = {}
    for each in filter(None, (part.strip() for part in wanted.split(","))):
        name, *how = each.split(":")
        if name not in FAILPOINTS:
            raise SetupError(f"{VARIABLE} names {name!r}, which is no failpoint. {did_you_mean(name, FAILPOINTS)}")
        nth = int(how.pop(0)) if how and how[0].isascii() and how[0].isdigit() else 1
        deed = how.pop(0) if how else "kill"
        if how or nth < 1 or deed not in {"kill", "stop", "raise"}:
            raise SetupError(f"{VARIABLE} has {each!r}. It is name[:nth][:kill|stop|raise].")
        traps[name] = _Trap(nth, deed)
    _armed = traps
