"""What a run is about to buy, and what was bought before: the same order, whatever it was called there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.core.job import Job
from pipelines.core.text.counts import counted, first_of
from pipelines.purchases.index import Intention, KnownPurchase, Place
from pipelines.purchases.likeness import Likeness, likenesses, ways_of
from pipelines.purchases.reconciliation import Buyer


@dataclass(frozen=True, slots=True)
class Repeat:
    """A job that would be bought, and the last purchase of the same."""

    job: Job
    purchase: KnownPurchase


def find_repeats(to_buy: Sequence[Job], jobs: Sequence[Job], buyer: Buyer, own: Iterable[str]) -> list[Repeat]:
    """Find those jobs that were bought before, wherever that was.

    Args:
        to_buy: jobs that nothing was bought for yet.
        jobs: the whole batch.
        buyer: who buys, where.
        own: attempts of the jobs of this very batch: the same order in two of its rows is asked for twice on purpose.

    Raises:
        LedgerError: the index cannot be read.
    """
    if not to_buy or not buyer.index.path.exists():
        return []
    known, ours = likenesses(jobs, to_buy), set(own)
    wanted = {job.id: ways_of(job, known) for job in to_buy}
    found = [
        each
        for each in buyer.index.of_goods(way for ways in wanted.values() for way in ways)
        if each.bought.attempt_id not in ours and not _is_another_occurrence(each.place, buyer)
    ]
    by_key: dict[str, list[KnownPurchase]] = {}
    for purchase in sorted(found, key=lambda each: each.bought.sent_at or ""):
        for key in {purchase.goods, purchase.planned_goods, purchase.subject}:
            by_key.setdefault(key, []).append(purchase)
    said = []
    for job in to_buy:
        near = [each for way in wanted[job.id] for key in (way.goods, way.subject) for each in by_key.get(key, ())]
        same = [each for each in near if _is_same(job, wanted[job.id], each, buyer)]
        if same:
            said.append(Repeat(job, max(same, key=lambda each: each.bought.sent_at or "")))
    return said


def find_rivals(
    to_buy: Sequence[Job], jobs: Sequence[Job], buyer: Buyer, others: Iterable[Intention]
) -> list[tuple[Job, Intention]]:
    """Find those jobs that another run is about to buy as well.

    Args:
        to_buy: jobs that nothing was bought for yet.
        jobs: the whole batch.
        buyer: who buys, where.
        others: what other runs are about to buy.
    """
    known = likenesses(jobs, to_buy)
    return [
        (job, other)
        for other in others
        if not _is_another_occurrence(other.place, buyer)
        for job in to_buy
        for addresses in (other.wanted.get(known[job.id].goods),)
        # As with what is bought: at a server of one's own only that very address counts.
        if addresses is not None and (not all(addresses.values()) or _addresses_of(job, buyer) & {*addresses})
    ]


def intention_of(to_buy: Sequence[Job], jobs: Sequence[Job], buyer: Buyer, ledger: str) -> Intention:
    """What a run is about to buy, as other runs are told."""
    known = likenesses(jobs, to_buy)
    wanted = {known[job.id].goods: {at: at in buyer.own for at in _addresses_of(job, buyer) if at} for job in to_buy}
    return Intention(buyer.place, ledger, wanted)


def repeats_words(found: Sequence[Repeat]) -> str:
    """`2 videos of this batch were bought before: a, b (bought on 3 May 2026 in ..., 2.50 USD each)`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in found:
        bought = each.purchase.bought
        other = "" if bought.job_id == each.job.id else f" as {bought.job_id}"
        at = "" if bought.provider == each.job.order.provider else f" at {bought.provider}"
        groups.setdefault((each.purchase.words, other + at), []).append(each.job.id)
    named = [f"{first_of(ids)} ({how}{' each' if len(ids) > 1 else ''}{rest})" for (how, rest), ids in groups.items()]
    verb = "was" if len(found) == 1 else "were"
    return f"{counted(len(found), 'video')} of this batch {verb} bought before: {first_of(named)}."


def _addresses_of(job: Job, buyer: Buyer) -> set[str | None]:
    """The addresses that a job may be ordered from."""
    return {buyer.addresses.get(order.provider) for order in (job.order, *(choice.order for choice in job.fallbacks))}


def _is_another_occurrence(theirs: Place, buyer: Buyer) -> bool:
    """Tell whether this tick of a schedule asks for it by itself: each does, whatever was bought for the campaign before.

    What was bought into the folder of the tick is its own: a redo knows the folder alone.
    """
    ours = buyer.place
    same = theirs.campaign == ours.campaign and theirs.folder != ours.folder
    return same and ours.occurrence not in (None, theirs.occurrence)


def _is_same(job: Job, ways: Sequence[Likeness], purchase: KnownPurchase, buyer: Buyer) -> bool:
    """Tell whether a purchase is the one that a job would make again.

    What was bought at a server of one's own (a gateway, a simulator) counts only where that very address would be asked:
    who has tried a batch at a simulator buys it for the first time at the vendor's.
    """
    names = {job.order.provider, *(choice.order.provider for choice in job.fallbacks)}
    if purchase.at_own_server:
        address = purchase.bought.account[:8]
        there = {purchase.listener, buyer.own.get(address)} - {None}
        if address not in _addresses_of(job, buyer) or len(there) > 1:  # another server listens there now
            return False
    if any(way.goods in (purchase.goods, purchase.planned_goods) for way in ways):
        return True
    same_file = purchase.place.campaign == buyer.place.campaign or purchase.place.batch == buyer.place.batch
    elsewhere = purchase.bought.provider not in names
    return same_file and elsewhere and any(way.subject == purchase.subject for way in ways)
