from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from pipelines.actions.evidence import gather_evidence
from pipelines.actions.resolve import adopt_id, settle_doubt
from pipelines.core.errors import SettlementRefused
from pipelines.core.outcome import Charged, NotCharged, Parked, Resubmitted
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger import outcomes
from pipelines.ledger.ledger import Ledger, LedgerReader, ledger_in
from pipelines.ledger.spending import Cap, Period
from pipelines.ledger.spending_book import read_standings
from pipelines.run import requests as of_run
from pipelines.run.spending import book_path
from tests.pipelines.actions.conftest import NOT_BOUGHT


def _history(folder, job_id):
    read = LedgerReader(ledger_in(folder)).read
    statement = "SELECT kind, detail FROM event WHERE job_id = ? ORDER BY seq"
    return read(lambda c: [tuple(row) for row in c.exec_driver_sql(statement, (job_id,))])


async def test_an_adopted_job_comes_home(studio, in_doubt, money):
    """The id that the provider lists is adopted: nothing is bought again, and the clip is on disk after the next run."""
    job = studio.job("a", provider="openai")
    folder = await in_doubt(job)
    assert money() == (0, 0, 0.5)
    evidence = await gather_evidence(folder, "a")
    assert [candidate.agrees for candidate in evidence.candidates] == [("time", "prompt", "model", "size", "seconds")]
    assert evidence.sent_at is not None
    settled = await adopt_id(folder, "a", evidence.candidates[0].listed.job.id)
    assert (settled.status, settled.warning, money()) == (JobStatus.WAITING, "", (0.5, 0, 0))
    kind, detail = _history(folder, "a")[-1]
    assert (kind, '"by"' in detail) == ("adopted", True)
    assert (await studio.make(job)).statuses == {"a": JobStatus.DONE}
    assert (studio.bought(), money()) == ([("openai", "a")], (0, 0.5, 0))


async def test_an_id_that_nobody_knows_is_refused(studio, in_doubt):
    """A query about it is free; it is taken all the same where the person insists."""
    folder = await in_doubt(studio.job("a"))
    with pytest.raises(SettlementRefused, match="--yes"):
        await adopt_id(folder, "a", "no-such-job")
    assert studio.records()["a"].status is JobStatus.IN_DOUBT
    settled = await adopt_id(folder, "a", "no-such-job", unseen=True)
    assert settled.status is JobStatus.WAITING
    assert settled.warning


async def test_the_id_of_another_job_is_refused(studio, in_doubt):
    """One purchase is one job's."""
    folder = await in_doubt(studio.job("a"), studio.job("b"))
    other = studio.records()["b"].provider_job_id
    with pytest.raises(SettlementRefused, match="job b was bought as"):
        await adopt_id(folder, "a", other)
    assert studio.records()["a"].status is JobStatus.IN_DOUBT


async def test_what_was_not_charged_is_bought_by_the_next_run(studio, in_doubt, money):
    """Its price is given back, and the row is planned as if it had never been sent."""
    job = studio.job("a")
    folder = await in_doubt(job, fault=NOT_BOUGHT)
    settled = await settle_doubt(folder, "a", NotCharged)
    assert (settled.status, money()) == (JobStatus.PLANNED, (0, 0, 0))
    assert (await studio.make(job)).statuses == {"a": JobStatus.DONE}
    assert studio.bought() == [("qiniu", "a")]


async def test_a_doubt_counts_against_the_day_until_it_is_settled(studio, in_doubt, monkeypatch):
    """Over all campaigns of the user; what a person says was not charged is free at once, without a run."""
    folder = await in_doubt(studio.job("a"), fault=NOT_BOUGHT)

    def taken():
        [found] = read_standings(ledger_in(folder), book_path(), [Cap(Period.DAY, Decimal(1), "USD")])
        return found.committed

    assert taken() == Decimal("0.4")
    monkeypatch.setenv("REELBATCH_BUDGET_PER_DAY", "0.40")
    other = studio.job("b")
    ending = await studio.make(other, out=folder.parent / "another")
    assert (ending.code, ending.statuses["b"]) == (3, JobStatus.PLANNED)
    await settle_doubt(folder, "a", NotCharged)
    assert taken() == 0
    assert (await studio.make(other, out=folder.parent / "another")).code == 0


async def test_what_was_charged_is_not_sent_again(studio, in_doubt, money):
    """It has failed, and is spent."""
    job = studio.job("a")
    folder = await in_doubt(job)
    await settle_doubt(folder, "a", Charged)
    record = studio.records()["a"]
    assert (record.status, record.error_code, record.billed) == (
        JobStatus.FAILED,
        "charged_without_clip",
        Billed.YES,
    )
    assert money() == (0, 0.4, 0)
    assert (await studio.make(job)).code == 1
    assert len(studio.bought()) == 1


