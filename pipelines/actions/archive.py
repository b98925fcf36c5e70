"""Taking rows out of the counts: they stay in the ledger and the manifest, and no file is touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.actions.persons_word import no_such_job, say_of_jobs, who
from pipelines.core.outcome import Archived
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, ledger_in


async def archive_jobs(folder: Path, ids: Sequence[str]) -> list[str]:
    """Take jobs out of the counts, also while a run goes on. What is paid for is brought home all the same.

    Args:
        folder: the output folder.
        ids: of the jobs.

    Returns:
        Those that were not archived before.

    Raises:
        SettlementRefused: there is no such job, or it is on its way to its provider.
        LedgerOwned: the run that owns the ledger does not answer.
    """
    path = ledger_in(folder)
    states = LedgerReader(path).read(views.states)
    for job_id in ids:
        if job_id not in states:
            raise no_such_job(job_id, list(states), path.parent)
    new = [job_id for job_id in dict.fromkeys(ids) if not states[job_id].archived]
    await say_of_jobs(path, [(job_id, Archived(who())) for job_id in new])
    return new
