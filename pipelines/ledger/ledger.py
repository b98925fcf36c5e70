"""The ledger of one output folder: open it, write to it, read from it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import DiskFull, LedgerError
from pipelines.core.failpoints import failpoint
from pipelines.core.job import RemoteJob
from pipelines.core.remote_folder import shown_place
from pipelines.ledger.migrations import migrate
from pipelines.ledger.recovery import recover
from pipelines.ledger.storage.group_commit import GroupCommit
from pipelines.ledger.storage.place import (
    FileLedger,
    LedgerPlace,
    place_of,
    place_remembered,
    refuse_lost,
    remember_place,
)
from pipelines.ledger.storage.protocol import Storage
from pipelines.ledger.storage.schema import SCHEMA_VERSION, meta, metadata
from pipelines.ledger.storage.sqlite import SqliteStorage

P = ParamSpec("P")
R = TypeVar("R")

SANDBOX_BILL = "sandbox-bill.jsonl"  # beside the ledger of a rehearsal, and of no other


def storage_of(place: LedgerPlace) -> Storage:
    """What keeps the ledger that is at a place."""
    if isinstance(place, FileLedger):
        return SqliteStorage(place)
    from pipelines.ledger.storage.postgres import PostgresStorage  # noqa: PLC0415 - most ledgers are files

    return PostgresStorage(place)


class Ledger:
    """The only writer of a ledger, for the life of one run. Use as an async context manager.

    Every transaction checks that no later run has taken over, before anybody else can write, and is on the disk when
    `write` returns. Those that are asked for at the same time share one commit.

    Args:
        place: where it is; a plain path is a SQLite file in its output folder.
        remembered: what was paid in this folder is known elsewhere too, so that a ledger that is gone may be made anew.
    """

    def __init__(self, place: LedgerPlace | Path, *, remembered: bool = False) -> None:
        self.place = place_of(place)
        self._remembered = remembered
        self._storage = storage_of(self.place)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._group: GroupCommit | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def folder(self) -> Path:
        """The output folder that it is the ledger of."""
        return self.place.folder

    @property
    def beside(self) -> Path:
        """The folder for what only its owner may touch: beside the file, or the output folder."""
        return self.place.file.parent if isinstance(self.place, FileLedger) else self.place.folder

    @property
    def full(self) -> bool:
        """Whether the disk was full once: nothing new may be paid until the next run."""
        return self._storage.full

    async def __aenter__(self) -> Self:
        """Become the owner, create or check the tables, and take over from an earlier run.

        Raises:
            LedgerOwned: another process works on this folder, or this campaign.
            LedgerError: the ledger is damaged, or was written by a newer version.
            DiskFull: there is no room to remember payments.
        """
        try:
            take_over = partial(self._storage.take_over, self._prepare, remembered=self._remembered)
            await asyncio.get_running_loop().run_in_executor(self._thread, take_over)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        failpoint("owner.recovered")
        self._group = GroupCommit(self._storage, self._thread)
        if self._storage.beat_every_s is not None:
            self._beating = asyncio.create_task(self._beat(self._storage.beat_every_s))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, then give the ownership back."""
        if self._beating is not None:
            self._beating.cancel()
        group, self._group = self._group, None
        if group is not None:
            await group.finish()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.close)
        self._thread.shutdown(wait=False)

    async def write(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` as one transaction and return when it is on the disk.

        Raises:
            LedgerError: it could not be written, or a later run has taken over. Nothing of it is kept.
            DiskFull: no space, even after the reserved space was given back.
        """
        if self._group is None:
            raise LedgerError("The ledger is closed.")
        try:
            return await self._group.run(lambda connection: work(connection, *args, **kwargs))
        except DBAPIError as error:
            raise self._storage.translated(error) from None

    def remember(self) -> None:
        """Let the output folder know where its ledger is, once it is sure that it is this one.

        Raises:
            LedgerError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remember_place(self.place)
        except OSError as error:
            raise LedgerError(f"{self.folder} cannot be written ({error.strerror}). Choose another --out.") from None

    def _prepare(self, connection: Connection) -> int:
        failpoint("owner.locked")
        if not _has_tables(connection, self._storage):
            _make_tables(connection)
        elif (found := _version(connection, self.place)) < SCHEMA_VERSION:
            self._storage.back_up(connection, found)
            migrate(connection, found)
        epoch = recover(connection)
        failpoint("owner.recovering")
        return epoch

    async def _beat(self, every_s: float) -> None:
        """Be heard while there is nothing to write."""
        with suppress(LedgerError, DiskFull):  # whoever writes next hears it as well
            while True:
                await asyncio.sleep(every_s)
                await self.write(lambda _: None)


def ledger_in(folder: Path) -> LedgerPlace:
    """The ledger of an output folder, or of the rehearsal in it if that is all there is.

    Raises:
        LedgerError: there is none.
    """
    if folder.is_file():
        return place_of(folder)
    own = folder / "rehearsal"
    for place in (folder,) if own.is_symlink() else (folder, own):  # a planted one is not ours
        if (found := place_remembered(place)) is not None:
            return found
    raise LedgerError(
        f"There is no ledger in {shown_place(folder)}. Give the output folder of a run, such as outputs/<name>."
    )


def is_rehearsal(folder: Path) -> bool:
    """Tell whether an output folder is a rehearsal's, in which nothing was paid."""
    return (folder / SANDBOX_BILL).is_file()


class LedgerReader:
    """A look into a ledger without any right to change what it says, also while a run is writing.

    Args:
        place: where it is; a plain path is a SQLite file in its output folder.
    """

    def __init__(self, place: LedgerPlace | Path) -> None:
        self.place = place_of(place)
        if isinstance(self.place, FileLedger) and not self.place.file.is_file():
            raise LedgerError(f"There is no ledger at {self.place}. Give the output folder of a run.")
        self._storage = storage_of(self.place)

    @property
    def folder(self) -> Path:
        """The output folder that it is the ledger of."""
        return self.place.folder

    def is_being_written(self) -> bool:
        """Whether a run is working on this ledger now.

        Raises:
            LedgerError: it cannot be reached.
        """
        try:
            return self._storage.is_owned()
        except DBAPIError as error:
            raise self._storage.translated(error) from None

    def read(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` on one consistent state of the ledger.

        Raises:
            LedgerError: there is none, it is empty or damaged, or was written by a newer version.
        """
        try:
            with self._storage.reading() as connection:
                if not _has_tables(connection, self._storage):
                    raise LedgerError(f"The ledger {self.place} is empty: no run has begun there. Start one first.")
                if (found := _version(connection, self.place)) == SCHEMA_VERSION:
                    return work(connection, *args, **kwargs)
            with self._storage.draft() as connection:
                migrate(connection, found)
                return work(connection, *args, **kwargs)
        except DBAPIError as error:
            raise self._storage.translated(error) from None

    def ask(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)`, which asks something of the owner, as one short transaction beside its own.

        Raises:
            LedgerError: it cannot be written.
        """
        try:
            with self._storage.asking() as connection:
                return work(connection, *args, **kwargs)
        except DBAPIError as error:
            raise self._storage.translated(error) from None


@contextmanager
def trial_ledger(place: LedgerPlace, *, remembered: Callable[[], bool] = lambda: False) -> Iterator[Connection]:
    """A ledger as a run would find it: what is done to it is forgotten, and the ledger stays as it is.

    Args:
        place: where it is, or will be.
        remembered: asked where it is gone, whether what was paid in its folder is known elsewhere too.

    Raises:
        LedgerError: it is gone, is no ledger, is damaged, or was written by a newer version.
    """
    storage = storage_of(place)
    try:
        with storage.draft() as connection:
            if _has_tables(connection, storage):
                migrate(connection, _version(connection, place))
            else:
                if not remembered():
                    refuse_lost(place)
                _make_tables(connection)
            recover(connection)
            yield connection
    except DBAPIError as error:
        raise storage.translated(error) from None


def is_begun(place: LedgerPlace) -> bool:
    """Tell whether there is a ledger at a place. What cannot be asked may be one: whoever opens it says what is wrong.

    Raises:
        LedgerError: it cannot be reached.
    """
    if isinstance(place, FileLedger):
        return place.file.exists() and place.file.stat().st_size > 0
    storage = storage_of(place)
    try:
        with storage.reading() as connection:
            return bool(storage.table_names(connection))
    except DBAPIError as error:
        raise storage.translated(error) from None


def is_ledger_owned(place: LedgerPlace) -> bool:
    """Tell whether a run is working on a ledger, or on its output folder. Waits where that is not sure at once.

    Raises:
        LedgerError: it cannot be reached.
    """
    storage = storage_of(place)
    try:
        return storage.is_owned(for_sure=True)
    except DBAPIError as error:
        raise storage.translated(error) from None


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    values = {"schema_version": SCHEMA_VERSION, "ledger_id": os.urandom(8).hex()}
    connection.execute(insert(meta), [{"key": key, "value": str(value)} for key, value in values.items()])


def _has_tables(connection: Connection, storage: Storage) -> bool:
    """Whether a run has begun here; False for a file that is still empty."""
    tables = storage.table_names(connection)
    if tables and meta.name not in tables and isinstance(storage, SqliteStorage):
        raise LedgerError(f"{storage.place} is a database, and no ledger. Choose another path.")
    return meta.name in tables


def _version(connection: Connection, place: LedgerPlace) -> int:
    """Read which schema a ledger has; one that a newer version wrote is refused."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar_one_or_none()
    if found is None or not found.isdigit() or int(found) > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger {place} was written by a newer reelbatch (schema {found}, this one knows {SCHEMA_VERSION}). "
            "Use that version."
        )
    return int(found)


def last_resort_record(
    job_id: str, remote: RemoteJob, error: LedgerError | DiskFull, *, ledger: LedgerPlace, provider: str, account: str
) -> None:
    """Print the id of a paid job that could not be written down, so that a person can keep it: `reelbatch adopt`.

    Args:
        job_id: the job.
        remote: what its provider calls it.
        error: why it could not be written down.
        ledger: where it belongs.
        provider: who has made it.
        account: with which it was bought.
    """
    failpoint("last_resort.begin")
    known = {name: value for name, value in asdict(remote).items() if name != "id" and value}
    kept = str(ledger.file) if isinstance(ledger, FileLedger) else shown_place(ledger.folder)
    place = {"ledger": kept, "provider": provider, "account": account}
    record = json.dumps({"job": job_id, "provider_job_id": remote.id, **place, **known})
    print(f"PAID, AND NOT RECORDED ({error}). Keep this line: {record}", file=sys.stderr, flush=True)  # noqa: T201 - the log may be gone with the disk
    failpoint("last_resort.said")
