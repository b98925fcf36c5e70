"""Taking rows out of the counts: they stay in the ledger and the manifest, and no file is touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.actions.persons_word import no_such_job, say_of_jobs, who
from pipelines.core.errors import SettlementRefused
from pipelines.core.outcome import Archived
from pipelines.core.text.counts import first_of
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.set_aside import OpenJob, open_jobs


def open_of(folder: Path, ids: Sequence[str]) -> list[OpenJob]:
    """Find those of some jobs on which money is open, and that are not archived yet.

    Args:
        folder: the output folder.
        ids: of the jobs.

    Raises:
        SettlementRefused: there is no such job.
    """
    place = ledger_in(folder)
    reader = LedgerReader(place)
    states = reader.read(views.states)
    for job_id in ids:
        if job_id not in states:
            raise no_such_job(job_id, list(states), place.folder)
    return reader.read(open_jobs, [job_id for job_id in ids if not states[job_id].archived])


def open_words(found: Sequence[OpenJob]) -> str:
    """What stays open on jobs that are archived, and where it can be seen."""
    named = first_of([each.words for each in found])
    return (
        f"Money is open on {named}: that stays in every sum and counts against the budget, and what a provider has is still "
        "brought home; `ls --all` and `status` show it. An archived doubt is settled as before, by `reelbatch resolve DIR ID`."
    )


async def archive_jobs(folder: Path, ids: Sequence[str], *, open_too: bool = False) -> list[str]:
    """Take jobs out of the counts, also while a run goes on. What is paid for is brought home all the same.

    Args:
        folder: the output folder.
        ids: of the jobs.
        open_too: those as well on which money is open.

    Returns:
        Those that were not archived before.

    Raises:
        SettlementRefused: there is no such job, it is on its way to its provider, or money is open on it.
        LedgerOwned: the run that owns the ledger does not answer.
    """
    found = open_of(folder, ids)
    if found and not open_too:
        raise SettlementRefused(f"{open_words(found)} Nothing was archived. To do it all the same, say so (open_too).")
    place = ledger_in(folder)
    states = LedgerReader(place).read(views.states)
    new = [job_id for job_id in dict.fromkeys(ids) if not states[job_id].archived]
    await say_of_jobs(place, [(job_id, Archived(who())) for job_id in new])
    return new
