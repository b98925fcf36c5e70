"""Every command about a campaign whose ledger is in a database: the output folder remembers where that is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from functools import partial

import psycopg
import pytest

from pipelines.actions.adopt import adopt_line
from pipelines.actions.archive import archive_jobs
from pipelines.actions.cancel import cancel_run
from pipelines.actions.collect import campaigns_below, collect_folder, expiring_clips
from pipelines.actions.evidence import gather_evidence
from pipelines.actions.known_batch import refresh_after_a_kill
from pipelines.actions.listing import list_jobs
from pipelines.actions.overview import campaign_overview
from pipelines.actions.prospect import prospect
from pipelines.actions.redo import begin_redo, plan_redo
from pipelines.actions.resolve import adopt_id
from pipelines.actions.retry import begin_retry, plan_retry
from pipelines.actions.verify import verify_folder
from pipelines.catalogue.load import load_manifest
from pipelines.core.errors import BoughtBefore, LedgerError
from pipelines.core.status import JobStatus
from pipelines.inbox.watch import is_begun
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.ledger.storage import postgres
from pipelines.ledger.storage.place import LEDGER_NAME, PLACE_NOTE, SharedLedger, place_named
from pipelines.purchases.index import Intention, Place, PurchaseIndex
from pipelines.purchases.likeness import likenesses
from pipelines.run import requests as of_run
from pipelines.run.options import RunOptions
from pipelines.run.requests import heed_requests
from tests.pipelines.actions.conftest import BOUGHT


@pytest.fixture
def short_lease(monkeypatch):
    """Whoever waits whether an owner lives waits for a second."""
    monkeypatch.setattr(postgres, "LEASE_S", 1.0)
    monkeypatch.setattr(postgres.PostgresStorage, "beat_every_s", 0.1)


@pytest.mark.long
async def test_every_command_finds_the_ledger(studio, own_database, run_on):
    """Resolved, retried, made anew, verified, archived, collected, listed: as with a file, and bought once each."""
    jobs = [studio.job(name, provider="openai") for name in "abcd"]
    failing = {"match": {"route": "submit", "nth": [2]}, "do": {"outcome": "generation_failed"}}
    studio.sandbox.faults(BOUGHT, failing)
    ended = await studio.make(*jobs, ledger=own_database, in_flight=1)
    studio.sandbox.faults()
    folder = studio.folder / "out"
    assert ended.statuses["a"] is JobStatus.IN_DOUBT
    assert not (folder / LEDGER_NAME).exists()
    assert isinstance(ledger_in(folder), SharedLedger)

    candidates = (await gather_evidence(folder, "a")).candidates
    await adopt_id(folder, "a", candidates[0].listed.job.id)
    assert (await collect_folder(folder)).recovered == ("a",)
    plan = plan_retry(folder)
    assert plan.ids == ("b",)
    await run_on(*await begin_retry(plan))
    again = plan_redo(folder, "c")
    await run_on(*await begin_redo(again))
    (folder / "videos" / "d.mp4").unlink()
    assert [clip.whole_again for clip in (await verify_folder(folder)).bad] == [True]
    assert await archive_jobs(folder, ["d"]) == ["d"]

    assert campaigns_below(studio.folder) == [folder]
    assert (is_begun(folder), expiring_clips(folder, datetime(2000, 1, 1, tzinfo=UTC))) == (True, [])
    assert cancel_run(folder).stopped
    assert {row.id: row.status for row in list_jobs(folder, everything=True)} == dict.fromkeys(
        ("a", "b", "c", "c-r2", "d"), JobStatus.DONE
    )
    shown = campaign_overview(folder)
    assert (shown.folder, shown.counts.counts, shown.counts.running) == (folder, {JobStatus.DONE: 3}, False)
    assert sorted(load_manifest(folder)["id"]) == ["a", "b", "c", "c-r2", "d"]
    assert sorted(name for _, name in studio.bought()) == ["a", "b", "b", "c", "c", "d"]


@pytest.mark.long
async def test_a_folder_keeps_the_ledger_that_it_began_with(studio, own_database, monkeypatch):
    """`--ledger` forgotten, or another one named, buys nothing again; `REELBATCH_LEDGER` is for new folders."""
    job = studio.job("a")
    await studio.make(job, ledger=own_database)
    assert (await studio.make(job)).statuses == {"a": JobStatus.DONE}
    for other in (str(studio.folder / "b.sqlite3"), "postgresql://127.0.0.1:1/reels"):
        with pytest.raises(LedgerError, match=r"what was paid for is written there; --ledger names"):
            await studio.make(job, ledger=other)
    monkeypatch.setenv("REELBATCH_LEDGER", own_database)
    own = studio.folder / "own"
    own.mkdir()
    (own / LEDGER_NAME).touch()
    assert (await studio.make(job, out=own, again=True)).statuses == {"a": JobStatus.DONE}
    assert not (own / PLACE_NOTE).exists()
    assert len(studio.bill()) == 2
    # a new folder elsewhere goes on with the campaign of its name, as another machine would
    assert (await studio.make(job, out=studio.folder / "elsewhere")).statuses == {"a": JobStatus.DONE}
    assert len(studio.bill()) == 2
    assert json.loads((studio.folder / "elsewhere" / PLACE_NOTE).read_text("utf-8"))["campaign"] == "x"


async def test_a_plan_looks_into_a_database_and_leaves_it_as_it_is(studio, own_database, short_lease):
    """What is new, what is there and what was bought before, as with a file; a new campaign is not made by looking."""
    batch = studio.batch([studio.job("a"), studio.job("b")])
    options = RunOptions(out=studio.folder / "out", ledger=own_database, only=("a",))
    look = partial(prospect, batch, options)
    assert [job.id for job in look().new] == ["a"]
    with psycopg.connect(own_database) as server:
        assert server.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'reelbatch%'").fetchone() == (0,)
    async with studio.opened(studio.job("a"), ledger=own_database, only=("a",)) as run:
        assert (await asyncio.to_thread(look)).running
        await studio.work(run)
    found = prospect(batch, options.model_copy(update={"only": ()}))
    assert ([job.id for job in found.new], dict(found.counts)) == (["b"], {JobStatus.PLANNED: 1, JobStatus.DONE: 1})
    elsewhere = options.model_copy(update={"out": studio.folder / "elsewhere", "ledger": None})
    assert [each.job.id for each in prospect(batch, elsewhere).repeats] == ["a"]
    assert sorted(studio.records()) == ["a"]


async def test_what_a_database_has_lost_comes_from_the_index(studio, own_database):
    """A campaign that is gone from the database is made anew with all that was bought; nothing is bought again."""
    await studio.make(studio.job("a"), ledger=own_database)
    (studio.folder / "out" / "manifest.jsonl").write_text(
        json.dumps({"task_id": studio.records()["a"].provider_job_id, "billed": "yes", "status": "done"}) + "\n"
    )
    with psycopg.connect(own_database, autocommit=True) as server:
        server.execute(f'DROP SCHEMA "{postgres.space_of("x")}" CASCADE'.encode())
    again = await studio.make(studio.job("a"))
    assert again.statuses.keys() == {"a"}
    assert len(studio.bill()) == 1


async def test_a_run_that_was_killed_is_no_rival_for_ever(studio, own_database, short_lease):
    """While its lease lasts nobody knows; then what it has bought is read in its database, and is not bought again."""
    job, elsewhere = studio.job("a"), {"out": studio.folder / "elsewhere", "again": False}
    async with studio.opened(job, ledger=own_database):
        with pytest.raises(BoughtBefore, match="may be bought now by the run into"):
            await studio.make(job, **elsewhere)
    await studio.make(job, ledger=own_database)
    index, place = PurchaseIndex(), Place("", str(studio.folder / "out"), "x", None, "")
    with sqlite3.connect(index.path) as file:
        file.execute("DELETE FROM purchase WHERE folder = ?", (place.folder,))
    index.announce(Intention(place, own_database.partition("?")[0], {}))  # as one that was killed leaves it
    with psycopg.connect(own_database, autocommit=True) as server:  # and its lease, which nobody renews
        server.execute(
            f'UPDATE "{postgres.space_of("x")}".lease SET beat = extract(epoch FROM clock_timestamp())'.encode()
        )
    with pytest.raises(BoughtBefore, match="was bought before"):
        await studio.make(job, **elsewhere)
    assert len(studio.bill()) == 1


async def test_a_campaign_is_taken_over_into_another_folder(studio, own_database, short_lease):
    """What a run that was killed was about to buy is bought by whoever owns the campaign now, and once."""
    jobs, there = [studio.job("a"), studio.job("b")], studio.folder / "there"
    await studio.make(jobs[0], ledger=own_database)
    place = Place("", str(studio.folder / "out"), "x", None, "")
    likely = likenesses(jobs)
    wanted = {each.goods: {"any": False} for each in likely.values()}
    PurchaseIndex().announce(Intention(place, own_database.partition("?")[0], wanted))
    ended = await studio.make(*jobs, ledger=own_database, out=there)
    assert ended.statuses == dict.fromkeys("ab", JobStatus.DONE)
    assert sorted(name for _, name in studio.bought()) == ["a", "b"]


async def test_a_catalogue_that_a_kill_has_left_behind_is_written_anew(studio, own_database):
    """`status` and `collect` see by the database that the manifest is older than what is known."""
    await studio.make(studio.job("a"), ledger=own_database)
    folder = studio.folder / "out"
    reader = LedgerReader(ledger_in(folder))
    assert await refresh_after_a_kill(reader)
    assert not await refresh_after_a_kill(reader)
    assert load_manifest(folder)["id"].tolist() == ["a"]


async def test_the_owner_of_a_shared_ledger_is_asked(studio, own_database):
    """A person's word reaches the run that works elsewhere, through the database."""
    async with studio.opened(studio.job("a"), ledger=own_database) as run:
        reader = LedgerReader(ledger_in(studio.folder / "out"))
        assert reader.is_being_written()
        assert campaign_overview(studio.folder / "out").counts.running
        heeding = asyncio.create_task(heed_requests(run))
        assert await archive_jobs(studio.folder / "out", ["a"]) == ["a"]
        await studio.until(lambda: run.states["a"].archived)  # the ledger first, then its own memory
        heeding.cancel()


