from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from pipelines.ledger.storage.group_commit import GroupCommit
from pipelines.ledger.storage.sqlite import is_disk_full, open_engine


class Desk:
    """A group commit over a real database, whose disk can be held up."""

    statements_wait = False

    def __init__(self, path):
        self.path = path
        self.engine = open_engine(path)
        self.connection = self.engine.connect()
        self.thread = ThreadPoolExecutor(1)
        self.commits = 0
        self.checks = 0
        self.made_room = 0
        self.disk = threading.Event()  # set: commits go through
        self.disk.set()
        self.committing = threading.Event()
        with self.connection.begin():
            self.connection.exec_driver_sql("CREATE TABLE line (word TEXT UNIQUE)")
        event.listen(self.engine, "commit", self._commit)
        self.group = GroupCommit(self, self.thread)

    def _commit(self, _connection):
        self.commits += 1
        self.committing.set()
        assert self.disk.wait(10)

    def check(self):
        """Whether it may still be written."""
        self.checks += 1

    def begin(self):
        """Begin, and check."""
        transaction = self.connection.begin()
        try:
            self.check()
        except BaseException:
            transaction.close()
            raise
        return transaction

    def ends_group(self, error):
        """A full disk does."""
        return is_disk_full(error)

    def make_room(self):
        """Let it grow again."""
        self.pages(100_000)

    def mend(self, error):
        """Make room once."""
        if self.made_room or not is_disk_full(error):
            raise error
        self.made_room += 1
        self.make_room()
        return False

    def pages(self, most=None):
        """Let the database grow to so many pages; without a number, no further."""
        most = most or self.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        self.connection.exec_driver_sql(f"PRAGMA max_page_count={most}")
        self.connection.rollback()

    def write(self, word):
        """Ask for a line."""

        def work(connection):
            connection.exec_driver_sql("INSERT INTO line VALUES (?)", (word,))
            return word

        return self.group.run(work)

    def seen(self):
        """The lines that anybody else sees, in the order in which they were written."""
        other = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        found = [word for (word,) in other.execute("SELECT word FROM line ORDER BY rowid")]
        other.close()
        return found

    async def hold(self, word):
        """Begin to write a line, and stop the disk in the middle of its commit."""
        self.disk.clear()
        self.committing.clear()
        first = asyncio.create_task(self.write(word))
        await asyncio.to_thread(self.committing.wait, 10)
        return first

    def close(self):
        """Let the disk go on, and leave."""
        self.disk.set()
        self.connection.close()
        self.thread.shutdown()


@pytest.fixture
async def desk(tmp_path):
    desk = Desk(tmp_path / "x")
    yield desk
    await desk.group.finish()
    desk.close()


async def test_what_comes_together_is_committed_together(desk):
    """A hundred requests that wait for the same commit share one, and its check; each gets its own result."""
    first = await desk.hold("first")
    others = [asyncio.create_task(desk.write(str(number))) for number in range(100)]
    await asyncio.sleep(0)
    desk.disk.set()
    assert await asyncio.gather(first, *others) == ["first", *map(str, range(100))]
    assert (desk.commits, desk.checks) == (2, 2)


async def test_the_order_of_asking_is_the_order_of_writing(desk):
    """Work is done one after the other as it was asked for, within a group and from group to group."""
    words = [f"{number:03}" for number in range(50)]
    first = await desk.hold("000")
    rest = [asyncio.create_task(desk.write(word)) for word in words[1:25]]
    await asyncio.sleep(0)
    desk.disk.set()
    await asyncio.gather(first, *rest)
    await asyncio.gather(*map(desk.write, words[25:]))
    assert desk.seen() == words


async def test_nothing_is_acknowledged_before_its_commit(desk):
    """As long as the disk has not taken a group, nobody in it, and nobody behind it, is told that it is written."""
    first = await desk.hold("first")
    behind = asyncio.create_task(desk.write("behind"))
    done, _ = await asyncio.wait({first, behind}, timeout=0.1)
    assert done == set()
    desk.disk.set()
    await first
    assert "first" in desk.seen()
    await behind
    assert desk.seen() == ["first", "behind"]


async def test_a_failure_reaches_its_caller_only(desk):
    """Work that raises is undone and tells who asked for it, be it a bug or the database; the others are kept."""

    def half(connection):
        connection.exec_driver_sql("INSERT INTO line VALUES ('half')")
        raise ZeroDivisionError

    first = await desk.hold("first")
    asked = [desk.write("a"), desk.group.run(half), desk.write("first"), desk.write("b")]
    tasks = [asyncio.create_task(work) for work in asked]
    await asyncio.sleep(0)
    desk.disk.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [results[0], results[1], results[4]] == ["first", "a", "b"]
    assert isinstance(results[2], ZeroDivisionError)
    assert "UNIQUE" in str(results[3])
    assert desk.seen() == ["first", "a", "b"]
    assert desk.commits == 2


async def test_a_group_that_is_not_committed_is_nobodys(desk, monkeypatch):
    """When the check forbids a group, all of it hear why and nothing of it is kept; the next group is tried anew."""
    refusals = [PermissionError("taken over")]

    def check():
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(desk, "check", check)
    results = await asyncio.gather(desk.write("a"), desk.write("b"), return_exceptions=True)
    assert [type(result) for result in results] == [PermissionError, PermissionError]
    assert desk.seen() == []
    assert await desk.write("c") == "c"
    assert desk.seen() == ["c"]


async def test_a_full_disk_is_made_room_on_once(desk):
    """When the disk is full the ballast goes, and the whole group is tried again, each work once in the end."""
    desk.pages()
    words = [f"{number}" + "x" * 3000 for number in range(20)]
    assert await asyncio.gather(*map(desk.write, words)) == words
    assert desk.made_room == 1
    assert desk.seen() == words


async def test_a_disk_that_stays_full_is_said_to_all(desk, monkeypatch):
    """When even that does not help, everybody in the group is told, and nothing of it is kept."""
    desk.pages()
    monkeypatch.setattr(desk, "make_room", lambda: None)
    results = await asyncio.gather(*(desk.write(c + "x" * 9000) for c in "abc"), return_exceptions=True)
    assert [type(result) for result in results] == [OperationalError] * 3
    assert desk.seen() == []


async def test_who_leaves_while_it_is_written_does_not_undo_it(desk):
    """Work that was asked for is done, also when whoever asked is cancelled, and the others are not held up."""
    first = await desk.hold("first")
    second = asyncio.create_task(desk.write("second"))
    third = asyncio.create_task(desk.write("third"))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    desk.disk.set()
    assert await third == "third"
    assert desk.seen() == ["first", "second", "third"]


async def test_the_end_waits_for_what_was_asked(desk):
    """`finish` returns when the last commit is on the disk; with nothing in hand it returns at once."""
    await desk.group.finish()
    first = await desk.hold("first")
    end = asyncio.create_task(desk.group.finish())
    done, _ = await asyncio.wait({end}, timeout=0.05)
    assert done == set()
    desk.disk.set()
    await end
    assert desk.seen() == ["first"]
    assert await first == "first"
