"""A ledger in a database that several campaigns, processes and machines share."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from pipelines.core.errors import LedgerError, LedgerOwned
from pipelines.core.status import JobStatus
from pipelines.ledger import attempts, registration, views
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage import group_commit, postgres
from pipelines.ledger.storage.place import place_named
from pipelines.ledger.storage.postgres import PostgresStorage, space_of
from pipelines.ledger.storage.schema import SCHEMA_VERSION


@pytest.fixture(name="place")
def place_of_a_new_campaign(postgres, tmp_path):
    return place_named(postgres, tmp_path, f"Spring & Söhne/{uuid4()}")


@pytest.fixture
def quick(monkeypatch):
    """Owners are heard ten times a second, and taken for dead after half a second."""
    monkeypatch.setattr(PostgresStorage, "beat_every_s", 0.1)
    monkeypatch.setattr(postgres, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(postgres, "LEASE_S", 0.5)


@pytest.fixture
def sql(postgres, place):
    """Run statements as somebody else, in the schema of the campaign."""

    def run(*statements):
        engine = create_engine(place.url)
        with engine.connect() as connection, connection.begin():
            connection.execute(text(f'SET LOCAL search_path TO "{space_of(place.campaign)}"'))
            found = [connection.execute(text(statement)) for statement in statements][-1]
            rows = found.all() if found.returns_rows else []
        engine.dispose()
        return rows

    return run


OTHERS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'reelbatch'"


def _storage(ledger: Ledger) -> PostgresStorage:
    storage = ledger._storage
    assert isinstance(storage, PostgresStorage)
    return storage


async def test_x01_a_second_owner_leaves_naming_the_first(place, quick):
    """As soon as the first is heard again; and it may have the campaign once that has ended, without waiting."""
    async with Ledger(place) as first:
        with pytest.raises(LedgerOwned, match=f"Spring & Söhne.*process {os.getpid()} on"):
            async with Ledger(place):
                pass
        assert await first.write(views.states) == {}
        assert LedgerReader(place).is_being_written()
    assert not LedgerReader(place).is_being_written()
    began = time.monotonic()
    async with Ledger(place):
        assert time.monotonic() - began < postgres.LEASE_S + 5


async def test_x02_a_paused_owner_that_returns_writes_nothing(place, quick, register, claim, make_job):
    """It is not heard, so another takes over; what the first wakes up with is refused, and so is the mark before a byte."""
    async with Ledger(place) as paused:
        await register(paused, make_job())
        claimed = await claim(paused, make_job())
        paused._beating.cancel()
        async with Ledger(place) as second:
            for work in (lambda c: attempts.mark_sending(c, claimed), views.states):
                with pytest.raises(LedgerError, match="has taken the campaign"):
                    await paused.write(work)
            (state,) = (await second.write(views.states)).values()
            assert state.status is JobStatus.PLANNED
    assert not LedgerReader(place).is_being_written()


async def test_x02_an_owner_that_stops_in_a_transaction_holds_up_nobody_for_ever(place, quick, monkeypatch):
    """The server ends a transaction that stands still; whoever waits for its end takes over then."""
    short = postgres._SETTINGS.replace("transaction_session_timeout = 10000", "transaction_session_timeout = 300")
    assert short != postgres._SETTINGS
    monkeypatch.setattr(postgres, "_SETTINGS", short)
    async with Ledger(place) as paused:
        paused._beating.cancel()
        still = asyncio.create_task(paused.write(lambda _: time.sleep(2)))  # in the middle of a transaction
        async with Ledger(place) as second:
            assert await second.write(views.states) == {}
            assert not still.done()
            with pytest.raises(LedgerError, match="has taken the campaign"):
                await still


async def test_x07_a_lost_connection_loses_nothing(place, register, make_job, sql):
    """The server ends every connection again and again: the run goes on, and each job is written once."""
    async with Ledger(place) as ledger:
        await register(ledger, *(make_job(str(number)) for number in range(20)))
        for number in range(20):
            if number % 5 == 0:
                sql(OTHERS)
            change = await ledger.write(_reserve, make_job(str(number)))
            assert change is not None
    assert sql("SELECT count(*), count(DISTINCT job_id) FROM attempt") == [(20, 20)]


def _reserve(connection, job):
    return attempts.claim(connection, job, "account-a", None)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_that_is_cut_is_written_once(place, register, make_job, sql, monkeypatch, committed):
    """Whether the server has a group whose commit was cut is asked of it: it is written once, and its result is known."""
    real, cut = group_commit.GroupCommit._run_and_commit, []

    def run_and_commit(self, group):
        if cut:
            return real(self, group)
        cut.append(1)
        if committed:
            real(self, group)
        else:
            self._storage.begin()
        sql(OTHERS)
        return self._storage.connection.exec_driver_sql("SELECT 1")  # the connection has gone

    async with Ledger(place) as ledger:
        await register(ledger, make_job())
        monkeypatch.setattr(group_commit.GroupCommit, "_run_and_commit", run_and_commit)
        claimed = await ledger.write(_reserve, make_job())
        assert claimed is not None
        assert cut == [1]
        assert sql("SELECT id FROM attempt") == [(claimed[0].attempt_id,)]


async def test_x07_a_database_that_has_forgotten_is_written_no_more(place, register, make_job, sql):
    """After a fail-over to an older copy nothing is sent: what was paid for may be missing there."""
    async with Ledger(place) as ledger:
        await register(ledger, make_job())
        await ledger.write(views.states)
        sql("UPDATE lease SET number = number - 2")
        sql(OTHERS)
        with pytest.raises(LedgerError, match="forgotten"):
            await ledger.write(views.states)


async def test_campaigns_of_one_database_do_not_see_each_other(place, postgres, tmp_path, register, claim, make_job):
    """Equal ids, equal rows, at the same time: each has its own jobs, owner and money."""
    other = place_named(postgres, tmp_path, place.campaign + "/2026-11-21")
    async with Ledger(place) as one, Ledger(other) as two:
        await register(one, make_job(), make_job("b"))
        await register(two, make_job())
        await claim(one, make_job())
        assert (await two.write(views.states))["a"].status is JobStatus.PLANNED
        assert await two.write(views.overview) != await one.write(views.overview)
        assert (await two.write(views.overview)).money == []
        assert list(await two.write(views.states)) == ["a"]


async def test_i07_a_newer_schema_is_refused(place, sql):
    """A newer campaign is neither written nor guessed at, and the others of the database go on."""
    async with Ledger(place):
        pass
    sql(f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'")
    for _ in range(2):
        with pytest.raises(LedgerError, match=f"newer reelbatch .schema {SCHEMA_VERSION + 1}"):
            async with Ledger(place):
                pass
    with pytest.raises(LedgerError, match="newer reelbatch"):
        LedgerReader(place).read(views.states)


async def test_x14_an_older_schema_is_brought_up_to_date_and_kept_as_it_was(place, sql, register, make_job):
    """Who only looks changes nothing; the next run migrates, and the tables as they were lie in a schema beside."""
    async with Ledger(place) as ledger:
        await register(ledger, make_job())
    sql(
        "ALTER TABLE job DROP COLUMN archived_at, DROP COLUMN replaced_by, DROP COLUMN redo_of, DROP COLUMN storage_uri",
        "ALTER TABLE request DROP COLUMN answer",
        "ALTER TABLE attempt DROP COLUMN assumed, DROP COLUMN calls_back",
        "DROP TABLE callback",
        "UPDATE meta SET value = '3' WHERE key = 'schema_version'",
    )
    assert list(LedgerReader(place).read(views.states)) == ["a"]
    assert sql("SELECT value FROM meta WHERE key = 'schema_version'") == [("3",)]
    async with Ledger(place) as ledger:
        assert list(await ledger.write(views.states)) == ["a"]
    kept = f'"{space_of(place.campaign)}_schema_3"'
    assert sql(f"SELECT value FROM {kept}.meta WHERE key = 'schema_version'") == [("3",)]
    assert sql(f"SELECT id FROM {kept}.job") == [("a",)]


async def test_i08_a_campaign_that_is_gone_is_not_begun_anew(place, tmp_path):
    """A folder that shows that there was a ledger, and a database that has none: another one, or an emptied one."""
    (tmp_path / "manifest.jsonl").touch()
    with pytest.raises(LedgerError, match="buy everything again"):
        async with Ledger(place):
            pass
    with pytest.raises(LedgerError, match="empty"):
        LedgerReader(place).read(views.states)


async def test_a_reader_cannot_write(place):
    """A look changes nothing, whatever it tries."""
    async with Ledger(place):
        with pytest.raises(LedgerError, match="read-only"):
            LedgerReader(place).read(lambda c: c.exec_driver_sql("DELETE FROM meta"))


async def test_a_server_that_is_away_is_said_without_user_and_password(tmp_path):
    """One clear error, for who writes and for who looks, that says what to look at; no secret is in it."""
    url = "postgresql://an-ann:s3cret@127.0.0.1:1/reels?password=s3cret"
    place = place_named(url, tmp_path, "spring")
    with pytest.raises(
        LedgerError, match=r"ledger of spring at postgresql://127\.0\.0\.1:\d/reels cannot be used"
    ) as one:
        async with Ledger(place):
            pass
    with pytest.raises(LedgerError) as two:
        LedgerReader(place).read(views.states)
    with pytest.raises(LedgerError) as three:
        LedgerReader(place).is_being_written()
    said = [f"{error.value} {error.value!r} {error.value.__cause__}" for error in (one, two, three)]
    assert not [word for word in said if "s3cret" in word or "an-ann" in word]
    assert one.value.exit_code == 2


async def test_a_server_that_stays_away_in_the_middle_is_said(place, monkeypatch, register, make_job, sql):
    """After some patience the run hears that nothing can be written, and nothing is marked as sent."""
    monkeypatch.setattr(postgres, "_PATIENCE_S", 0.2)
    async with Ledger(place) as ledger:
        await register(ledger, make_job())
        gone = place_named("postgresql://127.0.0.1:1/reels", Path(place.folder), place.campaign)
        _storage(ledger).place = gone
        sql(OTHERS)
        with pytest.raises(LedgerError, match="cannot be used"):
            await ledger.write(views.states)


async def test_owners_that_begin_at_once_make_one_ledger(place, quick):
    """Of several that begin a campaign at the same moment one gets it, and the tables are made once."""

    async def one() -> int:
        with suppress(LedgerOwned):
            async with Ledger(place) as ledger:
                await ledger.write(
                    registration.register, [], campaign="x", path=Path("x.csv"), source_sha256=str(uuid4())
                )
                await asyncio.sleep(1)
                return 1
        return 0

    assert sum(await asyncio.gather(*(one() for _ in range(4)))) >= 1
    assert LedgerReader(place).read(views.attempted) == 0


def test_a_space_has_a_name_that_people_can_read():
    """And that no two campaigns share, nor is longer than PostgreSQL takes."""
    names = ["Spring & Söhne", "spring-s-hne", "Spring & Söhne/2026-11-21", "x" * 300, "春"]
    spaces = [space_of(name) for name in names]
    assert len(set(spaces)) == len(names)
    assert spaces[0].startswith("reelbatch_spring_s_hne_")
    assert max(len(f"{space}_schema_9") for space in spaces) <= 63
