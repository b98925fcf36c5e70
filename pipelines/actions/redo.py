"""A new take of a row that has ended, with another prompt perhaps: a purchase of its own, its price first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import batch_to_run, options_of, profiles_of_folder, registered
from pipelines.actions.persons_word import check_caps, no_such_job, records_by_id, say_to_run, who
from pipelines.batch import Batch
from pipelines.batch.matching.prompt import too_long
from pipelines.core.errors import SettlementRefused
from pipelines.core.failpoints import failpoint
from pipelines.core.job import Job, Order
from pipelines.core.outcome import Replaced
from pipelines.core.remote_folder import shown_place
from pipelines.core.text.amounts import amount_text
from pipelines.ledger import views
from pipelines.ledger.ledger import Ledger, LedgerReader, is_rehearsal, ledger_in
from pipelines.ledger.persons_steps import REPLACEABLE
from pipelines.ledger.requests import Owner
from pipelines.ledger.settlement import write_word
from pipelines.ledger.views import JobRecord
from pipelines.pricing.price import quote
from pipelines.providers.profile.model import Profile
from pipelines.run.options import RunOptions


@dataclass(frozen=True, slots=True)
class RedoPlan:
    """A new take, as it would be bought."""

    folder: Path  # of the ledger
    old: Job
    new: Job
    rehearsal: bool  # nothing is paid

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        cost = self.new.cost_estimated
        return {
            "folder": shown_place(self.folder),
            "replaced": self.old.id,
            "new": self.new.id,
            "prompt": self.new.order.prompt,
            "cost": None if cost is None else amount_text(cost),
            "currency": self.new.currency,
            "rehearsal": self.rehearsal,
        }


def plan_redo(folder: Path, job_id: str, prompt: str | None = None, options: RunOptions | None = None) -> RedoPlan:
    """Plan a new take of a job that has ended. Changes nothing.

    Args:
        folder: the output folder.
        job_id: the job.
        prompt: another prompt; None: that of the row as it is in the batch file, which may have changed since.
        options: only further profiles count.

    Raises:
        SettlementRefused: there is no such job, it has not ended, it has a newer take, or the prompt cannot be sent.
        LedgerError: the folder has no ledger that can be read.
    """
    reader = LedgerReader(ledger_in(folder))
    records = records_by_id(reader)
    record = records.get(job_id)
    if record is None:
        raise no_such_job(job_id, list(records), folder)
    if record.replaced_by is not None:
        raise SettlementRefused(
            f"{job_id} is replaced by {record.replaced_by} already. Ask for a new take of that one."
        )
    if not record.in_batch:
        raise SettlementRefused(f"The batch file does not name {job_id} any more. Put its row back, and run it first.")
    if record.status not in REPLACEABLE:
        raise SettlementRefused(
            f"{job_id} is {record.status.label}: a new take is made of what is done, or has ended without a clip."
        )
    profiles = profiles_of_folder(reader, options)
    now = {each.bought.id: each.asked_for for each in reader.read(views.changed_rows)}
    as_asked = now.get(job_id, record.job)
    profile = profiles.get(as_asked.order.provider)
    new = _new_take(record, as_asked, records.values(), prompt, profile)
    return RedoPlan(reader.folder, record.job, new, is_rehearsal(reader.folder))


async def redo_in_run(plan: RedoPlan, options: RunOptions | None = None) -> Owner | None:
    """Let the run that works on the folder make a new take, within its own caps.

    Args:
        plan: as `plan_redo` made it.
        options: whose budget the take must not exceed.

    Returns:
        The run; None: none goes on, and `begin_redo` is to be called.

    Raises:
        SettlementRefused: it does not order it, and says why; or the job has a newer take by now.
        LedgerOwned: it does not answer.
    """
    place = ledger_in(plan.folder)
    if not LedgerReader(place).is_being_written():
        return None
    new = plan.new
    priced = new.cost_estimated is not None and new.currency is not None
    check_caps({str(new.currency): new.cost_estimated or Decimal(0)} if priced else {}, int(not priced), options)
    return await say_to_run(place, [(plan.old.id, Replaced(new, who()))])


async def begin_redo(plan: RedoPlan, options: RunOptions | None = None) -> tuple[Batch, RunOptions]:
    """Write a new take into the ledger, in the place of the old one; what is returned is to be run as ever.

    Args:
        plan: as `plan_redo` made it.
        options: of the run: its budget, and further profiles.

    Raises:
        LedgerOwned: a run is going on: wait for its end, or cancel it.
        SettlementRefused: the job has a newer take by now.
    """
    chosen = options_of(plan.folder, options)
    async with Ledger(ledger_in(plan.folder)) as ledger:
        await ledger.write(write_word, plan.old.id, Replaced(plan.new, who()))
        failpoint("redo.planned")
        source, records = await ledger.write(registered)
    return batch_to_run(source, records, chosen), chosen.model_copy(update={"only": (plan.new.id,), "again": True})


def _new_take(
    record: JobRecord, old: Job, records: Iterable[JobRecord], prompt: str | None, profile: Profile | None
) -> Job:
    """The job of a new take: made where the old one was made, or as its row asks for it now."""
    records = list(records)
    first = record.redo_of or old.id
    taken = {each.job.id.casefold() for each in records}
    number = next(n for n in range(2, len(taken) + 3) if f"{first}-r{n}".casefold() not in taken)
    new_id, takes = f"{first}-r{number}", [each.job.take for each in records if each.job.row == old.row]
    stem = old.filename.removesuffix(".mp4")  # `hero.mp4` becomes `hero-r2.mp4`, and that `hero-r3.mp4`
    stem = stem if record.redo_of is None else stem.rpartition("-r")[0] or stem
    update: dict[str, Any] = {
        "id": new_id,
        "take": max(takes) + 1,
        "filename": f"{stem}-r{number}.mp4",
        "enabled": True,
        "fallbacks": old.fallbacks[old.fallback_index :],
        "fallback_index": 0,
    }
    if prompt is not None:
        order = _with_prompt(old.order, prompt, profile)
        others = (
            c.model_copy(update={"order": c.order.model_copy(update={"prompt": order.prompt})})
            for c in update["fallbacks"]
        )
        update |= {"order": order, "fallbacks": tuple(others)}
    if profile is not None and (price := quote(update.get("order", old.order), profile)) is not None:
        update |= {"cost_estimated": price.amount, "currency": price.currency, "price_assumed": price.assumed}
    return old.model_copy(update=update)


def _with_prompt(order: Order, prompt: str, profile: Profile | None) -> Order:
    """The same order with another prompt.

    Raises:
        SettlementRefused: it is empty, or longer than the provider takes.
    """
    if not prompt.strip():
        raise SettlementRefused("The new prompt is empty. Nothing was changed.")
    if profile is not None and (finding := too_long(prompt, profile, order.mode)) is not None:
        raise SettlementRefused(f"The new prompt {finding.what} {finding.fix} Nothing was changed.")
    return order.model_copy(update={"prompt": prompt.strip()})