async def test_a_consent_to_pay_twice_keeps_the_first_price(studio, in_doubt, money):
    """It is bought again, and what may have been paid counts against the budget."""
    job = studio.job("a")
    folder = await in_doubt(job)
    settled = await settle_doubt(folder, "a", Resubmitted)
    assert "0.40 USD" in settled.words
    assert (await studio.make(job, budget="0.79")).code == 3
    assert (await studio.make(job, budget="0.80")).statuses == {"a": JobStatus.DONE}
    assert (len(studio.bought()), money()) == (2, (0, 0.4, 0.4))


async def test_only_a_doubt_can_be_settled(studio):
    """Of any other job nothing is changed, and of one that is not there neither."""
    await studio.make(studio.job("a"))
    folder = studio.folder / "out"
    for name in ("a", "b"):
        with pytest.raises(SettlementRefused):
            await gather_evidence(folder, name)
        with pytest.raises(SettlementRefused):
            await settle_doubt(folder, name, NotCharged)
    assert studio.records()["a"].status is JobStatus.DONE


async def test_the_run_that_owns_the_ledger_is_asked(studio, in_doubt, monkeypatch):
    """It writes the word down itself, and remembers it; what it refuses is refused."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    job = studio.job("a")
    folder = await in_doubt(job)
    async with studio.opened(job) as run:
        heeding = asyncio.create_task(of_run.heed_requests(run))
        settled = await settle_doubt(folder, "a", NotCharged)
        assert settled.status is JobStatus.PLANNED
        await studio.until(lambda: run.status_of("a") is JobStatus.PLANNED)  # the ledger first, then its own memory
        assert run.progress.counts[JobStatus.PLANNED] == 1
        with pytest.raises(SettlementRefused, match="only what is in doubt"):
            await settle_doubt(folder, "a", NotCharged)
        heeding.cancel()


async def test_the_run_that_owns_the_ledger_takes_an_id(studio, in_doubt, monkeypatch):
    """In doubt has an exit while a run goes on, too: the run adopts the id, and brings the clip home."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    job = studio.job("a")
    folder = await in_doubt(job)
    async with studio.opened(job) as run:
        heeding = asyncio.create_task(of_run.heed_requests(run))
        settled = await adopt_id(folder, "a", studio.bill()[0]["id"])
        assert settled.status is JobStatus.WAITING
        await studio.until(lambda: run.status_of("a") is JobStatus.WAITING)
        heeding.cancel()
        await studio.work(run)
    assert (studio.records()["a"].status, len(studio.bill())) == (JobStatus.DONE, 1)


@pytest.mark.parametrize("word", [NotCharged, Charged, Resubmitted])
async def test_an_id_that_a_person_gave_is_taken_back(studio, in_doubt, money, word):
    """It was a guess: what became of the payment is said anew, and each word does to the money what it does to a doubt."""
    folder = await in_doubt(studio.job("a"))
    await adopt_id(folder, "a", "no-such-job", unseen=True)
    evidence = await gather_evidence(folder, "a")
    assert (evidence.given.provider_job_id, "no-such-job" in evidence.answered) == ("no-such-job", True)
    assert money() == (0.4, 0, 0)
    with pytest.raises(SettlementRefused, match="goes by no-such-job since"):
        await settle_doubt(folder, "a", word)  # it was in doubt when that person looked
    settled = await settle_doubt(folder, "a", word, takes_back="no-such-job")
    status, left = {
        NotCharged: (JobStatus.PLANNED, (0, 0, 0)),
        Charged: (JobStatus.FAILED, (0, 0.4, 0)),
        Resubmitted: (JobStatus.PLANNED, (0, 0, 0.4)),
    }[word]
    assert (settled.status, money()) == (status, left)
    assert studio.records()["a"].provider_job_id is None
    assert [kind for kind, _ in _history(folder, "a")][-2] == "withdrawn"


async def test_the_right_id_takes_the_place_of_a_wrong_one(studio, in_doubt, money):
    """Also once the job is parked: the clip that is on the bill comes home, and the wrong id is free for the row whose it is."""
    jobs = studio.job("a"), studio.job("b")
    studio.sandbox.faults({"match": {"route": "submit", "nth": [1, 2]}, "do": {"cut": "after"}})
    assert (await studio.make(*jobs, in_flight=1)).statuses == dict.fromkeys("ab", JobStatus.IN_DOUBT)
    studio.sandbox.faults()
    folder, [of_a, of_b] = studio.folder / "out", [line["id"] for line in studio.bill()]
    await adopt_id(folder, "a", of_b)
    async with Ledger(ledger_in(folder)) as ledger:
        await ledger.write(outcomes.record, "a", Parked("generate", "lost", "m"))
    with pytest.raises(SettlementRefused, match="take it back"):
        await adopt_id(folder, "a", of_a, takes_back=of_a)
    await adopt_id(folder, "a", of_a, takes_back=of_b)
    await adopt_id(folder, "b", of_b)
    assert (await studio.make(*jobs)).statuses == dict.fromkeys("ab", JobStatus.DONE)
    assert {name: record.provider_job_id for name, record in studio.records().items()} == {"a": of_a, "b": of_b}
    assert (len(studio.bill()), money()) == (2, (0, 0.8, 0))


