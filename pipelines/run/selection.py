"""Which jobs a run works on: those that `--only` names, in any case or by patterns such as `hero-*`, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from pipelines.core.dependencies import in_turn
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.ledger.job_state import JobState


def choose(ids: Sequence[str], only: Sequence[str]) -> tuple[list[str], list[str]]:
    """Choose ids by name or pattern.

    A name that is an id, letter by letter, means that one; else it means every id that differs in case only; else it is
    a pattern, in which `*` stands for any letters, `?` for one and `[ab]` for one of these.

    Args:
        ids: of the batch, in its order.
        only: names and patterns.

    Returns:
        The ids that are named, in the order of the batch; and the names that mean none.
    """
    exact, folded = set(ids), [(name, name.casefold()) for name in ids]
    chosen: set[str] = set()
    unknown = []
    for wanted in only:
        if wanted in exact:
            chosen.add(wanted)
            continue
        pattern = wanted.casefold()
        found = [name for name, fold in folded if fold == pattern]
        found = found or [name for name, fold in folded if fnmatchcase(fold, pattern)]
        chosen.update(found)
        if not found:
            unknown.append(wanted)
    return [name for name in ids if name in chosen], unknown


def in_hand(jobs: Iterable[Job], states: Mapping[str, JobState], limit: int | None) -> list[Job]:
    """The jobs that a run works on: those at a provider first, parents before what is made after them.

    Left out are those that have ended, and those that wait for one which the run does not work on.

    Args:
        jobs: that were asked for.
        states: where each job stands, by its id.
        limit: at most so many.
    """
    away: list[Job] = []
    planned: list[Job] = []
    has_work: dict[int, bool] = {}  # most jobs of a large batch share one state
    for job in jobs:
        state = states[job.id]
        works = has_work.get(id(state))
        if works is None:
            works = has_work[id(state)] = state.has_work
        if works:
            (planned if state.status is JobStatus.PLANNED else away).append(job)
    return in_turn([*away, *planned], lambda job_id: states[job_id].status)[:limit]
