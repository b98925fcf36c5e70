"""What persons ask of a run while it goes on: its ledger is looked into now and then, and what stands there is done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from pipelines.core.errors import LedgerOwned, ReelbatchError, SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job
from pipelines.core.outcome import ClipGone, PersonsWord, Replaced, Retried
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import requests
from pipelines.ledger.requests import Request, RequestKind
from pipelines.ledger.settlement import from_argument
from pipelines.run.additions import bought_before, include, job_of, refuse_order
from pipelines.run.run import Run

LOOK_EVERY_S = 2.0


async def heed_requests(run: Run) -> None:
    """Do what persons ask of a run, until this is cancelled. What cannot be read now is read the next time.

    Looking is also how a run hears that another one has taken its ledger over; then it ends.
    """
    while True:
        try:
            await heed(await run.ledger.write(requests.unanswered), run)
        except LedgerOwned as error:
            run.end(error)
            return
        except ReelbatchError:
            pass
        await asyncio.sleep(LOOK_EVERY_S)


async def heed(asked: Sequence[Request], run: Run) -> None:
    """Do what was asked for, in order, and answer it."""
    bought = await _bought_before(asked, run)
    for request in asked:
        match request.kind:
            case RequestKind.CANCEL:
                run.interrupt(StopReason.ASKED)
                await run.ledger.write(requests.answer, request.seq)
            case RequestKind.SETTLE:
                try:
                    job_id, word = from_argument(request.argument)
                    if bought and _is_to_be_new(word):
                        raise SettlementRefused(bought)  # noqa: TRY301 - as all else that is refused
                    async with run.adding:
                        added = await _take_word(job_id, word, request.seq, run)
                        if added is not None and run.begin_also is not None:
                            run.begin_also(added)
                except SettlementRefused as error:
                    await run.ledger.write(requests.answer, request.seq, {"refused": str(error)})


def _is_to_be_new(word: PersonsWord) -> bool:
    """Tell whether a word asks for what is not to be bought twice: a new take is, and so is what was agreed to."""
    return isinstance(word, Retried) and not word.again


async def _bought_before(asked: Sequence[Request], run: Run) -> str | None:
    """Look once for all that is asked for together whether it was bought before, elsewhere, and say so."""
    jobs: list[Job] = []
    for request in asked:
        with suppress(SettlementRefused):
            if request.kind is RequestKind.SETTLE:
                job_id, word = from_argument(request.argument)
                if isinstance(word, Retried) and _is_to_be_new(word):
                    jobs.append(job_of(job_id, word, run))
    return await bought_before(jobs, run)


async def _take_word(job_id: str, word: PersonsWord, request: int, run: Run) -> Job | None:
    """Write down what a person says of a job.

    Returns:
        The job that is to be made, or fetched again, for it now.

    Raises:
        SettlementRefused: it cannot be said of the job as it stands, or the run does not order what follows from it.
    """
    added = None
    if isinstance(word, Retried | Replaced):
        added = job_of(job_id, word, run)
        refuse_order(added, run)
    before = run.states[job_id].provider_job_id if job_id in run.made_as else None
    change = await run.take_word(job_id, word, request)
    if isinstance(word, ClipGone):
        added = run.made_as.get(job_id)  # it costs nothing
    elif isinstance(word, Retried | Replaced) and added is not None:
        include(added, job_id, word, run)
    elif before is not None and change.state.provider_job_id != before:
        _leave(run, job_id, before)
    failpoint("person.taken")
    return added


def _leave(run: Run, job_id: str, provider_job_id: str) -> None:
    """Wait no more for an id that a person has taken back: what it comes to is no news of this job."""
    if (ahead := run.ahead.pop(job_id, None)) is not None:
        ahead.cancel()
    if (session := run.sessions.get(run.job(job_id).order.provider)) is not None:
        session.poller.leave(provider_job_id)
