"""What a person asks of the run that owns a ledger: another process writes it down, the owner looks now and then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pipelines.core.errors import LedgerError
from pipelines.core.text.times import utc_text
from pipelines.ledger.storage.schema import SCHEMA_VERSION, meta, owner, request


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


def ask(connection: Connection, kind: RequestKind, arguments: Sequence[Any] = (None,)) -> list[int]:
    """Write down what a person asks of the run that owns a ledger, which goes on meanwhile.

    Args:
        connection: a transaction of somebody who is not the owner; the owner must be there, and heed it.
        kind: what is asked for.
        arguments: of that kind, one for each time that it is asked for; they must fit into JSON.

    Returns:
        Their numbers.

    Raises:
        LedgerError: the owner is an earlier version that would not look.
    """
    version = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar_one()
    if int(version) < SCHEMA_VERSION:
        raise LedgerError("The run that works on it is of an earlier version and cannot be asked. Use Ctrl-C.")
    numbers, now = list[int](), utc_text()
    for argument in arguments:
        values = {"kind": kind, "argument": None if argument is None else json.dumps(argument), "asked_at": now}
        numbers.append(connection.execute(insert(request).values(**values).returning(request.c.seq)).scalar_one())
    return numbers


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


def take_back(connection: Connection, numbers: Sequence[int]) -> None:
    """Close those requests that nobody has heeded."""
    unheeded = request.c.seq.in_(numbers) & request.c.answered_at.is_(None)
    connection.execute(update(request).where(unheeded).values(answered_at=utc_text()))


def answers(connection: Connection, numbers: Sequence[int]) -> dict[int, Any]:
    """What came of those requests that have been heeded, by number; None where a later run closed one unheeded."""
    asked = select(request).where(request.c.seq.between(min(numbers), max(numbers)), request.c.answered_at.is_not(None))
    found = {row.seq: row.answer and json.loads(row.answer) for row in connection.execute(asked)}
    return {number: found[number] for number in numbers if number in found}


def answer_late(connection: Connection) -> None:
    """Close what was asked of a run that has ended: it is not meant for the next one, and who asks asks again."""
    late = request.c.answered_at.is_(None)
    connection.execute(update(request).where(late).values(answered_at=utc_text()))


def last_owner(connection: Connection) -> Owner:
    """The run that the ledger belongs to, or belonged to last."""
    row = connection.execute(select(owner)).one()
    return Owner(row.host, row.pid, row.since)
