"""Writing into a ledger beside its owner, often: the inbox of a receiver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pipelines.ledger.ledger import storage_of
from pipelines.ledger.storage.place import LedgerPlace

P = ParamSpec("P")
R = TypeVar("R")


class LedgerGuest:
    """Somebody who writes into a ledger beside its owner again and again, over one connection that stays open.

    Args:
        place: where it is.
    """

    def __init__(self, place: LedgerPlace) -> None:
        self._storage = storage_of(place)
        self._connection: Connection | None = None

    def ask(self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work(connection, ...)` as one short transaction; after an error the next one connects anew.

        Raises:
            LedgerError: it cannot be written.
        """
        try:
            self._connection = self._connection or self._storage.guest()
            with self._connection.begin():
                return work(self._connection, *args, **kwargs)
        except DBAPIError as error:
            self.close()
            raise self._storage.translated(error) from None

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):
                connection.close()
