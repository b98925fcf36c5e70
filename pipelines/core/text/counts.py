"""Numbers of things, and lists of them, as a sentence names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.core.status import JobStatus


def counted(number: int, noun: str) -> str:
    """`1 video`, and `2,000 videos`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_of(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are: `a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def statuses_text(counts: Mapping[JobStatus, int], total: int) -> str:
    """Say how many jobs stand where: `11 of 12 done, 1 failed`; in the order of a job's life."""
    others = [
        f"{counts[status]} {status.label}"
        for status in JobStatus
        if status is not JobStatus.DONE and counts.get(status)
    ]
    return ", ".join([f"{counts.get(JobStatus.DONE, 0)} of {total} done", *others])
