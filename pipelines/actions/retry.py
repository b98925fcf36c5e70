"""Running again what failed for a reason that passes: which rows, at what price, and why the others are left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.actions.known_batch import (
    batch_to_run,
    options_of,
    profiles_of_folder,
    registered,
    write_catalogue_again,
)
from pipelines.actions.persons_word import check_caps, no_such_job, say_to_run, who
from pipelines.batch import Batch
from pipelines.core.advice import MODERATION_WORDS
from pipelines.core.failpoints import failpoint
from pipelines.core.image import IMAGE_UNUSABLE
from pipelines.core.outcome import Retried
from pipelines.core.remote_folder import shown_place
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.amounts import amount_text
from pipelines.ledger import views
from pipelines.ledger.history import planned_by_a_retry, refused_with
from pipelines.ledger.ledger import Ledger, LedgerReader, is_rehearsal, ledger_in
from pipelines.ledger.requests import Owner
from pipelines.ledger.settlement import write_word
from pipelines.ledger.views import JobRecord
from pipelines.providers.profile.digest import orders_digest
from pipelines.providers.profile.model import Profile
from pipelines.run.options import RunOptions
from pipelines.run.selection import choose

#: Words of a code or message that say: it is what the row asks for, and the next time will be no better.
_LASTING = (*MODERATION_WORDS, "policy", "sensitive", "nsfw", "prohibited", "copyright", "invalid", "unsupported")


@dataclass(frozen=True, slots=True)
class LeftRow:
    """A row that is not run again, and why."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What a retry would do."""

    folder: Path  # of the ledger
    ids: tuple[str, ...]  # run again
    with_them: tuple[str, ...]  # skipped until now, since they are remixes of one of these
    left: tuple[LeftRow, ...]
    cost: Mapping[str, Decimal]  # by currency: the most that it costs
    uncertain: Mapping[str, Decimal]  # of these rows, what may have been charged for the failures
    unpriced: int  # rows without a known price
    rehearsal: bool  # nothing is paid
    assumed: Mapping[str, Decimal] = field(default_factory=dict)  # so much of the cost rests on assumed prices
    begun: frozenset[str] = frozenset()  # those that an earlier retry has planned again, and was killed before they ran
    unended: Mapping[JobStatus, int] = field(default_factory=dict)  # rows that have not failed: not for a retry

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "folder": shown_place(self.folder),
            "retried": list(self.ids),
            "remixes": list(self.with_them),
            "left": [{"id": row.id, "why": row.why} for row in self.left],
            "cost": {currency: amount_text(amount) for currency, amount in self.cost.items()},
            "assumed": {currency: amount_text(amount) for currency, amount in self.assumed.items()},
            "rehearsal": self.rehearsal,
            "unended": {str(status): count for status, count in self.unended.items()},
        }

    @property
    def unended_words(self) -> str:
        """What goes on with the rows that have not failed and are not made; empty where there are none."""
        if not self.unended:
            return ""
        counts = ", ".join(f"{count:,} {status.label}" for status, count in self.unended.items())
        settle = ", and `reelbatch resolve DIR ID` settles a doubt" if JobStatus.IN_DOUBT in self.unended else ""
        return f"Not ended yet: {counts}. That is for the command of the run (`reelbatch run`): it goes on with them{settle}."


def plan_retry(folder: Path, only: Sequence[str] = (), options: RunOptions | None = None) -> RetryPlan:
    """Find what failed for a reason that passes, and what it costs to run it again. Changes nothing.

    Args:
        folder: the output folder.
        only: ids or patterns; empty: every row.
        options: only further profiles count.

    Raises:
        SettlementRefused: `only` names a job that is not there.
        LedgerError: the folder has no ledger that can be read.
    """
    reader = LedgerReader(ledger_in(folder))
    records = [r for r in reader.read(lambda connection: list(views.records(connection))) if r.counts]
    ids = [record.job.id for record in records]
    chosen, unknown = choose(ids, only) if only else (ids, [])
    if unknown:
        raise no_such_job(unknown[0], ids, folder)
    profiles = profiles_of_folder(reader, options)
    again, left = list[JobRecord](), list[LeftRow]()
    begun, refused = reader.read(lambda connection: (planned_by_a_retry(connection), refused_with(connection)))
    for record in records:
        if record.job.id not in chosen or not (record.status.meaning.failed or record.job.id in begun or only):
            continue
        if record.job.id in begun and record.status is JobStatus.PLANNED:
            again.append(record)
            continue
        why = why_left(record, profiles.get(record.job.order.provider), refused.get(record.job.id))
        if why is None:
            again.append(record)
        else:
            left.append(LeftRow(record.job.id, why))
    children = _skipped_with(again, records)
    taken = {record.job.id for record in again}
    open_still = [r.status for r in records if not only and not r.status.meaning.final and r.job.id not in taken]
    cost, unpriced = _sum_of([*again, *children])
    return RetryPlan(
        folder=reader.folder,
        ids=tuple(record.job.id for record in again),
        with_them=tuple(record.job.id for record in children),
        left=tuple(left),
        cost=cost,
        uncertain=_sum_of([record for record in again if record.billed is Billed.UNKNOWN])[0],
        unpriced=unpriced,
        rehearsal=is_rehearsal(reader.folder),
        begun=frozenset(record.job.id for record in again if record.status is JobStatus.PLANNED),
        assumed=_sum_of([record for record in (*again, *children) if record.plan.price_assumed])[0],
        unended={status: open_still.count(status) for status in JobStatus if status in open_still},
    )


