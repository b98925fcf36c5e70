"""What persons ask of a run while it goes on: its ledger is looked into now and then, and what stands there is done."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pipelines.core.errors import ReelbatchError
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import requests
from pipelines.ledger.requests import Request, RequestKind
from pipelines.run.run import Run

LOOK_EVERY_S = 2.0


async def heed_requests(run: Run) -> None:
    """Do what persons ask of a run, until this is cancelled. What cannot be read now is read the next time."""
    while True:
        with suppress(ReelbatchError):
            for request in await run.ledger.write(requests.unanswered):
                heed(request, run)
                await run.ledger.write(requests.answer, request.seq)
        await asyncio.sleep(LOOK_EVERY_S)


def heed(request: Request, run: Run) -> None:
    """Do what one request asks for."""
    match request.kind:
        case RequestKind.CANCEL:
            run.interrupt(StopReason.ASKED)
