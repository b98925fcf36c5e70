"""The durable inbox of a receiver: a call is on the disk of the ledger before its sender hears that it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from sqlalchemy import Connection

from pipelines.core.errors import LedgerError, ReelbatchError
from pipelines.ledger import bought, callbacks
from pipelines.ledger.callbacks import Call, Receipt, Taken
from pipelines.ledger.guest import LedgerGuest
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.storage.callback_keys import ledger_called, ledgers_called_back
from pipelines.ledger.storage.place import LedgerPlace

R = TypeVar("R")


class Inbox(Protocol):
    """Where a receiver writes calls down."""

    async def take(self, ledger_id: str, call: Call) -> Receipt:
        """Write a call down; it is on the disk when this returns.

        Raises:
            LedgerError: it could not be.
            DiskFull: nor can anything else.
        """

    async def attempt_named(self, provider: str, provider_job_id: str) -> tuple[str, str] | None:
        """The ledger and the attempt that a provider gave this id to; raises as `take` does."""

    async def check(self) -> None:
        """Look whether the ledger can be reached; raises as `take` does."""


class OwnInbox:
    """The inbox inside a run: its ledger has one writer, and that is the run.

    Args:
        ledger: of the run.
        ledger_id: its name.
        ring: called when something has come.
    """

    def __init__(self, ledger: Ledger, ledger_id: str, ring: Callable[[], None]) -> None:
        self._ledger = ledger
        self._ledger_id = ledger_id
        self._ring = ring

    async def take(self, ledger_id: str, call: Call) -> Receipt:
        """Write a call down among the run's own transactions."""
        if ledger_id != self._ledger_id:
            return Receipt(Taken.UNKNOWN)
        receipt = await self._ledger.write(callbacks.take, call)
        if receipt.taken is Taken.NEW:
            self._ring()
        return receipt

    async def attempt_named(self, provider: str, provider_job_id: str) -> tuple[str, str] | None:
        """The attempt of this ledger that was given the id."""
        found = await self._ledger.write(callbacks.attempt_named, provider, provider_job_id)
        return None if found is None else (self._ledger_id, found)

    async def check(self) -> None:
        """Look whether it can be written."""
        await self._ledger.write(bought.ledger_id)


@dataclass(slots=True, eq=False)
class _Wanted:
    ledger_id: str
    call: Call
    answer: asyncio.Future[Receipt]


class SharedInbox:
    """The inbox of a receiver that runs by itself, beside the runs that own the ledgers. Use as an async context manager.

    Calls that come together are written in one transaction, in a thread of their own.

    Args:
        place: of a ledger; one in a database stands for all campaigns there.
    """

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._known: dict[str, LedgerGuest] = {}
        self._waiting: list[_Wanted] = []
        self._drain: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    async def __aenter__(self) -> Self:
        """Open nothing: a ledger may be away now, and come back."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what has come."""
        if self._drain is not None:
            await self._drain
        for guest in self._known.values():
            await self._in_thread(guest.close)
        self._thread.shutdown(wait=False)

    async def take(self, ledger_id: str, call: Call) -> Receipt:
        """Write a call down with those that come at the same time."""
        wanted = _Wanted(ledger_id, call, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if self._drain is None:
            self._drain = asyncio.create_task(self._write_groups())
        return await wanted.answer

    async def attempt_named(self, provider: str, provider_job_id: str) -> tuple[str, str] | None:
        """Look through every campaign there."""

        def look() -> tuple[str, str] | None:
            for place in ledgers_called_back(self._place):
                reader = LedgerReader(place)
                if (found := reader.read(callbacks.attempt_named, provider, provider_job_id)) is not None:
                    return reader.read(bought.ledger_id), found
            return None

        return await self._in_thread(look)

    async def check(self) -> None:
        """Look whether the database, or the file, can be read."""

        def look() -> None:
            for place in ledgers_called_back(self._place)[:1]:
                LedgerReader(place).read(bought.ledger_id)

        await self._in_thread(look)

    async def _write_groups(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                for name in dict.fromkeys(wanted.ledger_id for wanted in group):
                    await self._write(name, [wanted for wanted in group if wanted.ledger_id == name])
        finally:
            self._drain = None

    async def _write(self, ledger_id: str, group: list[_Wanted]) -> None:
        def work(connection: Connection) -> list[Receipt]:
            return [callbacks.take(connection, wanted.call) for wanted in group]

        def write() -> list[Receipt]:
            guest = self._guest(ledger_id)
            return [Receipt(Taken.UNKNOWN)] * len(group) if guest is None else guest.ask(work)

        try:
            receipts = await self._in_thread(write)
        except ReelbatchError as error:
            for wanted in group:
                if not wanted.answer.done():
                    wanted.answer.set_exception(error)
            return
        for wanted, receipt in zip(group, receipts, strict=True):
            if not wanted.answer.done():  # whoever waited for it may have been told 503 meanwhile
                wanted.answer.set_result(receipt)

    def _guest(self, ledger_id: str) -> LedgerGuest | None:
        """The ledger of that name, found once; None where it is another's."""
        found = self._known.get(ledger_id)
        if found is None:
            place = ledger_called(self._place, ledger_id)
            if place is None or LedgerReader(place).read(bought.ledger_id) != ledger_id:
                return None
            found = self._known[ledger_id] = LedgerGuest(place)
        return found

    async def _in_thread(self, work: Callable[[], R]) -> R:
        """Run work in the inbox's thread; what is no word of ours is a ledger that cannot be used."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except ReelbatchError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits must hear something
            raise LedgerError(f"The ledger cannot be used ({type(error).__name__}).") from None
