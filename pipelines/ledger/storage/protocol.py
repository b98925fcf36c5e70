"""What the ledger needs of a database; how it is had from SQLite and from PostgreSQL is theirs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Transaction
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import DiskFull, LedgerError
from pipelines.ledger.storage.place import LedgerPlace


class CommitStorage(Protocol):
    """One connection that may write, and what becomes of a group of work that cannot be committed."""

    @property
    def statements_wait(self) -> bool:
        """Whether statements wait for a network: then they must not be run in the thread of the event loop."""

    @property
    def connection(self) -> Connection:
        """The connection that may write, used by nobody else."""

    def begin(self) -> Transaction:
        """Begin a transaction in which nobody but this owner may write.

        Raises:
            LedgerError: a later run has taken over.
        """

    def ends_group(self, error: DBAPIError) -> bool:
        """Tell whether an error concerns all that is to be committed together, and not one piece of work."""

    def mend(self, error: DBAPIError) -> bool:
        """Do what helps before a group is tried again. May wait.

        Returns:
            Whether the group had been committed after all, and need not be tried again.

        Raises:
            DBAPIError: the very error; nothing helps.
            LedgerError: a later run has taken over meanwhile.
        """


class Storage(CommitStorage, Protocol):
    """A database that keeps the ledger of one campaign."""

    full: bool  # the disk was full once: nothing new may be paid until the next run

    @property
    def place(self) -> LedgerPlace:
        """Where it is."""

    @property
    def beat_every_s(self) -> float | None:
        """How often an owner must write, so as not to be taken for dead; None: that is known otherwise."""

    def take_over(self, prepare: Callable[[Connection], int], *, remembered: bool = False) -> None:
        """Become the one owner that may write.

        Args:
            prepare: makes or migrates the tables and raises the epoch, which it returns, in one transaction.
            remembered: what was paid is known elsewhere too, so that a ledger that is gone may be made anew.

        Raises:
            LedgerOwned: another process works on it.
            LedgerError: it cannot be used, or is gone.
            DiskFull: there is no room to remember payments.
        """

    def close(self) -> None:
        """Close the connection, then give the ownership back. A second time does nothing."""

    def is_owned(self, *, for_sure: bool = False) -> bool:
        """Whether a run works on it, or on its output folder, at this moment.

        Args:
            for_sure: wait, where a run that was killed a moment ago cannot be told from one that lives.
        """

    def table_names(self, connection: Connection) -> list[str]:
        """The tables that are there."""

    def back_up(self, connection: Connection, version: int) -> None:
        """Keep everything as it is now under another name, before it is migrated from that schema."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads, and sees one consistent state."""

    def asking(self) -> AbstractContextManager[Connection]:
        """A short transaction of somebody who is not the owner; commits at the end."""

    def guest(self) -> Connection:
        """A connection of somebody who is not the owner and has much to ask; whoever gets it closes it."""

    def draft(self) -> AbstractContextManager[Connection]:
        """A transaction over all that is there, nothing perhaps; it may be changed at will, and is forgotten at the end."""

    def translated(self, error: DBAPIError) -> LedgerError | DiskFull:
        """Our word for what the database says, without anything that is secret."""
