from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from pipelines.core.errors import SetupError
from pipelines.core.status import JobStatus
from pipelines.ledger import callbacks
from pipelines.ledger.ledger import LedgerReader
from pipelines.run import callbacks as run_callbacks
from pipelines.run.callbacks import CallbackSettings, called_back, chosen_callbacks
from tests.servers import HERE

DONE = JobStatus.DONE


def rule(do, route="submit", **match):
    return {"match": {"route": route, "contract": "acedata", **match}, "do": do}


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits for a call that may end a doubt."""
    monkeypatch.setattr(run_callbacks, "_IN_DOUBT_MOST_S", 0.1)


def ace(studio, *names):
    return [studio.job(name, provider="acedata") for name in names]


def own_options(port):
    return {"callback_listen": f"127.0.0.1:{port}", "callback_url": f"http://127.0.0.1:{port}", "poll_every": None}


@pytest.fixture
def options(unused_tcp_port_factory):
    return own_options(unused_tcp_port_factory())


def calls(studio):
    with_rows = LedgerReader(studio.folder / "out" / "ledger.sqlite3")
    return with_rows.read(
        lambda c: [dict(row._mapping) for row in c.exec_driver_sql("SELECT * FROM callback ORDER BY seq")]
    )


def attempts(reader):
    """The submissions of a campaign, by job."""
    sent = "SELECT job_id, id FROM attempt ORDER BY job_id"
    return reader.read(lambda c: dict(c.exec_driver_sql(sent).tuples().all()))


def counts(studio):
    return LedgerReader(studio.folder / "out" / "ledger.sqlite3").read(callbacks.counts)


async def test_a_call_is_one_question(studio, options):
    """Each job is asked about once, when its provider has called; and all are counted."""
    before = studio.sandbox.requests()
    ended = await studio.make(*ace(studio, "a", "b", "c"), **options)
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert counts(studio).words() == "Callbacks: 3 of 3 received."
    assert {row["came_to"] for row in calls(studio)} == {"woke"}
    assert studio.result.status_requests <= 3, before


async def test_c21_the_sums_of_callbacks_are_one(studio, options):
    """Each job has one word, and all count those: manifest, last line, report. What comes too late changes nothing else."""
    studio.sandbox.faults(rule({"callback": "never"}, "callback", nth=[2, 3, 4]))
    jobs = ace(studio, *"abcd")
    # No question finds the first job done before its call is heard.
    await studio.make(*jobs, **options | {"poll_every": 2, "in_flight": 1})
    reader = LedgerReader(studio.folder / "out" / "ledger.sqlite3")
    sent = attempts(reader)
    known = {name: job.provider_job_id for name, job in studio.records().items()}
    for name, said in (("c", known["c"]), ("d", "of-another"), ("a", "of-another")):
        reader.ask(callbacks.take, callbacks.Call(sent[name], "x", said, has_ended=True))
    async with studio.opened(*jobs, **options) as run:
        async with httpx.AsyncClient(**HERE) as client:
            for _ in range(2):
                assert (await client.post(f"{options['callback_url']}/cb/v1/wrong")).status_code == 404
        shown = {name: record.callback for name, record in studio.records().items()}
        found = await run.ledger.write(callbacks.counts, run.callbacks.turned_away())
    assert shown == {"a": "received", "b": "missed", "c": "late", "d": "refused"}
    assert {run.status_of(name) for name in "abcd"} == {DONE}
    assert found == callbacks.CallCounts(asked=4, received=1, late=1, refused=1 + 2, missed=1)
    assert found.words() == "Callbacks: 1 of 4 received, 1 missed, 1 late, 3 refused."
    assert run.progress.calls_turned_away == 2


async def test_c03_a_call_that_comes_before_the_answer_counts(studio, options):
    """It is kept until the job is waited for, and makes it asked about at once."""
    studio.sandbox.faults(rule({"callback": "early", "instant": False}, "callback"))
    ended = await studio.make(*ace(studio, "a"), **options)
    assert (ended.code, counts(studio).received) == (0, 1)


async def test_c02_c10_doubles_and_forged_bodies_change_nothing(studio, options):
    """A second call is no second row; one that names another job than ours is said, and not followed."""
    twice, forged = ({"callback": how} for how in ("twice", "forged"))
    studio.sandbox.faults(rule(twice, "callback", nth=[1]), rule(forged, "callback", nth=[2]))
    ended = await studio.make(*ace(studio, "a", "b"), **options | {"in_flight": 1})
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert [row["came_to"] for row in calls(studio)] == ["woke", "strange", "woke"]
    assert ended.heard("is not its job")


async def test_c17_without_any_call_polling_ends_the_batch(studio):
    """Nobody listens: the jobs are asked about as always, the report says how many calls came, and why is said once."""
    jobs = ace(studio, *"abcd")
    ended = await studio.make(*jobs, callback_url="http://127.0.0.1:9", in_flight=1)
    assert (ended.code, set(ended.statuses.values())) == (0, {DONE})
    assert counts(studio).words() == "Callbacks: 0 of 4 received, 4 missed."
    assert sum("without a callback" in line for line in ended.said) == 1


async def test_rescue_a_call_ends_a_doubt(studio, options):
    """The answer to an order is lost, the provider calls: asked about what the call names, the job is adopted and made."""
    studio.sandbox.faults(rule({"cut": "after"}, nth=[1]))
    ended = await studio.make(*ace(studio, "a"), **options)
    assert (ended.code, ended.statuses, len(studio.bill())) == (0, {"a": DONE}, 1)
    assert [row["came_to"] for row in calls(studio)] == ["adopted"]
    assert ended.heard("says a callback, and the provider")


async def test_rescue_of_a_call_that_came_between_two_runs(studio, impatient):
    """A receiver has kept it while nobody ran: the next run adopts the job before it does anything else."""
    studio.sandbox.faults(rule({"cut": "after"}, nth=[1]), rule({"callback": "never"}, "callback"))
    ended = await studio.make(*ace(studio, "a"), callback_url="http://127.0.0.1:9")
    assert (ended.code, ended.statuses) == (4, {"a": JobStatus.IN_DOUBT})
    [bought] = studio.bill()
    reader = LedgerReader(studio.folder / "out" / "ledger.sqlite3")
    [attempt] = attempts(reader).values()
    reader.ask(callbacks.take, callbacks.Call(attempt, "x", bought["id"], has_ended=True))
    ended = await studio.make(*ace(studio, "a"))
    assert (ended.code, ended.statuses, len(studio.bill())) == (0, {"a": DONE}, 1)


async def test_c07_c10_a_leaked_address_settles_nothing(studio, impatient):
    """Who knows the address of an order in doubt can make us ask, and nothing else: the id must be the provider's own."""
    studio.sandbox.faults(rule({"cut": "after"}), rule({"callback": "never"}, "callback"))
    jobs = ace(studio, "a", "b")
    await studio.make(*jobs, callback_url="http://127.0.0.1:9", in_flight=1)
    reader = LedgerReader(studio.folder / "out" / "ledger.sqlite3")
    for attempt, named in zip(attempts(reader).values(), ("no-such-task", None), strict=True):
        reader.ask(callbacks.take, callbacks.Call(attempt, "x", named, has_ended=True))
    async with studio.opened(*jobs) as run:
        for _ in range(6):
            await run.callbacks.look()
            await run.callbacks.settled()
    assert {run.status_of("a"), run.status_of("b")} == {JobStatus.IN_DOUBT}
    assert all(any(words in line for line in studio.said) for words in ("does not know", "names no job"))
    assert [row["came_to"] for row in calls(studio)] == ["strange", "strange"]


