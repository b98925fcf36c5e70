"""Saying something of jobs: the run that owns their ledger is asked to write it down, or the ledger is opened for it."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import write_catalogue_again
from pipelines.core.errors import LedgerOwned, SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.outcome import PersonsWord
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import JobStatus
from pipelines.core.text.suggestion import near_name
from pipelines.ledger import requests, views
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.requests import RequestKind
from pipelines.ledger.settlement import as_argument, write_word
from pipelines.ledger.storage.place import LedgerPlace

_LOOK_EVERY_S = 0.1
PATIENCE_S = 20.0  #: an owner looks every two seconds


def who() -> str:
    """Who is speaking, for the history of the ledger: `ann@studio-3`."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return "a person"


async def say_of_jobs(
    place: LedgerPlace, words: Sequence[tuple[str, PersonsWord]], *, patience_s: float = PATIENCE_S
) -> dict[str, JobStatus]:
    """Write down what a person says of jobs, in order; the catalogue follows, at once or at the end of the run.

    Args:
        place: of the ledger. The run that owns it is asked; where none does, it is opened.
        words: by job.
        patience_s: how long a run is waited for that does not answer.

    Returns:
        Where each job stands now.

    Raises:
        SettlementRefused: it cannot be said of one of them; what came before it is written.
        LedgerOwned: who owns the ledger does not answer; nothing was changed.
    """
    reader, end, said = LedgerReader(place), time.monotonic() + patience_s, dict[str, JobStatus]()
    while len(said) < len(words):
        if reader.is_being_written():
            job_id, word = words[len(said)]
            status = await _ask(reader, job_id, word, end)
            if status is not None:
                said[job_id] = status
                continue
        else:
            try:
                async with Ledger(place) as ledger:
                    try:
                        for job_id, word in words[len(said) :]:
                            said[job_id] = (await ledger.write(write_word, job_id, word)).state.status
                            failpoint("person.written")
                    finally:
                        await write_catalogue_again(ledger, ledger.folder)
            except LedgerOwned:
                pass
        if time.monotonic() > end:
            owner = reader.read(requests.last_owner)
            raise LedgerOwned(f"{place.folder} is being worked on by {owner}, which does not answer. Try again later.")
    return said


async def _ask(reader: LedgerReader, job_id: str, word: PersonsWord, end: float) -> JobStatus | None:
    """Ask the owner. None: it has gone, or does not answer in time; then the request is taken back."""
    failpoint("person.asking")
    number = reader.ask(requests.ask, RequestKind.SETTLE, as_argument(job_id, word))
    failpoint("person.asked")
    while True:
        heeded, answer = reader.read(requests.answered, number)
        if heeded or not reader.is_being_written() or time.monotonic() > end:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    if not heeded and not reader.ask(requests.take_back, number):
        _, answer = reader.read(requests.answered, number)
    found: dict[str, Any] = answer or {}
    if "refused" in found:
        raise SettlementRefused(found["refused"])
    return JobStatus(found["status"]) if "status" in found else None


def refuse_while_a_run_goes_on(reader: LedgerReader, what: str) -> None:
    """Refuse what a run of its own would order: one that goes on has chosen its jobs, its keys and its caps.

    Args:
        reader: of the ledger.
        what: is not done, as the subject of a sentence: `A new take`.

    Raises:
        LedgerOwned: a run goes on; what to do is said.
    """
    if reader.is_being_written():
        raise LedgerOwned(
            f"{shown_place(reader.folder)} is being worked on by {reader.read(requests.last_owner)}. {what} is ordered by a run "
            f"of its own: wait for the end of that one, or stop it with `reelbatch cancel {shown_place(reader.folder)}`, and ask "
            "again. Nothing was changed."
        )


def no_such_job(job_id: str, ids: Sequence[str], folder: Path) -> SettlementRefused:
    """The refusal of a word about a job that a folder does not have, with the nearest that it has."""
    return SettlementRefused(f"There is no job {job_id!r} in {shown_place(folder)}. {near_name(job_id, ids)}".rstrip())


def records_by_id(reader: LedgerReader) -> dict[str, views.JobRecord]:
    """Every job of a ledger."""
    return {record.job.id: record for record in reader.read(lambda connection: list(views.records(connection)))}
