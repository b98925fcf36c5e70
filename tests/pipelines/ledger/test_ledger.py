from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from pipelines.core.errors import DiskFull, LedgerError, LedgerOwned
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Accepted
from pipelines.core.status import JobStatus
from pipelines.ledger import attempts, views
from pipelines.ledger.ledger import Ledger, LedgerReader, last_resort_record, ledger_in
from pipelines.ledger.storage.schema import SCHEMA_VERSION
from pipelines.ledger.storage.sqlite import is_disk_full
from tests.pipelines.ledger.conftest import tell


def _run(code, path):
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=False)


async def test_the_ledger_is_for_its_owners_eyes(path):
    """Prompts and ids are private: the file and its lock can be read by their owner only, from their first byte on."""
    async with Ledger(path):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes[path.name] == modes[".ledger-owner"] == 0o600


async def test_an_old_ledger_keeps_its_mode(path):
    """Whoever opened a ledger for a group on purpose finds it open."""
    async with Ledger(path):
        pass
    path.chmod(0o640)
    async with Ledger(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["a b", "50%", "100%25", "a#b", "what?", "mode=ro&x", "ü漢🎬", "it's", "a:b", '"'])
async def test_any_folder_name_will_do(tmp_path, name):
    """The ledger lies in the folder that was named, whatever characters are in its name."""
    path = tmp_path / name / "ledger.sqlite3"
    async with Ledger(path):
        pass
    assert LedgerReader(path).read(views.states) == {}
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "content",
    [b"garbage" * 1000, b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 4000, b"x", b"\xef\xbb\xbfid,prompt\n"],
    ids=["text", "zeros", "sqlite header", "one byte", "a batch file"],
)
async def test_garbage_is_refused_with_a_word(path, content):
    """A file that is no database gives a LedgerError, to writer and reader, and is left as it was."""
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3"):
        async with Ledger(path):
            pass
    with pytest.raises(LedgerError):
        LedgerReader(path).read(views.states)
    assert path.read_bytes() == content


async def test_a_damaged_page_is_refused_with_a_word(path, register, make_job):
    """A ledger whose middle was overwritten gives a LedgerError, not a traceback."""
    async with Ledger(path) as ledger:
        await register(ledger, *[make_job(f"j{n}", prompt="x" * 200) for n in range(300)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))
    with pytest.raises(LedgerError):
        async with Ledger(path) as ledger:
            await ledger.write(views.states)


async def test_another_database_is_left_alone(path):
    """A database of another program is not turned into a ledger."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (id)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="no ledger"):
        async with Ledger(path):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [str(SCHEMA_VERSION + 1), "99", "newer", ""])
async def test_i07_a_newer_schema_is_refused(path, version):
    """A ledger of a newer reelbatch is neither written nor guessed at; the message says which version it needs."""
    async with Ledger(path) as ledger:
        await ledger.write(
            lambda c: c.exec_driver_sql("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
        )
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=f"newer reelbatch .schema {version}"):
        async with Ledger(path):
            pass
    with pytest.raises(LedgerError, match="newer reelbatch"):
        LedgerReader(path).read(views.states)
    assert path.read_bytes() == before


async def test_i08_a_lost_ledger_is_not_begun_anew(path):
    """Where a manifest shows that a ledger was, a new one would buy everything again: it is refused, with a way out."""
    (path.parent / "manifest.jsonl").write_text("{}\n")
    with pytest.raises(LedgerError, match=r"is gone.*Put it back"):
        async with Ledger(path):
            pass
    assert not path.exists()


async def test_i08_the_manifest_is_looked_for_in_the_output_folder(path, tmp_path):
    """A ledger that lies elsewhere is missed all the same."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "manifest.jsonl").touch()
    with pytest.raises(LedgerError, match="is gone"):
        async with Ledger(path, folder=folder):
            pass


async def test_i08_a_folder_without_a_manifest_is_new(path):
    """Clips that somebody put into the folder do not stand in the way of a first run, nor a manifest of a second."""
    (path.parent / "videos").mkdir()
    (path.parent / "videos" / "own.mp4").touch()
    async with Ledger(path):
        (path.parent / "manifest.jsonl").touch()
    async with Ledger(path):
        pass


