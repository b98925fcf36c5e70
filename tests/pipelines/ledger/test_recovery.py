from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.core.errors import LedgerError
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Done, Failed, InDoubt, Parked, Ready
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import attempts, outcomes, recovery, views
from pipelines.ledger.job_state import state_of
from pipelines.ledger.ledger import Ledger
from tests.pipelines.ledger.conftest import EVERYWHERE, tell

END = {"completed_at": datetime(2026, 1, 1, tzinfo=UTC), "url_expires_at": None}


@EVERYWHERE
async def test_i01_claimed_becomes_not_sent(path, register, claim, make_job, rows, buckets):
    """A run that died before the last commit has surely sent nothing: the job is planned again, its money free."""
    async with Ledger(path) as dead:
        await register(dead, make_job())
        await claim(dead, make_job())
    async with Ledger(path) as ledger:
        assert [a["state"] for a in await rows(ledger)] == ["not_sent"]
        assert (await ledger.write(state_of, "a")).status is JobStatus.PLANNED
        assert await buckets(ledger) == (0, 0, 0)
        await claim(ledger, make_job())


@EVERYWHERE
async def test_i02_sending_becomes_in_doubt(path, register, send, make_job, rows, buckets):
    """A run that died after the last commit may have paid: the job is in doubt, and is not sent again."""
    async with Ledger(path) as dead:
        await register(dead, make_job())
        await send(dead, make_job())
    async with Ledger(path) as ledger:
        assert [a["state"] for a in await rows(ledger)] == ["in_doubt"]
        assert await buckets(ledger) == (0, 0, 40)
        assert (await ledger.write(outcomes.reserve, make_job(), "account-a", None)).state.status is JobStatus.IN_DOUBT
        [job] = await rows(ledger, "job")
        assert "may have been accepted and charged" in job["error_message"]


@pytest.mark.parametrize("status", ["waiting", "ready", "parked", "done", "failed", "in_doubt"])
async def test_w01_everything_later_goes_on_where_it_was(path, register, send, accept, make_job, rows, status):
    """Taking over changes nothing about a job that was answered, however often it is done."""
    async with Ledger(path) as first:
        await register(first, make_job())
        if status == "in_doubt":
            await tell(first, await send(first, make_job()), InDoubt(reason="reset"))
        else:
            await accept(first, make_job())
        if status == "ready":
            await tell(first, "a", Ready(**END))
        elif status == "parked":
            await tell(first, "a", Parked(stage="generate", code="deadline", message="m"))
        elif status == "done":
            await tell(first, "a", Done(output={}, flags=(), **END))
        elif status == "failed":
            await tell(
                first, "a", Failed(status=JobStatus.FAILED, stage="generate", code="c", message="m", billed=Billed.NO)
            )
        before = (await rows(first), await rows(first, "job"), await rows(first, "account"))
    for _ in range(2):
        async with Ledger(path) as ledger:
            assert (await rows(ledger), await rows(ledger, "job"), await rows(ledger, "account")) == before
            assert before[1][0]["status"] == status


@EVERYWHERE
async def test_the_epoch_grows_with_every_run(path, rows):
    """Each run has a number of its own, and says since when and by which process."""
    epochs = []
    for _ in range(3):
        async with Ledger(path) as ledger:
            [owner] = await rows(ledger, "owner")
            epochs.append(owner["epoch"])
    assert epochs == [1, 2, 3]


async def test_an_older_run_writes_nothing_after_a_recover(path, register, claim, make_job, rows):
    """The fence: a run that was taken over, and wakes up, cannot mark its claim as sending, nor write anything else."""
    async with Ledger(path) as zombie:
        await register(zombie, make_job())
        claimed = await claim(zombie, make_job())
        await zombie.write(recovery.recover)  # as another process would, its lock lost
        before = None
        for work in (
            lambda c: attempts.mark_sending(c, claimed),
            lambda c: attempts.accepted(c, claimed, RemoteJob("p"), None),
            lambda c: outcomes.parked(c, "a", stage="x", code="y", message="z"),
            views.states,
        ):
            with pytest.raises(LedgerError, match="Another run"):
                await zombie.write(work)
        zombie._storage._epoch += 1  # the only way to look
        before = await rows(zombie)
    assert [a["state"] for a in before] == ["not_sent"]
