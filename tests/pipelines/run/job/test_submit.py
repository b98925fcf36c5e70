"""What each answer to a submission does to the job, the provider, the run and the money; and what is never sent."""

from __future__ import annotations

import asyncio
import io
import json
import re
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from PIL import Image

from pipelines.actions.adopt import adopt_line
from pipelines.core.errors import (
    BudgetReached,
    DiskFull,
    FundsExhausted,
    KeyRefused,
    LedgerError,
    ProviderUnavailable,
    ProxyUnusable,
    UnusableAnswer,
)
from pipelines.core.image import LocalImage, reference_to
from pipelines.core.outcome import InDoubt
from pipelines.core.status import JobStatus
from pipelines.ledger import outcomes
from pipelines.ledger.attempts import Claim
from pipelines.providers.client import Client
from pipelines.run.exit_code import BAD_INPUT, BUDGET, SOME_FAILED, UNFINISHED
from pipelines.run.job.submit import fall_back_from_closed, send, try_reserve
from tests.pipelines.net.proxy_servers import running_proxy

DONE, IN_DOUBT, PLANNED, REJECTED = JobStatus.DONE, JobStatus.IN_DOUBT, JobStatus.PLANNED, JobStatus.REJECTED


def rule(effect, contract="qiniu", **match):
    """What happens to orders at a provider."""
    return {"match": {"route": "submit", "contract": contract, **match}, "do": effect}


@pytest.mark.parametrize(
    ("effect", "status", "closed", "failure", "code"),
    [
        ({"status": 400}, REJECTED, None, None, SOME_FAILED),
        ({"status": 400, "code": "moderation_blocked"}, REJECTED, None, None, SOME_FAILED),
        ({"status": 401}, PLANNED, KeyRefused, None, BAD_INPUT),
        ({"status": 402}, PLANNED, FundsExhausted, None, BUDGET),
        ({"status": 502}, IN_DOUBT, None, None, UNFINISHED),
        ({"cut": "before"}, IN_DOUBT, None, None, UNFINISHED),
        ({"cut": "after"}, IN_DOUBT, None, None, UNFINISHED),
        ({"body": "truncated"}, IN_DOUBT, None, None, UNFINISHED),
        ({}, DONE, None, None, 0),
    ],
    ids=["row", "moderation", "key", "funds", "server", "cut before", "cut after", "truncated", "accepted"],
)
async def test_what_an_answer_does(studio, effect, status, closed, failure, code):
    """A refusal ends the row, the provider or the run, by whose fault it is; a doubt keeps the money, and ends nothing."""
    studio.sandbox.faults(rule(effect, nth=[1]))
    async with studio.opened(studio.job("a")) as run:
        await studio.work(run)
        assert run.status_of("a") is status
        assert type(run.sessions["qiniu"].closed) is (closed or type(None))
        assert type(run.failure) is (failure or type(None))
        [money] = studio.overview().money
        assert (
            run.progress.held["USD"].committed
            == money.committed
            == (0 if status in (REJECTED, PLANNED) else Decimal("0.4"))
        )
    assert studio.ending(run).code == code


async def test_s31_a_refused_key_is_sent_no_more(studio):
    """One refused key is enough: nothing more is sent with it, no row is hurt, and none turns to a dearer fallback."""
    studio.sandbox.faults(rule({"status": 401}))
    before = studio.sandbox.orders()
    ended = await studio.make(*(studio.job(f"j{n}", "acedata") for n in range(20)), in_flight=1)
    assert (ended.code, set(ended.statuses.values()), studio.bill()) == (BAD_INPUT, {PLANNED}, [])
    assert studio.sandbox.orders() == before + 1
    assert "Set a valid QINIU_API_KEY" in ended.reasons[0]


async def test_s02_what_cannot_be_sent_is_for_the_operator(studio):
    """A key that no request can carry hurts no row and leaves none in doubt; a fallback, dearer perhaps, is no way out."""
    async with studio.opened(studio.job("a", "acedata"), studio.job("b", "acedata")) as run:
        session = run.sessions["qiniu"]
        session.provider = Client(run.http, session.provider.profile, studio.sandbox.url, "sk-CANARY\nsk-CANARY")
        await studio.work(run)
    ended = studio.ending(run)
    assert (ended.code, set(ended.statuses.values()), studio.bill()) == (BAD_INPUT, {PLANNED}, [])
    assert set(studio.attempts()) == {"not_sent"}
    assert ended.heard("cannot be sent")
    assert not ended.heard("CANARY")