async def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    """An output folder below a file gives a LedgerError."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be opened"):
        async with Ledger(tmp_path / "file" / "ledger.sqlite3"):
            pass


async def test_a_second_run_is_refused_and_the_first_goes_on(path, register, make_job):
    """Two runs on one folder: the second hears who works there, the first notices nothing."""
    async with Ledger(path) as first:
        with pytest.raises(LedgerOwned, match=r"process \d+ on"):
            async with Ledger(path):
                pass
        await register(first, make_job())
    async with Ledger(path):
        pass


async def test_a_closed_ledger_says_so(path):
    """Writing after the end is a LedgerError, not a crash of the executor."""
    async with Ledger(path) as ledger:
        pass
    with pytest.raises(LedgerError, match="closed"):
        await ledger.write(views.states)


async def test_work_that_fails_leaves_nothing_behind(ledger, register, make_job):
    """A transaction that raises is undone, and the next one works; so are others that were committed with it."""
    await register(ledger, make_job())

    def half(connection):
        connection.exec_driver_sql("UPDATE job SET status = 'done'")
        raise ZeroDivisionError

    def whole(connection):
        connection.exec_driver_sql("UPDATE job SET row = row + 1")

    results = await asyncio.gather(*[ledger.write(work) for work in (whole, half, whole)], return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ZeroDivisionError, type(None)]
    [record] = await ledger.write(lambda c: c.exec_driver_sql("SELECT status, row FROM job").all())
    assert tuple(record) == ("planned", 3)


async def test_a_cancelled_write_is_written_all_the_same(ledger, register, make_job, claim):
    """Whoever is cancelled while the ledger writes does not undo what was asked for."""
    await register(ledger, make_job())
    claimed = await claim(ledger, make_job())
    task = asyncio.create_task(ledger.write(attempts.mark_sending, claimed))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await ledger.write(lambda c: c.exec_driver_sql("SELECT state FROM attempt").scalar_one()) == "sending"


async def test_many_at_once_all_get_in(ledger, register, make_job, claim):
    """Two hundred claims at the same time are two hundred attempts, each once."""
    jobs = [make_job(f"j{n}") for n in range(200)]
    await register(ledger, *jobs)
    claims = await asyncio.gather(*[claim(ledger, job) for job in jobs for _ in range(1)])
    assert len({c.attempt_id for c in claims}) == 200
    assert (await ledger.write(views.overview)).counts == {JobStatus.SUBMITTING: 200}


async def test_a_commit_survives_kill_9(path, register, make_job):
    """What `write` returned from is there after the process was killed without warning."""
    code = (
        "import asyncio, os, sys; from pathlib import Path; from pipelines.ledger.ledger import Ledger\n"
        "async def main():\n"
        "    async with Ledger(Path(sys.argv[1])) as ledger:\n"
        "        for n in range(20):\n"
        "            await ledger.write(lambda c: c.exec_driver_sql(\"INSERT INTO event (at, kind) VALUES (0, 'x')\"))\n"
        "        print('written', flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    done = _run(code, path)
    assert (done.returncode, done.stdout) == (-9, b"written\n"), done.stderr
    count = "SELECT count(*) FROM event WHERE kind = 'x'"
    assert LedgerReader(path).read(lambda c: c.exec_driver_sql(count).scalar_one()) == 20
    async with Ledger(path):
        pass


async def test_a_reader_is_quick_while_a_writer_is_busy(path, register, make_job):
    """`status` does not wait for a transaction that is under way, and sees the state before it."""
    async with Ledger(path) as ledger:
        await register(ledger, make_job())
        inside, leave = threading.Event(), threading.Event()

        def slow():
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE job SET status = 'done'")
            inside.set()
            leave.wait(60)
            other.execute("ROLLBACK")
            other.close()

        writer = threading.Thread(target=slow)
        writer.start()
        try:
            assert inside.wait(60)
            reader = LedgerReader(path)
            assert reader.read(views.overview).counts == {JobStatus.PLANNED: 1}
            assert writer.is_alive()  # it did not wait for the writer
            assert reader.is_being_written()
        finally:
            leave.set()
            writer.join()
    assert not LedgerReader(path).is_being_written()


async def test_a_reader_cannot_write(path):
    """A look into the ledger has no right to change it."""
    async with Ledger(path):
        pass
    with pytest.raises(LedgerError, match="readonly"):
        LedgerReader(path).read(lambda c: c.exec_driver_sql("DELETE FROM meta"))


async def test_a_reader_undoes_the_half_of_a_commit_that_a_crash_left(path, register, make_job):
    """`status` works after a `kill -9` in the middle of a commit, also before the next run."""
    async with Ledger(path) as ledger:
        await register(ledger, make_job())
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode=TRUNCATE'); c.execute('PRAGMA cache_size=1'); c.execute('BEGIN IMMEDIATE')\n"
        "c.execute(\"UPDATE job SET status = 'done'\")\n"
        "c.executemany('INSERT INTO event (at, kind) VALUES (0, ?)', [('x' * 500,)] * 2000); os.kill(os.getpid(), 9)"
    )
    _run(code, path)
    assert path.with_name(path.name + "-journal").stat().st_size > 0
    assert LedgerReader(path).read(views.overview).counts == {JobStatus.PLANNED: 1}


def test_an_empty_ledger_is_said(path):
    """A file in which no run has begun, as a kill at the wrong moment leaves it, is told from a damaged one."""
    path.touch()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3 is empty: no run has begun there"):
        LedgerReader(path).read(views.overview)


def test_a_reader_leaves_another_database_alone(path):
    """A database of another program is no ledger, also for those who only look."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (id)")
    other.close()
    with pytest.raises(LedgerError, match="no ledger"):
        LedgerReader(path).read(views.overview)


