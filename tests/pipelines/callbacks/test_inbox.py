from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import aclosing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.callbacks.inbox import SharedInbox
from pipelines.core.errors import LedgerError
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Accepted, InDoubt
from pipelines.ledger import bought, callbacks
from pipelines.ledger.callbacks import Call, Taken
from pipelines.ledger.storage.callback_keys import register_campaign
from pipelines.ledger.storage.news import news_of
from pipelines.ledger.storage.place import FileLedger
from tests.pipelines.callbacks.conftest import EVERYWHERE
from tests.pipelines.ledger.conftest import tell

NUMBERS = itertools.count()
STORMS = max(15, int(os.environ.get("REELBATCH_FUZZ", "0")))  # each writes some ten times to the disk


@EVERYWHERE
async def test_a_receiver_beside_a_run_writes_and_the_run_hears(ledger, register, accept, make_job, rows):
    """Calls that come together are all on the disk; the run hears of it; another ledger's are unknown."""
    jobs = [make_job(name, row=row) for row, name in enumerate("abcdef", 1)]
    await register(ledger, *jobs)
    claims = [await accept(ledger, job, f"p-{job.id}") for job in jobs]
    name = await ledger.write(bought.ledger_id)
    await asyncio.to_thread(register_campaign, ledger.place, name)
    heard = 0
    async with SharedInbox(ledger.place) as inbox, aclosing(news_of(ledger.place, callbacks.CHANNEL)) as news:
        await anext(news)
        calls = [inbox.take(name, Call(claim.attempt_id, "x", has_ended=True)) for claim in claims]
        assert {receipt.taken for receipt in await asyncio.gather(*calls)} == {Taken.NEW}
        async with asyncio.timeout(5):
            while len(await ledger.write(callbacks.calls_to_heed)) < 6 or heard < 1:
                await anext(news)
                heard += 1
        assert (await inbox.take(name, Call(claims[0].attempt_id, "x"))).taken is Taken.AGAIN
        assert (await inbox.take("0123456789abcdef", Call(claims[0].attempt_id, "y"))).taken is Taken.UNKNOWN
        assert await inbox.attempt_named("qiniu", "p-c") == (name, claims[2].attempt_id)
        await inbox.check()
    await ledger.write(callbacks.mark_heeded, dict.fromkeys(range(1, 7), "woke"))
    assert await ledger.write(callbacks.calls_to_heed) == []


async def test_c15_a_ledger_that_is_away_takes_nothing(tmp_path):
    """Whoever asks hears that it could not be written down, again and again, until it is there."""
    async with SharedInbox(FileLedger(tmp_path / "none.sqlite3", tmp_path)) as inbox:
        for _ in range(2):
            with pytest.raises(LedgerError):
                await inbox.take("0123456789abcdef", Call("a", "x"))


@settings(max_examples=STORMS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_t13_any_storm_of_calls_has_one_effect(data, ledger, claim, register, make_job, rows):
    """Each call many times, shuffled, before and after the answer to the order: a row a call, and the state stays the answer's."""
    from pipelines.ledger import attempts  # noqa: PLC0415 - for this

    name = f"job-{next(NUMBERS)}"
    await register(ledger, make_job(name), sha=name)
    claimed = await claim(ledger, make_job(name))
    assert await ledger.write(attempts.mark_sending, claimed, calls_back=True)
    before = data.draw(st.lists(st.integers(0, 3), max_size=10))
    after = data.draw(st.lists(st.integers(0, 3), max_size=10))
    for number in before:
        await ledger.write(callbacks.take, Call(claimed.attempt_id, str(number), "p", has_ended=True))
    outcome = data.draw(st.sampled_from([Accepted(RemoteJob(name, "video")), InDoubt("reset")]))
    state = (await tell(ledger, claimed, outcome)).state
    for number in after:
        await ledger.write(callbacks.take, Call(claimed.attempt_id, str(number), "p", has_ended=True))
    mine = [row for row in await rows(ledger, "callback") if row["attempt_id"] == claimed.attempt_id]
    assert sorted(row["body_sha256"] for row in mine) == sorted({str(n) for n in before + after})
    pending = [call for call in await ledger.write(callbacks.calls_to_heed) if call.job_id == name]
    assert {call.status for call in pending} <= {state.status}
    await ledger.write(callbacks.mark_heeded, {call.seq: "woke" for call in pending})