async def test_what_one_provider_refuses_keeps_no_other_from_working(studio):
    """Behind a refused key the clips of other providers are made and brought home: they are paid, and their links end."""
    studio.sandbox.faults(rule({"status": 401}))
    ended = await studio.make(studio.job("a"), studio.job("b", provider="acedata"), studio.job("c", provider="acedata"))
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": PLANNED, "b": DONE, "c": DONE})
    assert "Set a valid QINIU_API_KEY" in ended.reasons[0]


async def test_s38_a_wrong_address_is_sent_no_more(studio):
    """Who finds nothing at the address has set it wrongly: that is the operator's matter, not the row's."""
    studio.sandbox.faults(rule({"status": 404}, "acedata"))
    ended = await studio.make(studio.job("a", provider="acedata"))
    assert (ended.code, ended.statuses) == (BAD_INPUT, {"a": PLANNED})
    assert "Check ACEDATA_BASE_URL" in ended.reasons[0]


async def test_s33_too_many_is_waited_out(studio):
    """An order that came too early is sent again after the pause that was asked for, and bought once."""
    studio.sandbox.faults(rule({"status": 429, "retry_after": 0.1}, nth=[1, 2]))
    ended = await studio.make(studio.job("a"))
    assert (ended.code, studio.bought(), studio.attempts()) == (
        0,
        [("qiniu", "a")],
        ["rejected", "rejected", "accepted"],
    )
    [said] = [words for words in ended.said if "fewer submissions" in words]  # of two refusals
    assert said == "qiniu asks for fewer submissions; they go on slower."  # and not: none for 0 s


async def test_a_server_that_says_no_for_long_is_given_up(studio):
    """A provider that answers each order with a sure "not now" is away: its rows wait as long as the user does, no longer."""
    studio.profiles["qiniu"] = studio.profiles["qiniu"].model_copy(update={"on_server_error": "rejected"})
    studio.sandbox.faults(rule({"status": 503, "retry_after": 0.01}))
    async with studio.opened(studio.job("a"), studio.job("b", "acedata"), wait_for_provider=0.3) as run:
        await studio.work(run)
        assert isinstance(run.sessions["qiniu"].closed, ProviderUnavailable)
    ended = studio.ending(run)
    assert (ended.code, ended.statuses, studio.bought()) == (UNFINISHED, {"a": PLANNED, "b": DONE}, [("acedata", "b")])
    assert not ended.heard("qiniu answers again")


async def test_a_server_that_is_well_again_is_said_to_be(studio):
    """After a sure "not now" an answer of another kind ends the outage, aloud."""
    studio.profiles["qiniu"] = studio.profiles["qiniu"].model_copy(update={"on_server_error": "rejected"})
    studio.sandbox.faults(rule({"status": 503, "retry_after": 0.01}, nth=[1]))
    ended = await studio.make(studio.job("a"))
    assert ended.statuses == {"a": DONE}
    assert [line.split(" (")[0] for line in ended.said] == ["qiniu cannot be reached", "qiniu answers again."]


async def test_s44_three_doubts_in_a_row_close_the_provider(studio):
    """When one submission after the other ends in doubt no more are sent there; rows that were not sent may turn."""
    studio.sandbox.faults(rule({"cut": "after"}))
    jobs = [studio.job(f"j{n}") for n in range(4)]
    ended = await studio.make(*jobs, studio.job("j4", "acedata"), in_flight=1)
    assert ended.code == UNFINISHED
    assert list(ended.statuses.values()) == [IN_DOUBT, IN_DOUBT, IN_DOUBT, PLANNED, DONE]
    assert studio.bought() == [*(("qiniu", f"j{n}") for n in range(3)), ("acedata", "j4")]


