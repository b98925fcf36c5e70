"""A ledger and the index of purchases are compared when the ledger is opened: each gets from the other what it has lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from pipelines.core.errors import SetupError
from pipelines.core.job import Job
from pipelines.core.status import AttemptState
from pipelines.ledger.bought import (
    Bought,
    attempt_states,
    bought,
    campaign_of,
    ledger_id,
    plans_of,
    rename_job,
    restore,
    unbought,
    vanished,
)
from pipelines.purchases.index import KnownPurchase, Place, PurchaseIndex, Trace
from pipelines.purchases.likeness import likeness_of, likenesses


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys, and where: what the index notes beside each purchase."""

    index: PurchaseIndex
    place: Place  # without the ledger's id, which the ledger says
    addresses: Mapping[str, str]  # of each provider: the half of its account that stands for the address alone
    own: Mapping[str, str | None]  # those of them on this machine or in a private network, and who listens there
    again: bool = False  # a person has agreed to buy what was bought before

    def at(self, connection: Connection) -> Buyer:
        """The same, with the id of the ledger."""
        return replace(self, place=replace(self.place, ledger_id=ledger_id(connection)))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a ledger got back, and which of its jobs go by another id now."""

    adopted: tuple[KnownPurchase, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()  # before, now


def reconcile(connection: Connection, jobs: Sequence[Job], buyer: Buyer, *, dry: bool = False) -> Reconciled:
    """Bring ledger and index together before the batch is registered.

    What the ledger has and the index lacks is appended to the index. What the index knows of this ledger, or of an
    earlier one of this folder, is written into the ledger as it was accepted. Jobs whose row goes by another id now are
    recognised by what they ordered.

    Args:
        connection: of the ledger, in a transaction.
        jobs: of the batch.
        buyer: who buys, where.
        dry: leave the index as it is.

    Raises:
        SetupError: the folder is another campaign's.
        LedgerError: the index cannot be used.
    """
    buyer = buyer.at(connection)
    traces = buyer.index.traces_of(buyer.place)
    adopted = _adopt(connection, jobs, buyer, traces)
    refuse_other_campaign(connection, jobs, buyer.place)
    renamed = () if buyer.again else tuple(_recognise(connection, jobs, buyer))
    if not dry:
        heal(connection, buyer)
    return Reconciled(adopted, renamed)


def heal(connection: Connection, buyer: Buyer) -> None:
    """Append to the index what it lacks of a ledger: a run was killed between two commits, or a person has settled one.

    Raises:
        LedgerError: the index cannot be written.
    """
    buyer = buyer.at(connection)
    traces = buyer.index.traces_of(buyer.place)
    known = {trace.attempt_id: (trace.state, trace.bucket, trace.provider_job_id) for trace in traces}
    here = attempt_states(connection)
    behind = {
        job_id
        for name, (job_id, state, *rest) in here.items()
        if known.get(name) != (state, *rest) and (name in known or state != AttemptState.REJECTED)
    }
    buyer.index.put(purchases_of(connection, behind, buyer))


def purchases_of(connection: Connection, job_ids: Iterable[str] | None, buyer: Buyer) -> list[KnownPurchase]:
    """Read the purchases of some jobs of a ledger, or of all, as the index keeps them."""
    found = bought(connection, job_ids)
    known = likenesses(plans_of(connection, {each.job_id for each in found}))

    def purchase(each: Bought) -> KnownPurchase:
        planned, made = known[each.job_id], each.job
        now = planned if each.made_as is None else likeness_of(made.order, known.get(made.parent or ""))
        address = each.account[:8]
        server = (address in buyer.own, buyer.own.get(address))
        return KnownPurchase(each, buyer.place, now.goods, planned.goods, now.subject, *server)

    return [purchase(each) for each in found]


def refuse_other_campaign(connection: Connection, jobs: Sequence[Job], place: Place) -> None:
    """Refuse a folder in which another campaign has bought something; the same rows under another name are the same one.

    Raises:
        SetupError: it is another's; the message names it.
    """
    other = campaign_of(connection)
    if other is None or other[0] == place.campaign:
        return
    ids = {job_id for job_id, *_ in attempt_states(connection).values()}
    theirs = {each.goods for each in likenesses(plans_of(connection, ids)).values()}
    if theirs.isdisjoint(each.goods for each in likenesses(jobs).values()):
        raise SetupError(
            f"{place.folder} is the folder of the campaign {other[0]} ({other[1]}), and nothing of {place.campaign} is in "
            "it. Nothing was sent. Give this one another --out."
        )


def _adopt(
    connection: Connection, jobs: Sequence[Job], buyer: Buyer, traces: Sequence[Trace]
) -> tuple[KnownPurchase, ...]:
    """Write into the ledger what the index knows of it, and of an earlier ledger of this folder as far as rows ask for it."""
    here, lost = attempt_states(connection), []
    goods: set[str] | None = None
    for trace in traces:
        _, state, *_ = here.get(trace.attempt_id, ("", ""))
        if trace.bucket is None or state not in ("", "in_doubt") or (state and trace.provider_job_id is None):
            continue
        if trace.ledger_id != buyer.place.ledger_id:
            goods = {each.goods for each in likenesses(jobs).values()} if goods is None else goods
            same = trace.occurrence in (None, buyer.place.occurrence) and trace.planned_goods in goods
            if buyer.again or not same:
                continue
        lost.append(trace.attempt_id)
    found = sorted(buyer.index.of_attempts(lost), key=lambda each: each.bought.sent_at or "")
    return tuple(each for each in found if restore(connection, each.bought))


def _recognise(connection: Connection, jobs: Sequence[Job], buyer: Buyer) -> Iterable[tuple[str, str]]:
    """Give jobs that were bought, and that no row names any more, to new rows that order the very same."""
    gone = vanished(connection, (job.id for job in jobs))
    if not gone:
        return
    fresh = unbought(connection, (job.id for job in jobs))
    known = likenesses(plans_of(connection, gone))
    sellers: dict[str, set[str | None]] = {name: set() for name in gone}  # an address may go by another name now
    for each in bought(connection, gone):
        sellers[each.job_id] |= {each.provider, each.account[:8]}
    waiting: dict[str, list[str]] = {}
    for name in gone:
        waiting.setdefault(known[name].goods, []).append(name)
    wanted = likenesses(jobs)
    for job in jobs:
        if job.id not in fresh:
            continue
        same = [
            name
            for name in waiting.get(wanted[job.id].goods, ())
            if {job.order.provider, buyer.addresses.get(job.order.provider)} & sellers[name]
        ]
        if same:
            waiting[wanted[job.id].goods].remove(same[0])
            rename_job(connection, same[0], job)
            yield same[0], job.id
