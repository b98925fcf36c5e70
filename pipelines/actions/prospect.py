"""What a run would do, before it does anything: what is new and what it costs, what is there, what was bought before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from pipelines.batch import Batch
from pipelines.core.errors import BoughtBefore, LedgerError, SetupError
from pipelines.core.events import Event, IndexUnusable, RowsChanged
from pipelines.core.job import Job
from pipelines.core.status import JobStatus
from pipelines.core.text.amounts import amount_text, price_text
from pipelines.core.text.counts import counted, first_of
from pipelines.core.text.sentences import sentence
from pipelines.ledger import registration, views
from pipelines.ledger.attempts import Budget
from pipelines.ledger.balances import balances
from pipelines.ledger.history import refused_with
from pipelines.ledger.job_state import JobState
from pipelines.ledger.known_plan import is_at_rest
from pipelines.ledger.ledger import LedgerReader, is_begun, is_ledger_owned, trial_ledger
from pipelines.ledger.recovery import reopen_expired
from pipelines.ledger.spending import CapStanding
from pipelines.ledger.spending_book import read_standings
from pipelines.ledger.storage.place import LedgerPlace, SharedLedger, place_remembered, refuse_lost
from pipelines.pricing.estimate import Estimate, estimate
from pipelines.providers.profile.digest import orders_digest
from pipelines.purchases.reconciliation import Buyer
from pipelines.purchases.repeats import Repeat, find_repeats, repeats_words
from pipelines.run.buying import buyer_of, is_remembered, own_attempts, reconciled
from pipelines.run.opening import budget_of
from pipelines.run.options import RunOptions
from pipelines.run.output_folder import ledger_of, output_folder
from pipelines.run.own_copies import refusal_of_own_copy
from pipelines.run.selection import choose, in_hand
from pipelines.run.spending import book_path, caps_of


@dataclass(frozen=True, slots=True)
class Room:
    """What a cap leaves."""

    left: Decimal  # below zero where more is committed already
    currency: str
    name: str  # of a cap over all campaigns, in words; empty: of the run
    words: str  # how it is said in the question before a run


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a run would find and do."""

    campaign: str
    counts: Mapping[JobStatus, int]  # of the batch, as the run would find them
    new: tuple[Job, ...]  # would be bought
    cost: Estimate  # of the new ones
    cap: Budget | None  # of the run
    committed: Decimal  # against it already: spent, reserved or uncertain
    standings: tuple[CapStanding, ...] = ()  # of the caps of a day and a month, over all campaigns
    repeats: tuple[Repeat, ...] = ()  # those of the new ones that were bought before
    refusal: BoughtBefore | None = (
        None  # why none of them is bought: the file is what a campaign has written of its rows
    )
    events: tuple[Event, ...] = ()  # what the run would say of its ledger
    running: bool = False  # a run is going on there; nothing was looked at
    outdated: Mapping[str, str] = field(default_factory=dict)  # rows refused with another profile than now: of whom

    @property
    def price(self) -> str:
        """The most that the new ones cost."""
        known = ", ".join(price_text(amount, currency) for currency, amount in self.cost.most.items())
        unknown = f"{counted(len(self.cost.unknown), 'video')} of unknown price" if self.cost.unknown else ""
        return " and ".join(filter(None, (known, unknown))) or "nothing"

    def room(self) -> Room | None:
        """What the tightest cap leaves; None: there is no cap."""
        rooms = []
        if self.cap is not None:
            spent = f", {amount_text(self.committed)} of it committed already" if self.committed else ""
            words = f"the cap is {price_text(self.cap.most, self.cap.currency)}{spent}"
            rooms.append(Room(self.cap.most - self.committed, self.cap.currency, "", words))
        for each in self.standings:
            cap = each.cap
            taken = f", of which {each.words}" if each.committed else ""
            words = f"the {cap.period}'s cap is {price_text(cap.most, cap.currency)}{taken}"
            rooms.append(Room(cap.most - each.committed, cap.currency, cap.words, words))
        return min(rooms, key=lambda room: room.left, default=None)

    def short_words(self) -> str:
        """`28 done, 1 new: 0.40 USD`."""
        others = [f"{n:,} {status.label}" for status, n in self.counts.items() if n and status is not JobStatus.PLANNED]
        left = self.counts.get(JobStatus.PLANNED, 0) - len(self.new)
        parts = [*others, *([f"{left:,} not asked for now"] if left else []), f"{len(self.new):,} new"]
        return ", ".join(parts) + (f": {self.price}" if self.new else "")

    def lines(self) -> list[str]:
        """What a person reads before saying yes."""
        said = [f"{self.campaign}: {self.short_words()}."]
        if self.new:
            cap = "no cap is set" if (room := self.room()) is None else room.words
            assumed = "; prices are assumed, the provider publishes none" if self.cost.assumed else ""
            said.append(f"This run buys for at most {self.price}; {cap}{assumed}.")
        said += [found.words for event in self.events if (found := sentence(event)) is not None]
        if self.outdated:
            ids, whose = list(self.outdated), first_of(sorted(set(self.outdated.values())))
            said.append(
                f"{first_of(ids)} {'was' if len(ids) == 1 else 'were'} refused, and the profile of {whose} has changed since; "
                "`reelbatch retry DIR` tries again."
            )
        if self.repeats:
            said.append(repeats_words(self.repeats))
        if self.refusal is not None:
            said.append(str(self.refusal))
        return said

    def as_dict(self) -> dict[str, Any]:
        """For machines: amounts as text."""
        return {
            "counts": {str(status): n for status, n in self.counts.items() if n},
            "new": [job.id for job in self.new],
            "most": {currency: str(amount) for currency, amount in self.cost.most.items()},
            "unknown": list(self.cost.unknown),
            "assumed": self.cost.assumed,
            "cap": None if self.cap is None else str(self.cap.most),
            "committed": str(self.committed),
            "caps": [
                {
                    "period": str(each.cap.period),
                    "most": str(each.cap.most),
                    "currency": each.cap.currency,
                    "committed": str(each.committed),
                    "campaigns": each.campaigns,
                }
                for each in self.standings
            ],
            "refused": None if self.refusal is None else str(self.refusal),
            "bought_before": {each.job.id: each.purchase.words for each in self.repeats},
        }