async def test_i03_without_a_written_intent_nothing_is_sent(studio):
    """If the last commit before the first byte fails, no byte leaves; the next run buys the row as if nothing had been."""
    before = studio.sandbox.orders()
    async with studio.opened(studio.job("a")) as run:
        await run.ledger.write(
            lambda c: c.exec_driver_sql(
                "CREATE TRIGGER broken BEFORE UPDATE OF state ON attempt WHEN NEW.state = 'sending' "
                "BEGIN SELECT RAISE(ABORT, 'no such luck'); END"
            )
        )
        await studio.work(run)
        assert isinstance(run.failure, LedgerError)
        assert studio.attempts() == ["claimed"]
        assert studio.sandbox.orders() == before
        await run.ledger.write(lambda c: c.exec_driver_sql("DROP TRIGGER broken"))
    assert (await studio.make(studio.job("a"))).statuses == {"a": DONE}
    assert studio.bought() == [("qiniu", "a")]


async def _fill(ledger):
    """Let the ledger grow no further, and fill it to the last byte."""

    def shrink(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def note(connection, size):
        connection.exec_driver_sql("INSERT INTO event (at, kind, detail) VALUES (0, 'x', ?)", ("x" * size,))

    await ledger.write(shrink)
    for size in (2000, 200, 20, 1):
        try:
            while True:
                await ledger.write(note, size)
        except DiskFull:
            continue


async def test_s19_an_id_that_cannot_be_written_is_cried_out(studio, capsys):
    """When the disk is full between payment and record, the id is said on standard error, and nothing more is bought."""
    studio.sandbox.faults(rule({"delay": 4}))
    async with studio.opened(studio.job("a"), studio.job("b"), in_flight=1) as run:
        working = asyncio.create_task(studio.work(run))
        await studio.until(studio.bought)
        await _fill(run.ledger)
        await working
        assert isinstance(run.failure, DiskFull)
        await run.ledger.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=100000"))
    [line] = studio.bill()
    said = capsys.readouterr().err
    assert json.dumps({"job": "a", "provider_job_id": line["id"]})[:-1] in said
    assert "PAID, AND NOT RECORDED" in said
    studio.sandbox.faults()
    ended = await studio.make(studio.job("a", "acedata"))
    assert (ended.code, ended.statuses["a"]) == (UNFINISHED, IN_DOUBT)
    assert studio.bought() == [("qiniu", "a")]
    assert (await adopt_line(said)).status is JobStatus.WAITING  # the line is enough to bring the clip home
    assert (await studio.make(studio.job("a", "acedata"))).statuses["a"] is JobStatus.DONE
    assert studio.bought() == [("qiniu", "a")]


@asynccontextmanager
async def _replaying():
    """A server that accepts every order under the same id, as a proxy does that replays answers."""

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")), 0)
        await reader.readexactly(length)
        body = b'{"id": "v-1", "status": "in_progress"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_s39_a_replayed_id_closes_the_provider(studio, monkeypatch):
    """An id that another job owns is nobody else's: that job is in doubt, and the provider gets no more orders."""
    async with _replaying() as address:
        monkeypatch.setenv("QINIU_BASE_URL", address)
        jobs = [studio.job("a"), studio.job("b", "acedata"), studio.job("c")]
        async with studio.opened(*jobs, in_flight=2) as run:
            working = asyncio.create_task(studio.work(run))
            await studio.until(lambda: run.sessions["qiniu"].closed and run.status_of("c") is PLANNED)
            run.interrupt()
            await working
            assert isinstance(run.sessions["qiniu"].closed, UnusableAnswer)
    ended = studio.ending(run)
    assert ended.statuses == {"a": JobStatus.WAITING, "b": IN_DOUBT, "c": PLANNED}
    assert ended.heard("qiniu gave b the id of a")
    assert studio.records()["a"].provider_job_id == "v-1"
    assert studio.bill() == []


@pytest.fixture
def picture(studio):
    """A local picture of the right size, and a job that is made from it."""
    made = io.BytesIO()
    Image.new("RGB", (1280, 720), "white").save(made, "PNG")
    path = studio.folder / "cat.png"
    path.write_bytes(made.getvalue())
    images = (reference_to("cat.png", LocalImage.read(path)),)
    choices = [studio.choice(name, "a", image_urls=images) for name in ("openai", "acedata")]
    return path, studio.job("a", **dict(choices[0]), fallbacks=(choices[1],))


async def test_a_local_picture_is_sent_along(studio, picture):
    """The file beside the batch goes out with the order, in a form that the provider takes."""
    _, job = picture
    ended = await studio.make(job)
    assert (ended.code, studio.bought()) == (0, [("openai", "a")])


@pytest.mark.parametrize("change", ["changed", "gone"])
async def test_a_picture_that_changed_since_it_was_planned_with_is_not_sent(studio, picture, change):
    """Another picture is another order: nothing is sent, to the provider or to a fallback, and the row says why."""
    path, job = picture
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b" ")
    before = studio.sandbox.orders()
    ended = await studio.make(job)
    assert (ended.code, ended.statuses, studio.bill()) == (SOME_FAILED, {"a": REJECTED}, [])
    assert studio.sandbox.orders() == before
    record = studio.records()["a"]
    assert (record.error_code, record.attempts, record.flags) == ("image_unusable", 0, ())
    assert "cat.png" in record.error_message
    assert ended.heard("a: not sent: cat.png")
    [money] = studio.overview().money
    assert money.committed == 0


