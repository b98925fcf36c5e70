"""What persons ask of a run while it goes on: its ledger is looked into now and then, and what stands there is done."""

from __future__ import annotations

import asyncio

from pipelines.core.errors import LedgerOwned, ReelbatchError, SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import requests
from pipelines.ledger.requests import Request, RequestKind
from pipelines.ledger.settlement import from_argument
from pipelines.run.run import Run

LOOK_EVERY_S = 2.0


async def heed_requests(run: Run) -> None:
    """Do what persons ask of a run, until this is cancelled. What cannot be read now is read the next time.

    Looking is also how a run hears that another one has taken its ledger over; then it ends.
    """
    while True:
        try:
            for request in await run.ledger.write(requests.unanswered):
                await heed(request, run)
        except LedgerOwned as error:
            run.end(error)
            return
        except ReelbatchError:
            pass
        await asyncio.sleep(LOOK_EVERY_S)


async def heed(request: Request, run: Run) -> None:
    """Do what one request asks for, and answer it."""
    match request.kind:
        case RequestKind.CANCEL:
            run.interrupt(StopReason.ASKED)
            await run.ledger.write(requests.answer, request.seq)
        case RequestKind.SETTLE:
            try:
                job_id, word = from_argument(request.argument)
                before = run.states[job_id].provider_job_id if job_id in run.made_as else None
                change = await run.take_word(job_id, word, request.seq)
                if before is not None and change.state.provider_job_id != before:
                    _leave(run, job_id, before)
                failpoint("person.taken")
            except SettlementRefused as error:
                await run.ledger.write(requests.answer, request.seq, {"refused": str(error)})


def _leave(run: Run, job_id: str, provider_job_id: str) -> None:
    """Wait no more for an id that a person has taken back: what it comes to is no news of this job."""
    if (ahead := run.ahead.pop(job_id, None)) is not None:
        ahead.cancel()
    if (session := run.sessions.get(run.job(job_id).order.provider)) is not None:
        session.poller.leave(provider_job_id)