@dataclass(frozen=True, slots=True)
class _Found:
    """A ledger with the batch registered in it, as a run would find it."""

    states: Mapping[str, JobState]
    planned: Mapping[str, Job]  # those that have left the file first
    made_as: Mapping[str, Job]
    own: Sequence[str] = ()  # attempts of these jobs
    events: tuple[Event, ...] = ()
    committed: Mapping[str, Decimal] = field(default_factory=dict)  # by currency
    outdated: Mapping[str, str] = field(default_factory=dict)  # by job, the provider whose profile has changed


def prospect(batch: Batch, options: RunOptions, kept: Mapping[str, str] | None = None) -> Prospect:
    """Look what a run would do. Changes nothing, asks nobody.

    Args:
        batch: the batch.
        options: of the run.
        kept: keys and addresses that count where the environment has no key.

    Raises:
        SetupError: the ledger cannot be used, or the folder is another campaign's.
    """
    folder = output_folder(batch, options)
    place, known = ledger_of(folder, options, batch.name), place_remembered(folder, named=options.ledger)
    buyer = buyer_of(batch, options, kept)
    cap = budget_of(batch, options)
    if is_ledger_owned(place):
        return Prospect(batch.name, {}, (), estimate(()), cap, Decimal(0), running=True)
    ledger = _as_a_run_would_find_it(batch, options, place, buyer, is_new_folder=known is None)
    states, planned, events = ledger.states, ledger.planned, list(ledger.events)
    here = list(dict.fromkeys([*(job.id for job in batch.jobs), *planned]))  # in the order of the file
    asked = choose(here, options.only)[0] if options.only else here
    working = in_hand([ledger.made_as[job_id] for job_id in asked], states, options.limit)
    new = tuple(job for job in working if states[job.id].status is JobStatus.PLANNED)
    found: list[Repeat] = []
    if not options.rehearse and not options.again:
        try:
            found = find_repeats(new, [*planned.values()], buyer, ledger.own)
        except LedgerError as error:
            events.append(IndexUnusable(error))
    return Prospect(
        campaign=batch.name,
        counts=Counter(states[job_id].status for job_id in here if states[job_id].counts),
        new=new,
        cost=estimate(new, batch.profiles),
        cap=cap,
        committed=ledger.committed.get(cap.currency, Decimal(0)) if cap is not None else Decimal(0),
        standings=tuple(read_standings(place, book_path(), caps_of(batch, options))),
        repeats=tuple(found),
        refusal=refusal_of_own_copy(batch, options) if new else None,
        events=tuple(dict.fromkeys(events)),
        outdated=ledger.outdated,
    )