async def test_an_id_that_the_provider_gave_stays(studio):
    """Nobody takes it back, while it waits and when it is parked."""
    studio.sandbox.faults(
        {"match": {"route": "status"}, "do": {"status": 503}}
    )  # it does not come to its end meanwhile
    ended = await studio.interrupt(studio.job("a"), when=lambda run: run.status_of("a") is JobStatus.WAITING)
    assert ended.statuses == {"a": JobStatus.WAITING}
    for parked in (False, True):
        if parked:
            async with Ledger(ledger_in(studio.folder / "out")) as ledger:
                await ledger.write(outcomes.record, "a", Parked("generate", "lost", "m"))
        with pytest.raises(SettlementRefused, match="only what is in doubt"):
            await settle_doubt(studio.folder / "out", "a", NotCharged)
        with pytest.raises(SettlementRefused, match="only what is in doubt"):
            await adopt_id(studio.folder / "out", "a", "x", unseen=True)


async def test_a_run_that_waits_for_a_wrong_id_goes_on_with_the_right_one(studio, in_doubt, monkeypatch):
    """It asks no more about the one that was taken back, and brings home what is on the bill."""
    monkeypatch.setattr(of_run, "LOOK_EVERY_S", 0.01)
    job = studio.job("a")
    folder = await in_doubt(job)
    await adopt_id(folder, "a", "no-such-job", unseen=True)
    async with studio.opened(job) as run:
        working, heeding = asyncio.create_task(studio.work(run)), asyncio.create_task(of_run.heed_requests(run))
        await studio.until(lambda: any(session.poller.requests for session in run.sessions.values()))
        await adopt_id(folder, "a", studio.bill()[0]["id"], takes_back="no-such-job")
        await asyncio.wait_for(working, 20)
        heeding.cancel()
    assert (studio.records()["a"].status, len(studio.bill())) == (JobStatus.DONE, 1)


async def test_an_owner_that_does_not_answer_changes_nothing_later(studio, in_doubt, monkeypatch):
    """The request is taken back, so that no later run heeds it."""
    from pipelines.actions import persons_word  # noqa: PLC0415
    from pipelines.core.errors import LedgerOwned  # noqa: PLC0415
    from pipelines.core.outcome import Archived  # noqa: PLC0415
    from pipelines.ledger import requests  # noqa: PLC0415

    folder = await in_doubt(studio.job("a"))
    async with Ledger(ledger_in(folder)) as ledger:
        with pytest.raises(LedgerOwned, match="does not answer"):
            await persons_word.say_of_jobs(ledger_in(folder), [("a", Archived())], patience_s=0.2)
        assert await ledger.write(requests.unanswered) == []
    assert not studio.records()["a"].archived


class Taker:
    """A server that tells attempts apart by a header, and breaks off instead of answering the first order."""

    def __init__(self):
        self.named = []
        self.queries = []

    async def serve(self, reader, writer):
        """Read one request, and answer it or not."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        if head[0].startswith("POST"):
            self.named.append(fields["x-attempt"])
        else:
            self.queries.append(fields.get("x-attempt"))
        if len(self.named) > 1:
            body = b'{"id": "video_1", "status": "queued", "created_at": 1}'
            said = (
                b"HTTP/1.1 200 Ok\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            )
            writer.write(said % len(body) + body)
            await writer.drain()
        writer.close()


async def test_what_is_bought_once_more_is_another_attempt(studio, monkeypatch):
    """Its name in the idempotency header is a new one, else the provider would answer with the first; each is sent once."""
    taker = Taker()
    server = await asyncio.start_server(taker.serve, "127.0.0.1", 0)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    profile = studio.profiles["openai"]
    studio.profiles["openai"] = profile.model_copy(update={"idempotency_header": "X-Attempt"})
    job = studio.job("a", provider="openai")
    async with server:
        assert (await studio.make(job)).statuses == {"a": JobStatus.IN_DOUBT}
        assert (await studio.make(job)).statuses == {"a": JobStatus.IN_DOUBT}
        assert len(taker.named) == 1  # nothing is sent again by itself
        await settle_doubt(studio.folder / "out", "a", Resubmitted)
        ended = await studio.interrupt(job, when=lambda run: run.status_of("a") is JobStatus.WAITING and taker.queries)
    assert ended.statuses == {"a": JobStatus.WAITING}
    assert len(set(taker.named)) == 2
    assert taker.named == _attempts(studio.folder / "out")
    assert set(taker.queries) == {None}


def _attempts(folder):
    """The names of all attempts, in their order."""
    statement = "SELECT id FROM attempt ORDER BY n"
    return LedgerReader(ledger_in(folder)).read(lambda c: list(c.exec_driver_sql(statement).scalars()))
