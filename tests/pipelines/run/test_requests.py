"""A run heeds what persons write into its ledger."""

from __future__ import annotations

import asyncio

import pytest

from pipelines.core.errors import LedgerError
from pipelines.core.events import RunStopping
from pipelines.core.stop_reason import StopReason
from pipelines.ledger import requests
from pipelines.ledger.ledger import LedgerReader
from pipelines.ledger.requests import RequestKind
from pipelines.run import requests as of_run
from pipelines.run.exit_code import INTERRUPTED


@pytest.fixture
async def run(studio, monkeypatch):
    """A run of one job that looks at its ledger all the time, and what its observers were told."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    async with studio.opened(studio.job("a")) as opened:
        opened.told = []
        opened.observers = (*opened.observers, opened.told.append)
        heeding = asyncio.create_task(of_run.heed_requests(opened))
        yield opened
        heeding.cancel()


async def test_cancel_stops_the_run(run):
    """The run submits nothing more, tells it once, is interrupted by whom, and the request is answered."""
    LedgerReader(run.ledger.place).ask(requests.ask, RequestKind.CANCEL)
    LedgerReader(run.ledger.place).ask(requests.ask, RequestKind.CANCEL)
    await asyncio.wait_for(run.stop.wait(), 10)
    for _ in range(1000):
        if not await run.ledger.write(requests.unanswered):
            break
        await asyncio.sleep(0.01)
    assert run.told == [RunStopping(StopReason.ASKED)]
    result = run.result()
    assert (result.exit_code, result.reasons) == (INTERRUPTED, (StopReason.ASKED.sentence,))


async def test_what_cannot_be_read_is_read_the_next_time(run, monkeypatch):
    """A ledger that cannot be used for a moment ends the heeding as little as the run."""
    asked = requests.unanswered

    def once(connection):
        monkeypatch.setattr(requests, "unanswered", asked)
        raise LedgerError

    monkeypatch.setattr(requests, "unanswered", once)
    LedgerReader(run.ledger.place).ask(requests.ask, RequestKind.CANCEL)
    await asyncio.wait_for(run.stop.wait(), 10)
