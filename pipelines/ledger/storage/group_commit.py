"""Many transactions, one sync to the disk: what is asked for while a commit is under way is committed together.

The statements run in the event loop's own thread, where they take microseconds; only the commit, which waits for the
disk, runs in the ledger's thread. A thread that did both would wait for Python's lock at every statement (measured at
fifty jobs a second: 25 to 60 ms a step instead of 2). Each piece of work still succeeds or fails by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pipelines.ledger.storage.sqlite import is_disk_full

R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Work:
    work: Callable[[Connection], Any]
    granted: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Runs work on one connection, in groups that are committed together.

    Args:
        connection: used by nobody else.
        thread: where commits wait for the disk; has exactly one thread.
        check: looks, inside each transaction, whether this connection may still write; raises if not.
        make_room: called once when the disk is full, before a group is tried again.
    """

    def __init__(
        self,
        connection: Connection,
        thread: Executor,
        *,
        check: Callable[[Connection], None],
        make_room: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._thread = thread
        self._check = check
        self._make_room = make_room
        self._waiting: list[_Work] = []
        self._drain: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Connection], R]) -> R:
        """Run work in the next group, and return its result once the group is on the disk.

        Work that was asked for is done, also when whoever asked is cancelled meanwhile.

        Raises:
            Exception: whatever the work raised; nothing of it is kept, the rest of the group is.
            DBAPIError: the group could not be committed, and nothing of it is kept.
        """
        work_item = _Work(work, asyncio.get_running_loop().create_future())
        self._waiting.append(work_item)
        if self._drain is None:
            self._drain = asyncio.create_task(self._commit_groups())
        result: R = await work_item.granted
        return result

    async def finish(self) -> None:
        """Return when everything that was asked for is on the disk."""
        if self._drain is not None:
            await self._drain

    async def _commit_groups(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await self._commit(group)
                except Exception as error:  # noqa: BLE001 - nobody's work is kept, and everybody hears why
                    for work_item in group:
                        work_item.error = error
                for work_item in group:
                    _answer(work_item)
        finally:
            self._drain = None

    async def _commit(self, group: list[_Work]) -> None:
        try:
            await self._commit_once(group)
        except DBAPIError as error:
            if not is_disk_full(error):
                raise
            self._make_room()
            await self._commit_once(group)

    async def _commit_once(self, group: list[_Work]) -> None:
        transaction = self._connection.begin()
        try:
            self._check(self._connection)
            _run(self._connection, group)
            await asyncio.get_running_loop().run_in_executor(self._thread, transaction.commit)
        except BaseException:
            transaction.close()
            raise


def _run(connection: Connection, group: list[_Work]) -> None:
    """Run each work_item, behind a savepoint of its own. A full disk ends the whole group, which may be tried again."""
    for work_item in group:
        work_item.result, work_item.error = None, None
        connection.exec_driver_sql("SAVEPOINT work_item")
        try:
            work_item.result = work_item.work(connection)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_disk_full(error):
                raise
            work_item.error = error
            connection.exec_driver_sql("ROLLBACK TO work_item")
        connection.exec_driver_sql("RELEASE work_item")


def _answer(work_item: _Work) -> None:
    if work_item.granted.done():
        return
    if work_item.error is None:
        work_item.granted.set_result(work_item.result)
    else:
        work_item.granted.set_exception(work_item.error)
