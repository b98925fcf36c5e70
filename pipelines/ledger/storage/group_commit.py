"""Many transactions, one sync to the disk: what is asked for while a commit is under way is committed together.

The statements run in the event loop's own thread, where they take microseconds; only the commit, which waits for the
disk, runs in the ledger's thread. A thread that did both would wait for Python's lock at every statement (measured at
fifty jobs a second: 25 to 60 ms a step instead of 2). Only where statements wait for a network they run in the ledger's
thread as well. Each piece of work still succeeds or fails by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Transaction
from sqlalchemy.exc import DBAPIError

from pipelines.core.failpoints import failpoint
from pipelines.ledger.storage.protocol import CommitStorage

P = ParamSpec("P")
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
        storage: where they go.
        thread: where commits wait for the disk; has exactly one thread.
    """

    def __init__(self, storage: CommitStorage, thread: Executor) -> None:
        self._storage = storage
        self._thread = thread
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
        while True:
            try:
                await self._commit_once(group)
            except DBAPIError as error:
                if await self._in_thread(self._storage.mend, error):
                    return
            else:
                return

    async def _commit_once(self, group: list[_Work]) -> None:
        if self._storage.statements_wait:
            await self._in_thread(self._run_and_commit, group)
            return
        with _undone_if_it_fails(self._storage.begin()) as transaction:
            self._run(group)
            failpoint("commit.begin")
            await self._in_thread(transaction.commit)
        failpoint("commit.done")

    def _run_and_commit(self, group: list[_Work]) -> None:
        with _undone_if_it_fails(self._storage.begin()) as transaction:
            self._run(group)
            failpoint("commit.begin")
            transaction.commit()
        failpoint("commit.done")

    def _run(self, group: list[_Work]) -> None:
        """Run each piece of work, behind a savepoint of its own; or end the group, which may be tried again."""
        connection = self._storage.connection
        for work_item in group:
            work_item.result, work_item.error = None, None
            connection.exec_driver_sql("SAVEPOINT work_item")
            try:
                work_item.result = work_item.work(connection)
            except Exception as error:
                if isinstance(error, DBAPIError) and self._storage.ends_group(error):
                    raise
                work_item.error = error
                connection.exec_driver_sql("ROLLBACK TO work_item")
            connection.exec_driver_sql("RELEASE work_item")

    async def _in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))


@contextmanager
def _undone_if_it_fails(transaction: Transaction) -> Iterator[Transaction]:
    try:
        yield transaction
    except BaseException:
        transaction.close()
        raise


def _answer(work_item: _Work) -> None:
    if work_item.granted.done():
        return
    if work_item.error is None:
        work_item.granted.set_result(work_item.result)
    else:
        work_item.granted.set_exception(work_item.error)
