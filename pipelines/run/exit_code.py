"""What a run comes to, as one number for scripts and one word for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipelines.core.errors import BudgetReached, KeyRefused, ReelbatchError
from pipelines.core.status import JobStatus, statuses
from pipelines.ledger.job_state import JobState

ALL_DONE, SOME_FAILED, BAD_INPUT, BUDGET, UNFINISHED, INTERRUPTED = 0, 1, 2, 3, 4, 130

_FAILED = statuses(lambda meaning: meaning.failed)
_UNFINISHED = statuses(lambda meaning: meaning.unfinished)


def open_beside(states: Mapping[str, JobState]) -> Counter[JobStatus]:
    """Count the jobs that the file does not name any more, and on which money still hangs."""
    return Counter(
        state.status for state in states.values() if state.removed and state.wanted and state.status.meaning.unfinished
    )


def exit_code(
    counts: Mapping[JobStatus, int],
    *,
    reasons: tuple[ReelbatchError, ...] = (),
    interrupted: bool = False,
) -> int:
    """The exit code of a run: what a person must look at first wins.

    Args:
        counts: how many jobs stand where.
        reasons: why submissions, or the whole run, were ended early.
        interrupted: a person stopped it.

    Returns:
        130 interrupted; 2 nothing could be bought because of the set-up; 4 something is parked, in doubt or unfinished;
        3 the budget or the balance ended it; 1 some rows failed; 0 all done.
    """
    if interrupted:
        return INTERRUPTED
    bought = any(counts.get(status) for status in (JobStatus.DONE, *_UNFINISHED))
    if not bought and any(isinstance(reason, KeyRefused) or reason.exit_code == BAD_INPUT for reason in reasons):
        return BAD_INPUT
    if any(counts.get(status) for status in _UNFINISHED):
        return UNFINISHED
    if any(isinstance(reason, BudgetReached) or reason.exit_code == BUDGET for reason in reasons):
        return BUDGET
    if reasons:
        return UNFINISHED
    if any(counts.get(status) for status in _FAILED):
        return SOME_FAILED
    return ALL_DONE
