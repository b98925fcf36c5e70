from __future__ import annotations

import asyncio
import json

import pytest

from pipelines.core.status import JobStatus
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.run import RunContext, run_context
from pipelines.run.sharing import LEASE_NOTE


@pytest.fixture
def run_of(studio, limit_server, monkeypatch):
    """Run jobs whose account's limits are kept by a server, in a folder; its time goes on."""
    limit_server.clock = None

    async def run(*jobs, folder="out", halt_at=None, **options):
        token = run_context.set(RunContext(observers=(studio.hear,)))
        chosen = RunOptions(out=studio.folder / folder, poll_every=0.05, **options)
        try:
            async with open_run(studio.batch(jobs), chosen, limits=limit_server) as opened:
                working = asyncio.create_task(studio.work(opened))
                if halt_at is not None:
                    await studio.until(lambda: opened.progress.in_flight >= halt_at)
                    opened.interrupt()
                await working
            return [state.status for state in opened.states.values()]
        finally:
            run_context.reset(token)

    return run


def _names(server):
    return sorted(name for name in server.limits)


def _peak(bill):
    moves = [(line["created"], 1) for line in bill]
    moves += [(line["created"] + line["latency_s"], -1) for line in bill]
    count = most = 0
    for _, move in sorted(moves):
        count += move
        most = max(most, count)
    return most


async def test_two_runs_of_one_account_share_its_slots(studio, limit_server, run_of):
    """Together they never have more at the provider than the account may; afterwards nothing is held."""
    both = ([studio.job(f"{run}{n}") for n in range(12)] for run in "ab")
    ends = await asyncio.gather(*(run_of(*jobs, folder=f"out{n}", in_flight=12) for n, jobs in enumerate(both)))
    assert all(status is JobStatus.DONE for end in ends for status in end)
    assert _peak(studio.bill()) <= 12
    [name] = [name for name in _names(limit_server) if name.endswith("in-flight")]
    assert (limit_server.limits[name]["most"], limit_server.used(name), limit_server.leases) == (12, 0, {})


async def test_without_a_limit_server_nothing_is_shared(studio, limit_server):
    """A rehearsal, or a run with a Prefect server of its own, has its slots and its rate for itself."""
    assert set((await studio.make(studio.job("a"))).statuses.values()) == {JobStatus.DONE}
    assert limit_server.asked == 0
    assert not (studio.folder / "out" / LEASE_NOTE).exists()


async def test_a_run_whose_limits_nobody_keeps_any_more_ends_well(studio, limit_server, run_of, monkeypatch):
    """The server may be away from the first moment: it is said once, and every clip is made."""
    monkeypatch.setattr("pipelines.pacing.limit_server.GRACE_S", 0.1)
    limit_server.away = True
    assert set(await run_of(*(studio.job(f"j{n}") for n in range(5)))) == {JobStatus.DONE}
    assert sum("cannot be asked about account limits" in words for words in studio.said) == 1


async def test_what_a_killed_run_held_is_freed_by_its_next_run(studio, limit_server, run_of):
    """Its leases stand beside its ledger: the same command does not wait for their end."""
    await run_of(studio.job("a"), in_flight=2)
    [name] = [name for name in _names(limit_server) if name.endswith("in-flight")]
    held = await limit_server.lease(name, 2)
    (studio.folder / "out" / LEASE_NOTE).write_text(json.dumps({name: [held]}), "utf-8")
    assert set(await run_of(studio.job("a"), studio.job("b"), in_flight=2)) == {JobStatus.DONE}
    assert limit_server.used(name) == 0
    assert not (studio.folder / "out" / LEASE_NOTE).exists()


@pytest.mark.parametrize("words", ["", "{", "[]", '{"a": 3}', '{"a": [3]}', "null"])
async def test_a_note_that_cannot_be_read_is_no_matter(studio, limit_server, run_of, words):
    """It only saves waiting."""
    folder = studio.folder / "out"
    folder.mkdir()
    (folder / LEASE_NOTE).write_text(words, "utf-8")
    assert await run_of(studio.job("a")) == [JobStatus.DONE]


async def test_jobs_that_a_stopped_run_leaves_at_the_provider_keep_their_slots(studio, limit_server, run_of, provider):
    """Until the leases end, or until the next run of the folder counts them itself."""
    provider.faults({"match": {"route": "status"}, "do": {"status": 503}})
    jobs = [studio.job(f"j{n}") for n in range(4)]
    await run_of(*jobs, in_flight=3, halt_at=3)
    [name] = [name for name in _names(limit_server) if name.endswith("in-flight")]
    assert limit_server.used(name) == 3
    provider.faults()
    assert set(await run_of(*jobs, in_flight=3)) == {JobStatus.DONE}
    assert limit_server.used(name) == 0


async def test_a_bug_in_keeping_a_limit_stops_no_run(studio, limit_server, run_of, monkeypatch, caplog):
    """Nobody waits for ever for slots, or for a turn, that nobody gives out any more."""

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(limit_server, "look", broken)
    assert set(await run_of(*(studio.job(f"j{n}") for n in range(4)))) == {JobStatus.DONE}
    assert "is not kept any more" in caplog.text
