"""What persons ask of a run while it goes on: its ledger is looked into now and then, and what stands there is done."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pipelines.core.errors import ReelbatchError, SettlementRefused
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import requests
from pipelines.ledger.requests import Request, RequestKind
from pipelines.ledger.settlement import from_argument
from pipelines.run.run import Run

LOOK_EVERY_S = 2.0


async def heed_requests(run: Run) -> None:
    """Do what persons ask of a run, until this is cancelled. What cannot be read now is read the next time."""
    while True:
        with suppress(ReelbatchError):
            for request in await run.ledger.write(requests.unanswered):
                await heed(request, run)
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
                await run.take_word(job_id, word, request.seq)
            except SettlementRefused as error:
                await run.ledger.write(requests.answer, request.seq, {"refused": str(error)})
