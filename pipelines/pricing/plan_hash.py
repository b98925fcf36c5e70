"""A fingerprint of what would be bought and at what price, so that exactly a plan that was looked at is run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pipelines.core.errors import SetupError
from pipelines.core.job import Choice, Job

_SHORTEST = 8


def plan_hash(jobs: Iterable[Job]) -> str:
    """SHA-256 over every job that would be made: its id, its order, its price, and the same of each fallback."""
    digest = hashlib.sha256()
    for job in jobs:
        ways: tuple[Job | Choice, ...] = (job, *job.fallbacks)
        for way in ways if job.enabled else ():
            price = f"{way.cost_estimated}\0{way.currency}"
            digest.update(f"{job.id}\0{way.order.fingerprint()}\0{price}\n".encode())
    return digest.hexdigest()


def check_plan(jobs: Iterable[Job], expected: str | None) -> None:
    """Refuse to run anything but the plan with the hash that a person approved.

    Raises:
        SetupError: inputs or prices have changed since, or the hash is too short to mean anything.
    """
    if expected is None:
        return
    found = plan_hash(jobs)
    if len(expected) < _SHORTEST or not found.startswith(expected.lower()):
        raise SetupError(
            f"The plan is {found[:12]}, not {expected}: the batch or the prices have changed since it was approved. "
            "Nothing was sent. Look at `reelbatch plan` again."
        )
