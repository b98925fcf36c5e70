"""A new run takes over: what an earlier one left half-way is put into the only state that can be known."""

from __future__ import annotations

import os
import socket

from sqlalchemy import Connection, and_, func, insert, select, update

from pipelines.core.outcome import InDoubt, Unsent
from pipelines.core.status import AttemptState, JobStatus
from pipelines.core.text.times import utc_text
from pipelines.ledger.attempts import Claim
from pipelines.ledger.history import note
from pipelines.ledger.job_state import change_job
from pipelines.ledger.outcomes import record
from pipelines.ledger.requests import answer_late
from pipelines.ledger.storage.schema import LIVE_STATES, attempt, job, owner

#: The code of a clip whose link has ended by two clocks. What an older version says of one was said by ours alone.
LINK_ENDED = "link_ended"
_ASKED_AGAIN = "its link had ended; the provider is asked once more whether the clip can be had"
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


def reopen_expired(connection: Connection, *, sure_as_well: bool) -> list[str]:
    """Park what is `expired`, so that its provider is asked about it once more. It costs nothing, and sends nothing.

    Args:
        connection: the open transaction.
        sure_as_well: not only what was given up by this machine's clock alone.

    Returns:
        The ids of the jobs.
    """
    lost = job.c.status == JobStatus.EXPIRED
    doubtful = lost if sure_as_well else and_(lost, func.coalesce(job.c.error_code, "") != LINK_ENDED)
    reopened = []
    for row in connection.execute(select(job.c.id, job.c.provider_job_id).where(doubtful)).all():
        columns = (attempt.c.id, attempt.c.state, attempt.c.provider_job_id)
        tried = connection.execute(select(*columns).where(attempt.c.job_id == row.id).order_by(attempt.c.id)).all()
        ours = [each.id for each in tried if each.provider_job_id == row.provider_job_id]
        if not ours or any(each.state in LIVE_STATES for each in tried):
            continue
        connection.execute(update(attempt).where(attempt.c.id == ours[-1]).values(state=AttemptState.ACCEPTED))
        parked = {"status": JobStatus.PARKED, "error_code": "asked_again", "error_message": _ASKED_AGAIN}
        change_job(connection, row.id, None, parked)
        note(connection, "reopened", row.id)
        reopened.append(row.id)
    return reopened
