"""A ledger that an earlier version wrote opens in this one: `ledgers/` keeps one of each schema, killed mid-way."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.core.status import JobStatus
from pipelines.ledger import balances, views
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage.schema import SCHEMA_VERSION, metadata

KEPT = Path(__file__).parent / "ledgers"
#: Of each: 29 jobs of every mode, some refused and in doubt, and nine on their way when the process was killed.
COUNTS = {"submitting": 9, "in_doubt": 1, "done": 16, "rejected": 1, "failed": 2}


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def old(request, tmp_path):
    """A copy of a ledger of each older schema."""
    return Path(shutil.copy(KEPT / f"schema_{request.param}.sqlite3", tmp_path / "ledger.sqlite3"))


def _columns(path):
    with closing(sqlite3.connect(path)) as database:
        return {table: {row[1] for row in database.execute(f"PRAGMA table_info({table})")} for table in metadata.tables}


def test_every_older_schema_has_its_ledger():
    """Whoever raises the version keeps a ledger of the one before, so that its migration stays tested."""
    assert sorted(path.stem for path in KEPT.iterdir()) == [f"schema_{n}" for n in range(1, SCHEMA_VERSION)]


async def test_a_price_of_which_nothing_was_said_counts_as_assumed(old):
    """In none of these was it written down whether a price was published: every sum says so, and all agree."""
    async with Ledger(old) as ledger:
        [held] = await ledger.write(balances.balances)
        assert await ledger.write(lambda connection: balances.sum_of(balances.payments(connection))) == [held]
        records = await ledger.write(lambda connection: [r for r in views.records(connection) if r.payments])
    assert held.spent > 0
    assert (held.spent_assumed, held.uncertain_assumed) == (held.spent, held.uncertain)
    assert all(record.assumed for record in records)


async def test_a_run_brings_an_old_ledger_up_to_date(old, tmp_path):
    """Every column has its name of today, and jobs, attempts, money and history are as they were."""
    with closing(sqlite3.connect(old)) as database:
        before = {t: database.execute(f"SELECT count(*) FROM {t}").fetchone() for t in ("job", "attempt", "event")}
        money = database.execute("SELECT * FROM account").fetchall()
        bucket = "pot" if "pot" in _columns(old)["attempt"] else "bucket"
        by_bucket = database.execute(f"SELECT {bucket}, sum(cost_micros) FROM attempt GROUP BY {bucket}").fetchall()
    async with Ledger(old) as ledger:
        states = await ledger.write(views.states)
        records = await ledger.write(lambda connection: list(views.records(connection)))
    assert _columns(old) == {name: {c.name for c in table.c} for name, table in metadata.tables.items()}
    with closing(sqlite3.connect(old)) as database:
        assert {t: database.execute(f"SELECT count(*) FROM {t}").fetchone() for t in ("job", "attempt")} == {
            t: before[t] for t in ("job", "attempt")
        }
        assert database.execute("SELECT count(*) FROM event").fetchone() > before["event"]
        [(_, reserved, spent, uncertain)] = database.execute("SELECT * FROM account").fetchall()
        [(_, reserved_before, spent_before, uncertain_before)] = money
        # The nine on their way are in doubt now: what was reserved for them may have been paid.
        assert (reserved, spent, uncertain) == (0, spent_before, uncertain_before + reserved_before)
        assert dict(by_bucket)["spent"] == spent
    now = {name: count for name, count in COUNTS.items() if name != "submitting"} | {"in_doubt": 10}
    assert Counter(state.status for state in states.values()) == now
    assert {record.job.id for record in records if record.job.fallback_index} == {
        record.job.id for record in records if any(flag.startswith("fallback_from:") for flag in record.flags)
    }
    [schema] = (
        sqlite3.connect(f"file:{old}?mode=ro", uri=True)
        .execute("SELECT value FROM meta WHERE key = 'schema_version'")
        .fetchone()
    )
    assert schema == str(SCHEMA_VERSION)


async def test_x14_the_ledger_as_it_was_is_kept(old):
    """A copy lies beside it, for its owner's eyes, that an older version can still read; a second run makes no other."""
    with closing(sqlite3.connect(old)) as database:
        version = database.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()[0]
        before = database.execute("SELECT * FROM job ORDER BY id").fetchall()
    for _ in range(2):
        async with Ledger(old):
            pass
    kept = old.with_name(f"ledger.schema-{version}.sqlite3")
    assert sorted(path.name for path in old.parent.glob("*ledger.schema*")) == [kept.name]
    assert kept.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("SELECT * FROM job ORDER BY id").fetchall() == before


def test_who_only_looks_changes_nothing(old):
    """`status` and `ls` read an old ledger as it is, before any run has brought it up to date."""
    before = old.read_bytes()
    reader = LedgerReader(old)
    overview = reader.read(views.overview)
    assert overview.counts == {JobStatus(name): count for name, count in COUNTS.items()}
    assert len(reader.read(lambda connection: list(views.records(connection)))) == 29
    assert old.read_bytes() == before


async def test_a_migration_that_fails_leaves_the_old_ledger(old, monkeypatch):
    """All or nothing: half a migration is rolled back with its transaction, and the next run begins it again."""

    def fail(*_):
        raise RuntimeError("no power")

    before = _columns(old)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.ledger.ledger.recover", fail)
        with pytest.raises(RuntimeError, match="no power"):
            async with Ledger(old):
                pass
    assert _columns(old) == before
    async with Ledger(old) as ledger:
        assert len(await ledger.write(views.states)) == 29
