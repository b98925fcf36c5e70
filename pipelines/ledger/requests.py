"""What a person asks of the run that owns a ledger: another process writes it down, the owner looks now and then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError

from pipelines.core.errors import LedgerError
from pipelines.core.text.times import utc_text
from pipelines.ledger.storage.schema import SCHEMA_VERSION, meta, owner, request
from pipelines.ledger.storage.sqlite import open_engine, translated


class RequestKind(StrEnum):
    """What can be asked of a run."""

    CANCEL = "cancel"
    SETTLE = "settle"  #: a person's word about a job


@dataclass(frozen=True, slots=True)
class Request:
    """What a person has asked for."""

    seq: int
    kind: RequestKind
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The run that a ledger belongs to, or belonged to last."""

    host: str
    pid: int
    since: str  # UTC, ISO 8601

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def ask(path: Path, kind: RequestKind, argument: Any = None) -> int:
    """Write down what a person asks of the run that owns a ledger, which goes on meanwhile.

    Args:
        path: of the ledger; it is not taken over, and must have an owner who heeds it.
        kind: what is asked for.
        argument: of that kind; must fit into JSON.

    Returns:
        Its number.

    Raises:
        LedgerError: it cannot be written, or the owner is an earlier version that would not look.
    """
    values = {"kind": kind, "argument": None if argument is None else json.dumps(argument), "asked_at": utc_text()}
    try:
        with open_engine(path).connect() as connection, connection.begin():
            version = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar_one()
            if int(version) < SCHEMA_VERSION:
                raise LedgerError(f"The run that owns {path} is of an earlier version and cannot be asked. Use Ctrl-C.")
            found = connection.execute(insert(request).values(**values)).inserted_primary_key
    except DBAPIError as error:
        raise translated(error, path) from None
    return int(found[0]) if found else 0


def unanswered(connection: Connection) -> list[Request]:
    """What has been asked for and not been heeded yet, in order."""
    rows = connection.execute(select(request).where(request.c.answered_at.is_(None)).order_by(request.c.seq))
    return [Request(row.seq, RequestKind(row.kind), row.argument and json.loads(row.argument)) for row in rows]


def answer(connection: Connection, seq: int, said: Any = None) -> None:
    """Write down that a request has been heeded.

    Args:
        connection: the open transaction.
        seq: its number.
        said: what came of it; must fit into JSON.
    """
    values = {"answered_at": utc_text(), "answer": None if said is None else json.dumps(said)}
    connection.execute(update(request).where(request.c.seq == seq).values(values))


def take_back(path: Path, seq: int) -> bool:
    """Close a request that nobody has heeded. False: it has been heeded after all.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    unheeded = (request.c.seq == seq) & request.c.answered_at.is_(None)
    try:
        with open_engine(path).connect() as connection, connection.begin():
            return connection.execute(update(request).where(unheeded).values(answered_at=utc_text())).rowcount == 1
    except DBAPIError as error:
        raise translated(error, path) from None


def answered(connection: Connection, seq: int) -> tuple[bool, Any]:
    """Whether a request has been heeded, and what came of it; nothing where a later run closed it unheeded."""
    row = connection.execute(select(request).where(request.c.seq == seq)).one()
    return row.answered_at is not None, row.answer and json.loads(row.answer)


def answer_late(connection: Connection) -> None:
    """Close what was asked of a run that has ended: it is not meant for the next one, and who asks asks again."""
    late = request.c.answered_at.is_(None)
    connection.execute(update(request).where(late).values(answered_at=utc_text()))


def last_owner(connection: Connection) -> Owner:
    """The run that the ledger belongs to, or belonged to last."""
    row = connection.execute(select(owner)).one()
    return Owner(row.host, row.pid, row.since)
