"""What persons ask of a run: written by a process that does not own the ledger, answered by its owner."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipelines.core.errors import LedgerError
from pipelines.ledger import requests
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.requests import Request, RequestKind
from tests.pipelines.ledger.conftest import EVERYWHERE

KEPT = Path(__file__).parent / "ledgers"


@EVERYWHERE
async def test_a_request_reaches_the_owner_once(path):
    """Another connection asks while the owner keeps the ledger open; what was answered is not found again."""
    async with Ledger(path) as ledger:
        [seq] = LedgerReader(path).ask(requests.ask, RequestKind.CANCEL, [{"by": "a person"}])
        assert await ledger.write(requests.unanswered) == [Request(seq, RequestKind.CANCEL, {"by": "a person"})]
        await ledger.write(requests.answer, seq)
        assert await ledger.write(requests.unanswered) == []


@EVERYWHERE
async def test_many_are_asked_together_and_answered_one_by_one(path):
    """They keep their order; what is taken back is not heeded, and what was heeded before that stays answered."""
    async with Ledger(path) as ledger:
        reader = LedgerReader(path)
        numbers = reader.ask(requests.ask, RequestKind.SETTLE, ["a", "b", "c"])
        assert [each.argument for each in await ledger.write(requests.unanswered)] == ["a", "b", "c"]
        await ledger.write(requests.answer, numbers[1], {"status": "done"})
        reader.ask(requests.take_back, numbers[:2])
        assert [each.argument for each in await ledger.write(requests.unanswered)] == ["c"]
        assert reader.read(requests.answers, numbers) == {numbers[0]: None, numbers[1]: {"status": "done"}}


@EVERYWHERE
async def test_a_word_to_stop_is_not_for_the_next_run(path):
    """What was asked of a run that ended before it looked stops nobody else."""
    async with Ledger(path):
        LedgerReader(path).ask(requests.ask, RequestKind.CANCEL)
    async with Ledger(path) as ledger:
        assert await ledger.write(requests.unanswered) == []


@EVERYWHERE
async def test_the_owner_is_known(path):
    """Whoever asks is told which process is asked."""
    async with Ledger(path):
        owner = LedgerReader(path).read(requests.last_owner)
    assert owner.pid == os.getpid()
    assert str(owner).startswith(f"process {os.getpid()} on ")


def test_an_owner_of_an_earlier_version_cannot_be_asked(tmp_path):
    """Its ledger has no place for requests, and nobody but its owner may change its tables."""
    path = Path(shutil.copy(KEPT / "schema_2.sqlite3", tmp_path / "ledger.sqlite3"))
    with pytest.raises(LedgerError, match="earlier version"):
        LedgerReader(path).ask(requests.ask, RequestKind.CANCEL)