async def test_a_picture_that_is_put_back_is_sent_by_the_next_run(studio, picture):
    """What kept the row from being sent was on this machine; the same command again orders it, once."""
    path, job = picture
    data = path.read_bytes()
    path.unlink()
    await studio.make(job)
    path.write_bytes(data)
    ended = await studio.make(job)
    assert (ended.code, studio.bought()) == (0, [("openai", "a")])


async def test_an_address_to_call_goes_out_with_the_order(studio):
    """Where a provider takes an address to call, each order has one of its own below that of the run."""
    jobs = [studio.job(name, provider="acedata") for name in "ab"]
    await studio.make(*jobs, callback_url="http://127.0.0.1:9/called/")
    addresses = {line["callback_url"] for line in studio.bill()}
    assert len(addresses) == 2
    assert all(re.fullmatch(r"http://127\.0\.0\.1:9/called/cb/v1/\w{16}/\w{32}/[\w-]{43}", each) for each in addresses)


async def test_who_cannot_call_back_is_named(studio):
    """An address for callbacks that a provider of the batch takes no notice of is never silently dropped."""
    jobs = [studio.job("a", provider="openai"), studio.job("b", provider="acedata")]
    ended = await studio.make(*jobs, callback_url="http://127.0.0.1:9/called")
    assert [line for line in ended.said if "nobody calls about" in line] == [
        "openai: nobody calls about these jobs; they are asked about, as always."
    ]
    assert ended.code == 0


async def test_a_stop_before_the_first_byte_sends_nothing(studio):
    """A claim whose run is stopping is given back: not sent, planned, its money free."""
    before = studio.sandbox.orders()
    job = studio.job("a")
    async with studio.opened(job) as run:
        session = run.sessions["qiniu"]
        claimed = await try_reserve(job, session, run)
        assert isinstance(claimed, Claim)
        assert run.progress.held["USD"].reserved == Decimal("0.40")
        run.interrupt()
        await send(job, claimed, session, run)
        assert run.status_of("a") is PLANNED
        assert await try_reserve(job, session, run) is None
    assert studio.attempts() == ["not_sent"]
    assert studio.sandbox.orders() == before
    assert run.progress.held["USD"].committed == 0


@pytest.mark.parametrize("why", ["open", "budget", "stop", "in doubt"])
async def test_a_job_does_not_turn_from_a_closed_provider_without_need(studio, why):
    """A job turns if its provider is closed, and not when it is open, when the whole run ends, or when it is not planned."""
    job = studio.job("a", "acedata")
    async with studio.opened(job) as run:
        session = run.sessions["qiniu"]
        session.closed = None if why == "open" else FundsExhausted()
        if why == "budget":
            run.close(BudgetReached())
        elif why == "stop":
            run.interrupt()
        elif why == "in doubt":
            await run.record(job, InDoubt("reset"), (await run.reserve(job, "account")).claim)
        await fall_back_from_closed(job, session, run)
        assert run.job("a") == job.model_copy(update={"row": 1})
    assert studio.records()["a"].job.fallback_index == 0


