"""Saying something of jobs: the run that owns their ledger is asked to write it down, or the ledger is opened for it."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import write_catalogue_again
from pipelines.core.errors import LedgerOwned, SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.outcome import PersonsWord
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import price_text
from pipelines.core.text.counts import counted
from pipelines.core.text.suggestion import near_name
from pipelines.ledger import requests, views
from pipelines.ledger.ledger import Ledger, LedgerReader
from pipelines.ledger.requests import Owner, RequestKind
from pipelines.ledger.settlement import as_argument, write_word
from pipelines.ledger.storage.place import LedgerPlace
from pipelines.run.options import RunOptions

_LOOK_EVERY_S = 0.1
PATIENCE_S = 20.0  #: an owner looks every two seconds

_Answer = JobStatus | SettlementRefused


def who() -> str:
    """Who is speaking, for the history of the ledger: `ann@studio-3`."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return "a person"


async def say_of_jobs(
    place: LedgerPlace, words: Sequence[tuple[str, PersonsWord]], *, patience_s: float | None = None
) -> dict[str, JobStatus]:
    """Write down what a person says of jobs, in order; the catalogue follows, at once or at the end of the run.

    Args:
        place: of the ledger. The run that owns it is asked; where none does, it is opened.
        words: by job.
        patience_s: how long a run is waited for that does not answer; None: as long as anybody.

    Returns:
        Where each job stands now.

    Raises:
        SettlementRefused: it cannot be said of one of them; of the others it is written.
        LedgerOwned: who owns the ledger does not answer; nothing was changed of what it was asked.
    """
    reader, said = LedgerReader(place), dict[str, _Answer]()
    patience_s = PATIENCE_S if patience_s is None else patience_s
    end = time.monotonic() + patience_s
    while left := [(job_id, word) for job_id, word in words if job_id not in said]:
        if reader.is_being_written():
            said |= await _ask(reader, left, patience_s)
        else:
            with suppress(LedgerOwned):
                async with Ledger(place) as ledger:
                    said |= await _write(ledger, left)
        if len(said) < len(words) and time.monotonic() > end:
            owner = reader.read(requests.last_owner)
            raise LedgerOwned(f"{place.folder} is being worked on by {owner}, which does not answer. Try again later.")
    return _where_they_stand(said)


async def say_to_run(place: LedgerPlace, words: Sequence[tuple[str, PersonsWord]]) -> Owner | None:
    """Say something of jobs to the run that goes on, which orders what follows from it within its own caps.

    Args:
        place: of the ledger.
        words: by job.

    Returns:
        The run; None: none goes on, or it ended before it had heard all of it.

    Raises:
        SettlementRefused: the run does not order one of them, and says why; the others it does.
        LedgerOwned: it does not answer; nothing was changed of what it has not heard.
    """
    reader = LedgerReader(place)
    if not reader.is_being_written():
        return None
    owner: Owner = reader.read(requests.last_owner)
    if not words:
        return owner
    said = await _ask(reader, words, PATIENCE_S)
    _where_they_stand(said)
    if len(said) == len(words):
        return owner
    if reader.is_being_written():
        raise LedgerOwned(f"{place.folder} is being worked on by {owner}, which does not answer. Try again later.")
    return None


async def _ask(reader: LedgerReader, words: Sequence[tuple[str, PersonsWord]], patience_s: float) -> dict[str, _Answer]:
    """Ask the owner, in one go. What is missing among the answers it has not heard: it has gone, or is silent for too long."""
    failpoint("person.asking")
    arguments = [as_argument(job_id, word) for job_id, word in words]
    numbers = reader.ask(requests.ask, RequestKind.SETTLE, arguments)
    failpoint("person.asked")
    heard, end = 0, time.monotonic() + patience_s
    while True:
        answers = reader.read(requests.answers, numbers)
        if len(answers) > heard:
            heard, end = len(answers), time.monotonic() + patience_s
        if len(answers) == len(numbers) or not reader.is_being_written() or time.monotonic() > end:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    if len(answers) < len(numbers):
        reader.ask(requests.take_back, [number for number in numbers if number not in answers])
        answers = reader.read(requests.answers, numbers)  # it may have been heeded after all
    said: dict[str, _Answer] = {}
    for (job_id, _), number in zip(words, numbers, strict=True):
        found: dict[str, Any] = answers.get(number) or {}
        if "refused" in found:
            said[job_id] = SettlementRefused(found["refused"])
        elif "status" in found:
            said[job_id] = JobStatus(found["status"])
    return said


async def _write(ledger: Ledger, words: Sequence[tuple[str, PersonsWord]]) -> dict[str, _Answer]:
    """Write it into a ledger that nobody works on, and the catalogue anew."""
    said: dict[str, _Answer] = {}
    try:
        for job_id, word in words:
            try:
                said[job_id] = (await ledger.write(write_word, job_id, word)).state.status
            except SettlementRefused as error:
                said[job_id] = error
            failpoint("person.written")
    finally:
        await write_catalogue_again(ledger, ledger.folder)
    return said


def _where_they_stand(said: Mapping[str, _Answer]) -> dict[str, JobStatus]:
    """Where each job stands.

    Raises:
        SettlementRefused: the first that was refused.
    """
    statuses = {job_id: answer for job_id, answer in said.items() if isinstance(answer, JobStatus)}
    for answer in said.values():
        if isinstance(answer, SettlementRefused):
            raise answer
    return statuses


def check_caps(cost: Mapping[str, Decimal], unpriced: int, options: RunOptions | None) -> None:
    """Look whether what a run is to order besides fits into the budget that was named for it: that run has its own caps.

    Args:
        cost: by currency, what it costs.
        unpriced: how many of the orders have no known price.
        options: those that were named.

    Raises:
        SettlementRefused: it does not fit, or a cap was named that only a run of its own could keep.
    """
    if options is None:
        return
    if options.budget_per_day is not None or options.budget_per_month is not None:
        raise SettlementRefused(
            "A run goes on, and orders it within its own caps of a day and a month: leave out --budget-per-day and "
            "--budget-per-month, or wait for its end. Nothing was changed."
        )
    if options.budget is None:
        return
    if unpriced or len(cost) > 1 or any(amount > options.budget for amount in cost.values()):
        words = " and ".join(price_text(amount, currency) for currency, amount in cost.items())
        known = f"{counted(unpriced, 'order')} of unknown price" if unpriced else ""
        asked = " and ".join(filter(None, (words, known)))
        raise SettlementRefused(f"It would cost {asked}, which --budget does not cover. Nothing was changed.")


def no_such_job(job_id: str, ids: Sequence[str], folder: Path) -> SettlementRefused:
    """The refusal of a word about a job that a folder does not have, with the nearest that it has."""
    return SettlementRefused(f"There is no job {job_id!r} in {shown_place(folder)}. {near_name(job_id, ids)}".rstrip())


def records_by_id(reader: LedgerReader) -> dict[str, views.JobRecord]:
    """Every job of a ledger."""
    return {record.job.id: record for record in reader.read(lambda connection: list(views.records(connection)))}