def _as_a_run_would_find_it(
    batch: Batch, options: RunOptions, place: LedgerPlace, buyer: Buyer, *, is_new_folder: bool
) -> _Found:
    """Register the batch in a trial of its ledger; where nothing was ever bought there is nothing to try it on."""
    remembered, begun = partial(is_remembered, output_folder(batch, options), buyer), is_begun(place)
    if not begun and _is_unknown(buyer) and not remembered():
        refuse_lost(place)
        planned, skipped = JobState(JobStatus.PLANNED), JobState(JobStatus.SKIPPED)
        states = {job.id: planned if job.enabled else skipped for job in batch.jobs}
        jobs = {job.id: job for job in batch.jobs}
        return _Found(states, jobs, jobs)
    if batch.reading is not None and begun and not is_new_folder:
        with suppress(LedgerError):  # what cannot be read alone, because something would be written, is tried
            reader = LedgerReader(place)
            if (at_rest := reader.read(_as_it_stands, batch, options, buyer)) is not None:
                return at_rest
    with trial_ledger(place, remembered=remembered) as ledger:
        if isinstance(place, SharedLedger) and is_new_folder:
            registration.check_same_campaign(ledger, batch.jobs, place)
        events = [] if options.rehearse else reconciled(ledger, batch.jobs, buyer, dry=True)
        registration.register(
            ledger, batch.jobs, campaign=batch.name, path=batch.path, source_sha256=batch.source_sha256
        )
        reopen_expired(ledger, sure_as_well=False)
        return _found_in(ledger, batch, options, events)


def _as_it_stands(ledger: Connection, batch: Batch, options: RunOptions, buyer: Buyer) -> _Found | None:
    """What a run would find, where it would change nothing before; None: that has to be tried."""
    if batch.reading is None or not is_at_rest(ledger, batch.reading):
        return None
    return _found_in(
        ledger, batch, options, [] if options.rehearse else reconciled(ledger, batch.jobs, buyer, dry=True)
    )


def _found_in(ledger: Connection, batch: Batch, options: RunOptions, events: list[Event]) -> _Found:
    states = views.states(ledger)
    named = {job.id for job in batch.jobs}
    orphans = [job for job in views.orphans(ledger) if job.id not in named]
    jobs = {job.id: job for job in (*orphans, *batch.jobs)}
    made_as = jobs | {job.id: job for job in views.fallen_back(ledger) if job.id in jobs}
    if changed := tuple(each.change for each in views.changed_rows(ledger)):
        events.append(RowsChanged(changed, output_folder(batch, options)))
    committed = {each.currency: each.committed for each in balances(ledger)}
    outdated = {
        name: job.order.provider
        for name, digest in refused_with(ledger).items()
        if (job := made_as.get(name))
        and (now := batch.profiles.get(job.order.provider))
        and orders_digest(now) != digest
    }
    return _Found(states, jobs, made_as, own_attempts(ledger, jobs), tuple(events), committed, outdated)


def _is_unknown(buyer: Buyer) -> bool:
    """Tell whether the index of purchases knows nothing of this folder."""
    try:
        return not buyer.index.traces_of(buyer.place)
    except LedgerError:  # the trial says what is wrong
        return False


def consent_missing(found: Prospect) -> SetupError:
    """The error of a run for money that nobody has agreed to, where nobody can be asked."""
    ids = first_of([job.id for job in found.new])
    return SetupError(
        f"This run would buy {counted(len(found.new), 'video')} ({ids}) for at most {found.price}, and there is no "
        "terminal to ask at. Nothing was sent. Set a cap with --budget, agree with --yes, or name the plan that you have "
        "looked at with --plan."
    )
