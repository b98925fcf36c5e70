from __future__ import annotations

import asyncio
import os

import pytest

from pipelines.actions.cancel import call_off, cancel_run
from pipelines.core.errors import LedgerError, SetupError
from pipelines.core.status import JobStatus
from pipelines.ledger import requests
from pipelines.ledger.ledger import SANDBOX_BILL, Ledger


async def test_who_is_asked_is_told_before_the_waiting(tmp_path):
    """The run that owns the folder is named, and the wait ends when it has given the folder back."""
    told, path = [], tmp_path / "ledger.sqlite3"
    async with Ledger(path) as ledger:
        waiting = asyncio.create_task(asyncio.to_thread(cancel_run, tmp_path, told=told.append))
        for _ in range(1000):
            if await ledger.write(requests.unanswered):
                break
            await asyncio.sleep(0.01)
    found = await waiting
    assert (found.stopped, found.asked.pid, told) == (True, os.getpid(), [found.asked])


async def test_the_waiting_is_bounded(tmp_path):
    """A run that does not stop in time is said not to have stopped; it was asked all the same."""
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        found = await asyncio.to_thread(cancel_run, tmp_path, patience_s=0)
        assert (found.stopped, len(await ledger.write(requests.unanswered))) == (False, 1)


async def test_nobody_is_asked_where_no_run_is(tmp_path):
    """A folder whose run has ended is left as it is; one without a ledger is an error."""
    async with Ledger(tmp_path / "ledger.sqlite3"):
        pass
    assert cancel_run(tmp_path).asked is None
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        assert await ledger.write(requests.unanswered) == []
    with pytest.raises(LedgerError):
        cancel_run(tmp_path / "nothing")


async def test_what_no_provider_takes_is_left_with_a_reason(studio, monkeypatch):
    """A profile without `paths.cancel`, or a key that is gone: nothing is sent, and the job is as it was."""
    studio.sandbox.faults(
        {"match": {"route": "status"}, "do": {"status": 503}}
    )  # it does not come to its end meanwhile
    await studio.interrupt(studio.job("a"), when=lambda run: run.status_of("a") is JobStatus.WAITING)
    folder = studio.folder / "out"
    found = await call_off(folder)
    assert (found.asked, found.left) == ((), {"a": "the profile of qiniu has no `paths.cancel`"})
    monkeypatch.delenv("QINIU_API_KEY")
    assert (await call_off(folder)).left == {"a": "set QINIU_API_KEY"}
    assert studio.records()["a"].status is JobStatus.WAITING


async def test_a_rehearsal_has_nothing_at_a_provider(tmp_path):
    """Its jobs are the sandbox's, which is gone."""
    async with Ledger(tmp_path / "ledger.sqlite3"):
        (tmp_path / SANDBOX_BILL).touch()
    with pytest.raises(SetupError, match="nothing at a provider"):
        await call_off(tmp_path)