async def test_what_has_turned_is_not_claimed_as_it_was(studio):
    """Whoever still holds a job as it was before its turn can claim nothing with it."""
    studio.sandbox.faults(rule({"status": 400}))
    job = studio.job("a", "acedata")
    async with studio.opened(job) as run:
        session = run.sessions["qiniu"]
        await send(job, await try_reserve(job, session, run), session, run)
        assert run.job("a").order.provider == "acedata"
        assert await try_reserve(job, session, run) is None
        assert isinstance(await try_reserve(run.job("a"), run.sessions["acedata"], run), Claim)
    assert studio.attempts() == ["rejected", "claimed"]


async def test_a_job_that_stands_elsewhere_is_not_claimed(studio):
    """If the ledger says that a job is not planned, whoever asks for it learns where it stands."""
    job = studio.job("a")
    async with studio.opened(job) as run:
        session = run.sessions["qiniu"]
        held = await run.ledger.write(outcomes.reserve, job, "somebody", None)
        assert held.claim is not None
        assert await try_reserve(job, session, run) is None
        assert run.status_of("a") is JobStatus.SUBMITTING


async def test_d16_a_disk_that_was_full_once_buys_nothing_more(studio):
    """After the reserved space went for an id, no new order is claimed in this run."""
    job = studio.job("a")
    async with studio.opened(job) as run:
        run.ledger._storage.full = True
        assert await try_reserve(job, run.sessions["qiniu"], run) is None
        assert isinstance(run.closed, DiskFull)
    assert studio.ending(run).code == UNFINISHED


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_behind_a_proxy_a_paid_clip_comes_home(studio, monkeypatch, scheme):
    """Order, queries and the file itself go through the proxy that the environment names, under the provider's name."""
    port = int(studio.sandbox.url.rpartition(":")[2])
    async with running_proxy(leads_to=port) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(scheme, ""))
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        monkeypatch.setenv("QINIU_BASE_URL", "http://provider.example/qiniu/v1")
        ended = await studio.make(studio.job("a"))
    assert ended.statuses == {"a": DONE}, ended.said
    assert len(studio.bill()) == 1
    assert {each.partition("provider.example")[1] for each in proxy.asked} == {"provider.example"}


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_behind_a_proxy_that_refuses_a_row_stays_planned(studio, monkeypatch, status):
    """A refused tunnel costs nothing and is no doubt: the row waits for the next run."""
    async with running_proxy(refuses=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        monkeypatch.setenv("QINIU_BASE_URL", "https://provider.example/qiniu/v1")
        ended = await studio.make(studio.job("a"), wait_for_provider=0)
    assert ended.statuses == {"a": PLANNED}
    assert set(studio.attempts()) == {"not_sent"}
    assert ended.heard(f"the proxy answered {status}")


async def test_behind_a_proxy_that_is_wrong_nothing_is_begun(studio, monkeypatch):
    """One clear error before the ledger is opened; a rehearsal needs no proxy, and goes on."""
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:sk-canary@p.example")
    monkeypatch.setenv("QINIU_BASE_URL", "https://provider.example/qiniu/v1")
    with pytest.raises(ProxyUnusable, match="HTTPS_PROXY is no address of a proxy") as caught:
        await studio.make(studio.job("a"))
    assert "canary" not in str(caught.value)
    assert (await studio.make(studio.job("a"), rehearse=True, speed=2000)).statuses == {"a": DONE}


async def test_leaked_nowhere(studio, monkeypatch, caplog):
    """Keys, passwords of proxies and tokens of callbacks are in no file of the folder, and in nothing that is said."""
    caplog.set_level("DEBUG")
    studio.key = "sk-canary-0123456789"
    for name, value in studio.sandbox.environment(studio.key).items():
        monkeypatch.setenv(name, value)
    studio.sandbox.faults(rule({"status": 503}, "openai"))
    async with running_proxy(leads_to=int(studio.sandbox.url.rpartition(":")[2]), user="me:canary") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("http", "me:canary"))
        monkeypatch.setenv("ACEDATA_BASE_URL", "http://provider.example/acedata")
        jobs = (studio.job("a", provider="acedata"), studio.job("b"), studio.job("c", provider="openai"))
        ended = await studio.make(*jobs, callback_url="https://cb.example/canary")
    written = b"".join(path.read_bytes() for path in studio.folder.rglob("*") if path.is_file())
    assert DONE in ended.statuses.values()
    assert b"canary" not in written
    assert "canary" not in repr((ended.said, ended.reasons, caplog.text))
