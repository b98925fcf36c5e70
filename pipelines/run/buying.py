"""Who buys in a run, as the index of purchases wants to know it; and what of a lost ledger that index can give back."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from pipelines.batch import Batch
from pipelines.core.errors import BoughtBefore, LedgerError
from pipelines.core.events import Event, IndexUnusable, JobsRecognised, PurchasesAdopted
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.core.text.counts import counted, first_of
from pipelines.ledger.bought import attempt_states
from pipelines.ledger.ledger import Ledger, LedgerReader, is_ledger_owned
from pipelines.ledger.storage.place import LedgerPlace, SharedLedger, address_text, place_named, place_remembered
from pipelines.net.addresses import is_own
from pipelines.net.listeners import listeners_at
from pipelines.providers.client import account_of
from pipelines.purchases.index import Intention, Place, PurchaseIndex
from pipelines.purchases.reconciliation import Buyer, heal, purchases_of, reconcile
from pipelines.purchases.repeats import Repeat, find_repeats, find_rivals, intention_of, repeats_words
from pipelines.run.accounts import addresses_of
from pipelines.run.observers import write_log
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import output_folder
from pipelines.run.own_copies import refusal_of_own_copy
from pipelines.run.run import Run


def buyer_of(batch: Batch, options: RunOptions, kept: Mapping[str, str] | None = None) -> Buyer:
    """Say who buys in a run, and where.

    Args:
        batch: the batch.
        options: of the run.
        kept: keys and addresses that count where the environment has no key.
    """
    tick = options.tick
    addresses = {name: (url, account_of(url, "")[:8]) for name, url in addresses_of(batch, kept or {}).items()}
    listeners = listeners_at({url for url, _ in addresses.values()})
    return Buyer(
        index=PurchaseIndex(),
        place=Place(
            ledger_id="",
            folder=str(output_folder(batch, options).resolve()),
            campaign=batch.name,
            occurrence=None if tick is None else tick.key,
            batch=str(batch.path.resolve()),
        ),
        addresses={name: half for name, (_, half) in addresses.items()},
        own={half: listeners.get(url) for url, half in addresses.values() if is_own(url)},
        again=options.again,
    )


def reconciled(connection: Connection, jobs: Sequence[Job], buyer: Buyer, *, dry: bool = False) -> list[Event]:
    """Bring ledger and index together, and say what there is to say of it. Without the index the ledger stands alone.

    Raises:
        SetupError: the folder is another campaign's.
    """
    try:
        found = reconcile(connection, jobs, buyer, dry=dry)
    except LedgerError as error:
        return [IndexUnusable(error)]
    said: list[Event] = []
    if found.adopted:
        bought = [each.bought for each in found.adopted]
        tasks = tuple(each.provider_job_id for each in bought if each.provider_job_id)
        said.append(PurchasesAdopted(tuple(each.job_id for each in bought), tasks))
    if found.renamed:
        said.append(JobsRecognised(found.renamed))
    return said


async def bring_index_up(ledger: Ledger, batch: Batch, options: RunOptions) -> None:
    """Tell the index what a person has settled in a ledger; nothing of a rehearsal, and nothing fails by it."""
    if options.rehearse:
        return
    try:
        await ledger.write(heal, buyer_of(batch, options))
    except LedgerError as error:
        write_log(IndexUnusable(error))


async def refuse_repeats(run: Run, buyer: Buyer) -> None:
    """Refuse a run that would buy what was bought before, or what another run is buying; others are told what it buys.

    Raises:
        BoughtBefore: it would; the message names it all.
    """
    to_buy = [job for job in run.jobs() if run.status_of(job.id) is JobStatus.PLANNED]
    if not to_buy:
        return
    if (refusal := refusal_of_own_copy(run.batch, run.options)) is not None:
        raise refusal
    await _refuse(run, buyer, to_buy)


async def _refuse(run: Run, buyer: Buyer, to_buy: Sequence[Job], *, more: bool = False) -> None:
    jobs, own = [*run.orphans, *run.batch.jobs], await run.ledger.write(own_attempts, run.made_as)
    try:
        mine = intention_of(to_buy, jobs, buyer, address_text(run.ledger.place))
        others = buyer.index.announce(mine, more=more)
        alive = [each for each in others if await asyncio.to_thread(_is_alive, each, run.ledger.place)]
        for killed in [each for each in others if each not in alive]:
            await asyncio.to_thread(_learn_from, killed, buyer, run.ledger.place)
        rivals = find_rivals(to_buy, jobs, buyer, alive)
        found = find_repeats(to_buy, jobs, buyer, own)  # last: what was bought meanwhile is found
    except LedgerError as error:
        run.emit(IndexUnusable(error))
        return
    if found and not buyer.again:
        raise refusal_of(found)
    if rivals and not buyer.again:
        ids, folder = first_of([job.id for job, _ in rivals]), rivals[0][1].place.folder
        raise BoughtBefore(
            f"{counted(len(rivals), 'video')} of this batch ({ids}) may be bought now by the run into {folder}. Nothing was "
            "sent. Wait for its end, or to buy the same again, add --again (advanced.again in Prefect)."
        )


async def refuse_repeated(run: Run, buyer: Buyer, added: Sequence[Job]) -> None:
    """Refuse jobs that are added to a run, as `refuse_repeats` refuses those that it begins with; others are told of them.

    Raises:
        BoughtBefore: they would be bought again; the message names it all.
    """
    await _refuse(run, buyer, added, more=True)


def withdraw(buyer: Buyer) -> None:
    """Say that nothing more is bought into a folder."""
    with suppress(LedgerError):
        buyer.index.withdraw(buyer.place.folder)


def _place_of(other: Intention, ours: LedgerPlace) -> LedgerPlace:
    """Where another run has its ledger; in the database that we use ourselves, with what lets us in."""
    folder, tick = Path(other.place.folder), other.place.occurrence
    campaign = other.place.campaign if tick is None else f"{other.place.campaign}/{tick}"
    theirs = place_remembered(folder) or place_named(other.ledger, folder, campaign)
    if isinstance(theirs, SharedLedger) and isinstance(ours, SharedLedger) and theirs.address == ours.address:
        return replace(theirs, url=ours.url)
    return theirs


def _is_alive(other: Intention, ours: LedgerPlace) -> bool:
    """Tell whether another run goes on; one whose database cannot be asked may. That of a ledger which is ours now does not."""
    try:
        theirs = _place_of(other, ours)
        return theirs != ours and is_ledger_owned(theirs)
    except LedgerError:
        return True


def _learn_from(killed: Intention, buyer: Buyer, ours: LedgerPlace) -> None:
    """Put into the index what a run that was killed has bought, as far as its ledger is still there."""
    theirs = replace(buyer, place=killed.place)
    with suppress(LedgerError):
        ledger = LedgerReader(_place_of(killed, ours))
        buyer.index.put(ledger.read(lambda each: purchases_of(each, None, theirs.at(each))))
    buyer.index.withdraw(killed.place.folder)


def own_attempts(connection: Connection, job_ids: Container[str]) -> list[str]:
    """The attempts, by id, that a ledger has of these jobs."""
    return [name for name, (job_id, *_) in attempt_states(connection).items() if job_id in job_ids]


def refusal_of(found: Sequence[Repeat]) -> BoughtBefore:
    """The error that names what was bought before, and what to do."""
    folders = Counter(each.purchase.place.folder for each in found).most_common()
    there = f"add --out {folders[0][0]}"
    if len(folders) > 1:
        named = first_of([f"{folder} ({counted(count, 'video')})" for folder, count in folders])
        there = f"name one of their folders by --out, and by --only what lies in it: {named}"
    return BoughtBefore(
        f"{repeats_words(found)} Nothing was sent. To go on with what is there, {there}; to buy the same again, add --again "
        "(advanced.again in Prefect)."
    )


def is_remembered(folder: Path, buyer: Buyer) -> bool:
    """Tell whether the index knows every purchase that the manifest of a folder shows, so that its ledger may be gone."""
    try:
        lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        shown = {row["task_id"] for row in rows if row["task_id"] and row["billed"] != "no"}
        doubtful = any(row["status"] == "in_doubt" for row in rows)
        known = {trace.provider_job_id for trace in buyer.index.traces_of(buyer.place)}
    except (OSError, ValueError, KeyError, TypeError, LedgerError):
        return False
    return bool(shown) and shown <= known and not doubtful
