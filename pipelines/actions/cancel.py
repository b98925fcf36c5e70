"""Asking the run that works on an output folder to stop, and providers to make no more of what is in flight.

Nothing is written down here: a run writes its own end, and what became of a job is said by its provider when it is asked next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import options_of, profiles_of_folder
from pipelines.core.errors import ReelbatchError, SetupError
from pipelines.core.failpoints import failpoint
from pipelines.core.status import JobStatus
from pipelines.ledger import requests, views
from pipelines.ledger.ledger import LedgerReader, is_rehearsal, ledger_in
from pipelines.ledger.requests import Owner, RequestKind
from pipelines.net.http import Http
from pipelines.providers.client import Client
from pipelines.run.accounts import accounts_to_collect
from pipelines.run.options import RunOptions

_LOOK_EVERY_S = 0.2
PATIENCE_S = 120.0  #: an order on its way is answered within this, and its clip's download ends


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of asking a run to stop."""

    folder: Path  # of the ledger
    asked: Owner | None  # the run that was asked; None: none is going on
    stopped: bool  # whether it has ended


@dataclass(frozen=True, slots=True)
class CalledOff:
    """What became of asking providers to make jobs no more."""

    asked: tuple[str, ...]  # jobs whose providers take it
    left: Mapping[str, str]  # by job: why its provider was not asked, or what it said

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"asked": list(self.asked), "left": dict(self.left)}


async def call_off(folder: Path, options: RunOptions | None = None) -> CalledOff:
    """Ask the providers of a folder to make no more of what they are making. No run may go on there.

    Args:
        folder: the output folder.
        options: only further profiles count.

    Raises:
        LedgerError: the folder has no ledger that can be read.
        SetupError: an address is none, or a key cannot be one; or it is a rehearsal.
    """
    reader = LedgerReader(ledger_in(folder))
    if is_rehearsal(reader.folder):
        raise SetupError("A rehearsal has nothing at a provider.")
    states, records = reader.read(lambda connection: (views.states(connection), list(views.records(connection))))
    waiting = {record.job.id: record.job for record in records if record.status is JobStatus.WAITING}
    profiles, chosen = profiles_of_folder(reader, options), options_of(reader.folder, options or RunOptions())
    accounts, missing = accounts_to_collect(list(waiting.values()), (), profiles, chosen)
    asked, left = list[str](), {job_id: each.remedy for each in missing for job_id in each.job_ids}
    async with Http() as http:
        for at in accounts:
            client = Client(http, at.profile, at.base_url, at.key, account=at.name, trusted=at.trusted)
            for job_id, job in waiting.items():
                remote = states[job_id].remote
                if job.order.provider != at.profile.name or remote is None:
                    continue
                try:
                    if await client.cancel(remote, job.order):
                        asked.append(job_id)
                    else:
                        left[job_id] = f"the profile of {at.profile.name} has no `paths.cancel`"
                except ReelbatchError as error:
                    left[job_id] = str(error)
    return CalledOff(tuple(asked), left)


def cancel_run(
    folder: Path, *, patience_s: float = PATIENCE_S, told: Callable[[Owner], None] = lambda _: None
) -> Cancellation:
    """Ask the run that works on a folder to stop in order, wherever it was started, and wait until it has.

    Args:
        folder: the output folder.
        patience_s: how long to wait at most; 0: not at all.
        told: hears who was asked, before the waiting begins.

    Raises:
        LedgerError: the folder has no ledger that can be read, or its run cannot be asked.
    """
    reader = LedgerReader(ledger_in(folder))
    if not reader.is_being_written():
        return Cancellation(reader.folder, None, stopped=True)
    owner = reader.read(requests.last_owner)
    reader.ask(requests.ask, RequestKind.CANCEL)
    failpoint("cancel.asked")
    told(owner)
    end = time.monotonic() + patience_s
    while (going := reader.is_being_written()) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY_S)
    return Cancellation(reader.folder, owner, stopped=not going)