def why_left(record: JobRecord, profile: Profile | None, written_by: str | None = None) -> str | None:
    """Say why a row is not run again, or None where it failed for a reason that passes. Pure.

    Args:
        record: of the row.
        profile: of its provider, as it is now.
        written_by: the digest of the profile that had written the order that was refused, where that is known.
    """
    status, code, message = record.status, record.error_code or "", record.error_message or ""
    if not status.meaning.failed:
        return f"it is {status.label}"
    if status is JobStatus.EXPIRED or record.billed is Billed.YES:
        return "it was paid for; `reelbatch redo` buys a new take"
    kind = profile.errors.get(code) if profile else None
    said = f"{code} {message}".lower()
    if kind == "moderation" or any(word in said for word in MODERATION_WORDS):
        return f"its provider does not make what it asks for ({code or message}); change its prompt"
    if code == IMAGE_UNUSABLE:
        return None  # it was never sent, and the picture may have been mended
    if status is JobStatus.REJECTED and written_by and profile and orders_digest(profile) != written_by:
        return None  # nothing was charged, and another order goes out now
    if status is JobStatus.REJECTED or kind == "row" or any(word in said for word in _LASTING):
        return f"it would be refused again ({code or message}); change what the row asks for, or its profile"
    return None


async def retry_in_run(plan: RetryPlan, options: RunOptions | None = None) -> Owner | None:
    """Let the run that works on the folder make the rows of a retry, within its own caps.

    Args:
        plan: as `plan_retry` made it.
        options: whose budget they must not exceed, and whether they may have been bought before, elsewhere.

    Returns:
        The run; None: none goes on, or it ended before it had heard all of it, and `begin_retry` is to be called.

    Raises:
        SettlementRefused: it does not order one of them, and says why.
        LedgerOwned: it does not answer.
    """
    place = ledger_in(plan.folder)
    if not LedgerReader(place).is_being_written():
        return None
    check_caps(plan.cost, plan.unpriced, options)
    word = Retried(who(), again=options is not None and options.again)
    ids = (*(job_id for job_id in plan.ids if job_id not in plan.begun), *plan.with_them)
    return await say_to_run(place, [(job_id, word) for job_id in ids])


async def begin_retry(plan: RetryPlan, options: RunOptions | None = None) -> tuple[Batch, RunOptions]:
    """Plan the rows of a retry again and write `failed.csv`; what is returned is to be run as ever.

    Args:
        plan: as `plan_retry` made it.
        options: of the run: its budget, and further profiles.

    Raises:
        LedgerOwned: a run is going on: wait for its end, or cancel it.
        SettlementRefused: a row stands elsewhere by now.
    """
    chosen = options_of(plan.folder, options)
    async with Ledger(ledger_in(plan.folder)) as ledger:
        await write_catalogue_again(ledger, plan.folder, chosen)  # `failed.csv` says what failed, as it is now
        by, states = who(), await ledger.write(views.states)
        for job_id in plan.ids:
            if states[job_id].status is JobStatus.PLANNED:  # by an earlier retry, or by a run that ended a moment ago
                continue
            await ledger.write(write_word, job_id, Retried(by))
        failpoint("retry.planned")
        source, records = await ledger.write(registered)
    batch = batch_to_run(source, records, chosen)
    return batch, chosen.model_copy(update={"only": (*plan.ids, *plan.with_them)})


def _skipped_with(again: Sequence[JobRecord], records: Sequence[JobRecord]) -> list[JobRecord]:
    """The remixes that were skipped because of these."""
    ids, found = {record.job.id for record in again}, list[JobRecord]()
    while True:
        more = [
            record
            for record in records
            if record.job.parent in ids
            and record.job.id not in ids
            and record.status is JobStatus.SKIPPED
            and record.error_code is not None
        ]
        if not more:
            return found
        found += more
        ids |= {record.job.id for record in more}


def _sum_of(records: Sequence[JobRecord]) -> tuple[dict[str, Decimal], int]:
    """What jobs are expected to cost, by currency, and how many have no price."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    unpriced = 0
    for record in records:
        if record.plan.cost_estimated is None or record.plan.currency is None:
            unpriced += 1
        else:
            totals[record.plan.currency] += record.plan.cost_estimated
    return dict(totals), unpriced
