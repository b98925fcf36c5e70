"""Chains of remixes: a job that is made after another one waits for it, and is skipped when it cannot be made. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from pipelines.core.job import Job
from pipelines.core.status import JobStatus, Readiness

StatusOf = Callable[[str], JobStatus]  # by the id of a job


def children_of(jobs: Iterable[Job]) -> Mapping[str, list[Job]]:
    """The jobs that wait for each parent, by its id."""
    children: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.parent is not None:
            children[job.parent].append(job)
    return children


def roots_of(jobs: Iterable[Job]) -> list[Job]:
    """The jobs that wait for none of the others, in order."""
    jobs = list(jobs)
    here = {job.id for job in jobs}
    return [job for job in jobs if job.parent not in here]


def parents_first(jobs: Iterable[Job]) -> list[Job]:
    """The same jobs, each behind the one that it waits for, and otherwise in their order."""
    jobs = list(jobs)
    left = {job.id: job for job in jobs}
    found: list[Job] = []
    for job in jobs:
        line: list[Job] = []
        ancestor = left.pop(job.id, None)
        while ancestor is not None:
            line.append(ancestor)
            ancestor = left.pop(ancestor.parent or "", None)
        found.extend(reversed(line))
    return found


def in_turn(jobs: Iterable[Job], status_of: StatusOf) -> list[Job]:
    """The jobs that may come to their turn if these jobs are worked on and no others; parents first."""
    found: list[Job] = []
    here: set[str] = set()
    jobs = list(jobs)
    if all(job.parent is None for job in jobs):
        return jobs
    for job in parents_first(jobs):
        if job.parent in here or not _waits(job, status_of):
            found.append(job)
            here.add(job.id)
    return found


def held_up(jobs: Iterable[Job], status_of: StatusOf) -> Mapping[str, list[str]]:
    """The jobs that wait, by the one at the head of their chain that they all wait for."""
    head: dict[str, str] = {}
    waiting: defaultdict[str, list[str]] = defaultdict(list)
    for job in parents_first(jobs):
        if job.parent is not None and _waits(job, status_of):
            head[job.id] = head.get(job.parent, job.parent)
            waiting[head[job.id]].append(job.id)
    return waiting


def _waits(job: Job, status_of: StatusOf) -> bool:
    planned = status_of(job.id) is JobStatus.PLANNED
    return planned and job.parent is not None and status_of(job.parent).meaning.remixes is Readiness.WAIT
