"""A person settles a submission in doubt: it was bought as this id, it was not, it was and is lost, or buy it once more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.actions.evidence import check_with_provider, gather_evidence
from pipelines.actions.known_batch import profiles_of_folder
from pipelines.actions.persons_word import say_of_jobs, who
from pipelines.core.errors import SettlementRefused, UnknownJob
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Adopted, Charged, NotCharged, Resubmitted
from pipelines.core.status import JobStatus
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader, ledger_in
from pipelines.providers.client import CONTRACTS
from pipelines.run.options import RunOptions

DoubtWord = type[NotCharged] | type[Charged] | type[Resubmitted]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a job that a person has settled."""

    folder: Path
    job_id: str
    status: JobStatus
    words: str  # what that means, for a person
    warning: str = ""  # what could not be checked


async def adopt_id(
    folder: Path,
    job_id: str,
    provider_job_id: str,
    *,
    unseen: bool = False,
    takes_back: str | None = None,
    options: RunOptions | None = None,
) -> Settled:
    """Say that a submission in doubt was accepted, with this id: it is brought home like any other.

    Args:
        folder: the output folder.
        job_id: the job.
        provider_job_id: as the provider names it.
        unseen: take the id also if the provider does not know it.
        takes_back: the id that a person has given to it before, which was not the right one.
        options: only further profiles count.

    Raises:
        SettlementRefused: it is not in doubt, the id is another job's, or the provider does not know it.
        LedgerOwned: the run that owns the ledger does not answer.
    """
    evidence = await gather_evidence(folder, job_id, options)
    order = evidence.job.order
    profile = profiles_of_folder(LedgerReader(ledger_in(folder)), options).get(order.provider)
    remote = RemoteJob(provider_job_id, order.mode)
    if profile is not None:
        remote = CONTRACTS[profile.contract_of(order.mode)].job_named(provider_job_id, order, profile)
    try:
        warning = await check_with_provider(evidence, remote, options)
    except UnknownJob as error:
        if not unseen:
            raise SettlementRefused(f"{error} Nothing was changed. To take the id all the same, add --yes.") from None
        warning = str(error)
    word = Adopted(remote, who(), takes_back)
    said = await say_of_jobs(ledger_in(folder), [(job_id, word)])
    words = f"{job_id} is {provider_job_id} of {order.provider}. `reelbatch collect` or the next run brings it home."
    return Settled(evidence.folder, job_id, said[job_id], words, warning)


async def settle_doubt(folder: Path, job_id: str, word: DoubtWord, *, takes_back: str | None = None) -> Settled:
    """Say of a submission in doubt that it was not charged, that it was and there is no clip, or that it is bought anew.

    Args:
        folder: the output folder.
        job_id: the job.
        word: what is said.
        takes_back: the id that a person has given to it before, which was not the right one.

    Raises:
        SettlementRefused: it is not in doubt.
        LedgerOwned: the run that owns the ledger does not answer.
    """
    place = ledger_in(folder)
    found = LedgerReader(place).read(lambda connection: list(views.records(connection, job_id)))
    said = await say_of_jobs(place, [(job_id, word(who(), takes_back))])
    price = found[0].job.price_words or "its price, which is unknown,"
    words = {
        NotCharged: f"{job_id} is planned again, and {price} given back. The next run buys it.",
        Charged: f"{job_id} has failed, and {price} spent. It is not sent again; `reelbatch redo` buys a new take.",
        Resubmitted: f"{job_id} is planned again: the next run buys it for {price}, and {price} of the first time stays "
        "uncertain and counts against the budget.",
    }
    return Settled(place.folder, job_id, said[job_id], words[word])