async def test_another_campaign_of_the_same_name_is_refused(studio, own_database):
    """Of two people who call their batch the same, the second is told, and nothing of the first one's is touched."""
    await studio.make(studio.job("a"), ledger=own_database)
    other = studio.folder / "other"
    with pytest.raises(LedgerError, match=r"has a campaign x already, made from .*x\.jsonl"):
        await studio.make(studio.job("b"), ledger=own_database, out=other)
    assert not (other / PLACE_NOTE).exists()
    assert list(studio.records()) == ["a"]
    assert len(studio.bill()) == 1


async def test_a_run_that_was_taken_over_ends(studio, own_database, monkeypatch):
    """It looks for requests now and then, and hears it there, though it has nothing to write."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    async with studio.opened(studio.job("a"), ledger=own_database) as run:
        await run.ledger.write(lambda c: c.exec_driver_sql("UPDATE lease SET epoch = epoch + 1"))
        await asyncio.wait_for(heed_requests(run), 10)
        assert run.stop.is_set()
    assert studio.result.exit_code == 2


@pytest.mark.long
async def test_a_server_that_goes_in_the_middle_of_an_order(studio, own_database, monkeypatch, capsys):
    """The id is cried out and nothing more is sent; the next run says that the order is in doubt, and the line is taken back."""
    monkeypatch.setattr(postgres, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(postgres, "LEASE_S", 0.5)
    jobs = [studio.job("a"), studio.job("b")]
    studio.sandbox.faults({"match": {"route": "submit"}, "do": {"delay": 0.5}})
    async with studio.opened(*jobs, ledger=own_database, in_flight=1) as run:
        working = asyncio.create_task(studio.work(run))
        await studio.until(lambda: "sending" in studio.attempts())
        run.ledger._storage.place = place_named("postgresql://127.0.0.1:1/reels", studio.folder / "out", "x")
        with psycopg.connect(own_database, autocommit=True) as server:
            server.execute(_END_THEM)
        await working
    studio.sandbox.faults()
    assert studio.result.exit_code == 4  # a person must look
    said = capsys.readouterr().err
    [line] = [line for line in said.splitlines() if "PAID, AND NOT RECORDED" in line]
    assert "own_" not in line.partition("Keep this line")[2]  # it names the folder, which knows the database

    ended = await studio.make(*jobs, ledger=own_database)
    assert ended.statuses == {"a": JobStatus.IN_DOUBT, "b": JobStatus.DONE}
    assert ended.code == 4
    await adopt_line(line)
    assert (await studio.make(*jobs)).statuses == dict.fromkeys("ab", JobStatus.DONE)
    assert sorted(name for _, name in studio.bought()) == ["a", "b"]


_END_THEM = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reelbatch'"
