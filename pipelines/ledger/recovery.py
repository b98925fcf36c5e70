"""A new run takes over: what an earlier one left half-way is put into the only state that can be known."""

from __future__ import annotations

import os
import socket

from sqlalchemy import Connection, insert, select, update

from pipelines.core.outcome import InDoubt, Unsent
from pipelines.core.status import AttemptState
from pipelines.core.text.times import utc_text
from pipelines.ledger.attempts import Claim
from pipelines.ledger.history import note
from pipelines.ledger.outcomes import record
from pipelines.ledger.requests import answer_late
from pipelines.ledger.storage.schema import attempt, owner

_ON_ITS_WAY = "the run ended while this submission was on its way; it may have been accepted and charged"


def recover(connection: Connection) -> int:
    """Raise the epoch, and end what earlier epochs began.

    `claimed` was surely not sent: its owner can no longer pass the last commit before the first byte. `sending` may
    have been. Everything later goes on where it was.

    Returns:
        The new epoch, which every write of this run carries.
    """
    before = connection.execute(select(owner.c.epoch)).scalar_one_or_none()
    epoch = (before or 0) + 1
    values = {"epoch": epoch, "host": socket.gethostname(), "pid": os.getpid(), "since": utc_text()}
    if before is None:
        connection.execute(insert(owner).values(id=1, **values))
    else:
        connection.execute(update(owner).values(values))
    half_way = connection.execute(
        select(attempt.c.id, attempt.c.job_id, attempt.c.state).where(
            attempt.c.state.in_((AttemptState.CLAIMED, AttemptState.SENDING))
        )
    ).all()
    for row in half_way:
        unsent = row.state == AttemptState.CLAIMED
        outcome = Unsent("the run ended before anything was sent") if unsent else InDoubt(_ON_ITS_WAY)
        record(connection, row.job_id, outcome, Claim(row.id, row.job_id))
    answer_late(connection)
    note(connection, "took_over", epoch=epoch, open_attempts=len(half_way))
    return epoch