async def test_c08_c09_a_call_that_is_wrong_about_the_end_is_only_a_question(studio):
    """It says done, the provider says queued: the job is waited for, and asked about as any other."""
    jobs = ace(studio, "a")
    async with studio.opened(*jobs, callback_url="http://127.0.0.1:9") as run:
        working = asyncio.create_task(studio.work(run))
        await studio.until(lambda: run.status_of("a") is JobStatus.WAITING)
        attempt = await run.ledger.write(lambda c: c.exec_driver_sql("SELECT id FROM attempt").scalar_one())
        said = {"has_ended": True, "link": "https://cdn.example/evil.mp4"}
        await run.ledger.write(callbacks.take, callbacks.Call(attempt, "x", run.states["a"].provider_job_id, **said))
        run.callbacks.ring()
        await working
    assert run.status_of("a") is DONE
    assert "evil" not in json.dumps(run.made_as["a"].model_dump(mode="json"))


def test_c20_what_would_give_tokens_away_is_refused():
    """Plain http to elsewhere, secrets in the address, or nowhere to call: one clear error, nothing is sent."""
    good = {"url": None, "listen": None, "insecure": False, "delivery": "poll", "rehearse": False}
    assert chosen_callbacks(**good) is None
    assert chosen_callbacks(**good | {"url": "https://hooks.example/x/"}) == CallbackSettings("https://hooks.example/x")
    assert chosen_callbacks(**good | {"url": "http://10.0.0.5", "insecure": True}).public_url == "http://10.0.0.5"
    for wrong, words in (
        ({"url": "http://hooks.example"}, "plain http"),
        ({"url": "https://me:pass@hooks.example"}, "origin and path"),
        ({"url": "https://hooks.example/?token=1"}, "origin and path"),
        ({"listen": "127.0.0.1:1"}, "--callback-url must say"),
        ({"delivery": "callback"}, "delivery: callback"),
    ):
        with pytest.raises(SetupError, match=words) as raised:
            chosen_callbacks(**good | wrong)
        assert "pass" not in str(raised.value).replace("passed", "")


@pytest.mark.long
async def test_delivery_callback_listens_by_itself_in_a_rehearsal(studio):
    """Nobody need say where: the sandbox is on this machine."""
    chosen = chosen_callbacks(url=None, listen=None, insecure=False, delivery="callback", rehearse=True)
    async with studio.opened(*ace(studio, "a")) as run, called_back(run, chosen, {}):
        await studio.work(run)
    assert counts(studio).words() == "Callbacks: 1 of 1 received."


async def test_no_token_is_written_anywhere(studio, options, caplog):
    """The address that an order carried stands in no file of the folder but where the key is, and in nothing that is said."""
    caplog.set_level("DEBUG")
    await studio.make(*ace(studio, "a"), **options)
    [bought] = studio.bill()
    token = bought["callback_url"].rpartition("/")[2]
    written = b"".join(path.read_bytes() for path in (studio.folder / "out").rglob("*") if path.is_file())
    assert len(token) == 43
    assert token.encode() not in written
    assert token not in caplog.text + repr(studio.said)