def test_no_ledger_is_said(tmp_path):
    """A folder without a ledger gives a LedgerError that says what to give instead."""
    with pytest.raises(LedgerError, match="There is no ledger"):
        ledger_in(tmp_path)
    with pytest.raises(LedgerError, match="There is no ledger"):
        LedgerReader(tmp_path / "ledger.sqlite3")


async def test_the_ledger_of_a_rehearsal_is_found_if_it_is_the_only_one(tmp_path):
    """A real ledger goes before that of a rehearsal; a file is taken as it is."""
    rehearsed = tmp_path / "rehearsal" / "ledger.sqlite3"
    async with Ledger(rehearsed):
        pass
    assert ledger_in(tmp_path) == ledger_in(rehearsed) == rehearsed
    async with Ledger(tmp_path / "ledger.sqlite3"):
        pass
    assert ledger_in(tmp_path) == tmp_path / "ledger.sqlite3"


def test_s19_the_last_resort_names_job_and_id(capsys):
    """An id that cannot be written down is said on standard error, in a form that a program can read."""
    remote = RemoteJob("p-1", "video", status_url="https://x/p-1", contract="openai")
    place = {"ledger": Path("/out/ledger.sqlite3"), "provider": "qiniu", "account": "abc"}
    last_resort_record("a", remote, DiskFull(), **place)
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err[said.err.index("{") :]) == {
        "job": "a",
        "provider_job_id": "p-1",
        "ledger": "/out/ledger.sqlite3",
        "provider": "qiniu",
        "account": "abc",
        "mode": "video",
        "status_url": "https://x/p-1",
        "contract": "openai",
    }


@pytest.fixture
def small_disk(tmp_path):
    """A file system of six megabytes: the ballast takes four of them."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _fill(disk):
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


async def test_s19_the_id_of_a_paid_job_still_gets_in_on_a_full_disk(small_disk, register, send, make_job, buckets):
    """When the disk fills between payment and record, the ballast makes room for the id, and the ledger says `full`."""
    path = small_disk / "ledger.sqlite3"
    async with Ledger(path) as ledger:
        jobs = [make_job(f"j{n}", prompt="x" * 3000) for n in range(50)]
        await register(ledger, *jobs)
        claims = [await send(ledger, job) for job in jobs]
        _fill(small_disk)
        for number, claimed in enumerate(claims):
            await tell(ledger, claimed, Accepted(RemoteJob(f"p-{number}" + "x" * 900), http_status=200))
        assert ledger.full
        assert not path.with_name(".ledger-ballast").exists()
        assert (await ledger.write(views.overview)).counts == {JobStatus.WAITING: 50}
        assert await buckets(ledger) == (2000, 0, 0)
    with pytest.raises(DiskFull):  # nothing new is paid while there is no room to remember it
        async with Ledger(path):
            pass
    (small_disk / "filler").unlink()
    async with Ledger(path) as ledger:
        assert (await ledger.write(views.overview)).counts == {JobStatus.WAITING: 50}
        assert path.with_name(".ledger-ballast").exists()


async def test_i03_no_room_at_all_is_said_and_nothing_is_half_written(ledger, register, make_job, claim):
    """When even the ballast does not help, the write raises DiskFull, and the ledger still tells the state before."""
    jobs = [make_job(f"j{n}", prompt="x" * 3000) for n in range(3)]
    await register(ledger, *jobs)

    def shrink(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await ledger.write(shrink)
    with pytest.raises(DiskFull):
        await register(ledger, *[make_job(f"k{n}", prompt="x" * 9000) for n in range(20)])
    assert ledger.full
    assert set(await ledger.write(views.states)) == {"j0", "j1", "j2"}
    await ledger.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=100000"))
    await claim(ledger, jobs[0])


@pytest.mark.parametrize(
    ("code", "full"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_CORRUPT, False),
    ],
)
def test_a_full_disk_is_told_by_its_code(code, full):
    """The error code decides, not a text that may hold a user's words."""
    original = sqlite3.OperationalError("database or disk is full, said the prompt")
    original.sqlite_errorcode = code
    assert is_disk_full(OperationalError("INSERT", {}, original)) is full
