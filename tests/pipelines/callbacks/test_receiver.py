from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipelines.callbacks.gate import MOST_BODY
from pipelines.callbacks.signatures import checker
from pipelines.core.errors import LedgerError
from tests.pipelines.callbacks.conftest import EVERYWHERE, receiving

DONE = {
    "success": True,
    "task_id": "t-1",
    "data": [{"video_url": "https://cdn.example/a.mp4?sig=1", "state": "succeeded"}],
}


@EVERYWHERE
async def test_c01_a_call_is_on_the_disk_before_it_is_acknowledged(ledger, register, accept, make_job, rows, post):
    """A valid call is one row of the inbox, without the query of its link, and whoever waits is told."""
    await register(ledger, make_job())
    claimed = await accept(ledger, make_job())
    assert await post.call(post.target(claimed.attempt_id), DONE) == (200, b"")
    [row] = await rows(ledger, "callback")
    assert (row["attempt_id"], row["named_id"], bool(row["has_ended"])) == (claimed.attempt_id, "t-1", True)
    assert (row["link"], row["heeded_at"], len(post.rung)) == ("https://cdn.example/a.mp4", None, 1)


@EVERYWHERE
async def test_c02_the_same_call_again_has_the_same_answer_and_no_effect(
    ledger, register, accept, make_job, rows, post
):
    """Duplicates are acknowledged alike, and are one row; distinct bodies of one attempt are bounded."""
    await register(ledger, make_job())
    target = post.target((await accept(ledger, make_job())).attempt_id)
    assert {await post.call(target, DONE) for _ in range(5)} == {(200, b"")}
    assert len(await rows(ledger, "callback")) == 1
    assert {await post.call(target, {"n": n}) for n in range(30)} == {(200, b"")}
    assert len(await rows(ledger, "callback")) == 16


async def test_c03_a_call_before_the_answer_to_the_order_is_kept(ledger, register, send, make_job, rows, post):
    """An attempt whose first byte may have left can be called about before anybody knows its id."""
    await register(ledger, make_job())
    claimed = await send(ledger, make_job())
    assert await post.call(post.target(claimed.attempt_id), DONE) == (200, b"")
    assert [row["named_id"] for row in await rows(ledger, "callback")] == ["t-1"]


@EVERYWHERE
async def test_c04_c06_who_is_not_known_is_not_found(ledger, register, claim, make_job, rows, post):
    """Before its first byte, of another ledger, or of one that is gone: 404 as for any stranger, counted, no row."""
    await register(ledger, make_job())
    claimed = await claim(ledger, make_job())
    for target in (
        post.target(claimed.attempt_id),
        post.target("00000000-0000-4000-8000-000000000000"),
        post.target(claimed.attempt_id, "0123456789abcdef"),
    ):
        assert await post.call(target, DONE) == (404, b"")
    assert (await rows(ledger, "callback"), post.counts.taken["unknown"]) == ([], 3)


async def test_c05_a_wrong_token_touches_nothing(ledger, register, accept, make_job, rows, post, monkeypatch):
    """Wrong, cut, missing or of another attempt: 404 from the first line alone; the ledger is not asked."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    other = post.target("00000000-0000-4000-8000-000000000000")
    before = len(await rows(ledger, "event"))

    async def fail(*_):
        raise AssertionError("the ledger was asked")

    monkeypatch.setattr(ledger, "write", fail)
    swapped = good.rpartition("/")[0] + "/" + other.rpartition("/")[2]
    for target in (good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"), swapped, good + "A", "/cb/v1/", "/", "*"):
        said = await post.raw(f"POST {target} HTTP/1.1\r\n".encode())  # no header and no body is waited for
        assert said == b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    monkeypatch.undo()
    assert (await rows(ledger, "callback"), len(await rows(ledger, "event"))) == ([], before)
    assert post.counts.refused == {"no token": 7}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("content-length: 65537", 413),
        ("content-length: 99999999999999999999", 413),
        ("content-length: -1", 400),
        ("content-length: 2\r\ncontent-length: 2", 400),
        ("content-length: 2\r\ntransfer-encoding: chunked", 400),
        ("transfer-encoding: gzip, chunked", 400),
        ("content-encoding: gzip\r\ncontent-length: 2", 415),
        ("x" * 17_000 + ": y", 431),
        ("no colon", 400),
        ("\r\n".join(f"x-{n}: y" for n in range(101)), 431),
    ],
    ids=lambda given: str(given)[:40],
)
async def test_c11_c13_a_body_that_is_refused_is_not_read(
    ledger, register, accept, make_job, rows, post, headers, status
):
    """Too long, of two lengths, compressed, or behind too long a head: the head alone decides."""
    await register(ledger, make_job())
    target = post.target((await accept(ledger, make_job())).attempt_id)
    said = await post.raw(f"POST {target} HTTP/1.1\r\nhost: x\r\n{headers[:40_000]}\r\n\r\n".encode())
    assert said.split(b" ")[1] == str(status).encode()
    assert await rows(ledger, "callback") == []


async def test_c11_chunks_without_end_are_cut(ledger, register, accept, make_job, rows, post):
    """A body in chunks ends at the limit like any other."""
    await register(ledger, make_job())
    target = post.target((await accept(ledger, make_job())).attempt_id)
    head = f"POST {target} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    said = await post.raw(head, *[chunk] * 80)
    assert said == b"" or said.split(b" ")[1] == b"413"
    assert await rows(ledger, "callback") == []


async def test_c13_a_body_that_nobody_can_read_is_a_call_all_the_same(ledger, register, accept, make_job, rows, post):
    """Nested without end, no JSON, or as long as may be: the token has named the job, and the provider is asked."""
    await register(ledger, make_job())
    target = post.target((await accept(ledger, make_job())).attempt_id)
    for body in (b"[" * 60_000, b'{"a":' * 9_000, b"\xff\x00", b"", b"x" * MOST_BODY):
        assert await post.call(target, body) == (200, b"")
    assert {row["named_id"] for row in await rows(ledger, "callback")} == {None}


async def test_c14_other_methods_and_odd_paths_reflect_nothing(ledger, register, accept, make_job, rows, post):
    """Only a POST to a path with a token is let in; nothing of a request comes back."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"):
        assert (await post.call(good, method=method))[0] == 405
        assert (await post.call(good + "x", method=method))[0] == 404
    for odd in (
        "/../etc/passwd",
        "http://evil.example/",
        good + "?q=1",
        good + "/",
        "//x" + good[1:],
        good.upper(),
        "/<script>",
    ):
        said = await post.raw(f"POST {odd} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        assert said.startswith(b"HTTP/1.1 404 ")
        assert not {b"script", b"evil"} & set(said.split())
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"post / HTTP/1.1\r\n",
        b"GET /" + b"a" * 3000,
    ):
        assert (await post.raw(garbage)).split(b" ")[1] == b"404"
    assert await rows(ledger, "callback") == []


async def test_c14_a_prefix_of_a_proxy_is_all_right_and_a_second_request_is_not_read(
    ledger, register, accept, make_job, rows, post
):
    """What follows the body on one connection was judged by nobody: it is not passed on."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    one = f"POST /hooks{good} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}".encode()
    said = await post.raw(one + f"POST {good} HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n".encode() + b'{"a":1}')
    assert (said.count(b"HTTP/1.1"), said.split(b" ")[1]) == (1, b"200")
    assert len(await rows(ledger, "callback")) == 1


@pytest.mark.parametrize("error", [LedgerError("gone"), TimeoutError()], ids=["down", "slow"])
async def test_c15_without_a_ledger_the_sender_is_asked_to_come_again(
    ledger, register, accept, make_job, rows, post, monkeypatch, error
):
    """503 with Retry-After, never a 2xx before the write; and the same call is taken when the ledger is back."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)

    async def fail(*_):
        raise error

    monkeypatch.setattr(ledger, "write", fail)
    said = await post.raw(f"POST {good} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    assert (said.split(b" ")[1], b"retry-after: " in said) == (b"503", True)
    monkeypatch.undo()
    assert (await rows(ledger, "callback"), await post.call(good)) == ([], (200, b""))


async def test_c16_each_provider_hears_what_it_wants_to_hear(ledger, register, accept, make_job):
    """The text of the acknowledgement is the profile's; most want none."""
    await register(ledger, make_job())
    claimed = await accept(ledger, make_job())
    async with receiving(ledger, answers={"qiniu": "ok"}) as post:
        good = post.target(claimed.attempt_id)
        assert [await post.call(good), await post.call(good)] == [(200, b"ok")] * 2


async def test_c19_a_provider_that_signs_is_let_in_by_its_signature(ledger, register, accept, make_job, rows):
    """Raw bytes, five minutes both ways, any of several signatures, unknown versions ignored; else 401 and no row."""
    await register(ledger, make_job())
    await accept(ledger, make_job(), "video_1")
    secret, other = checker("whsec_" + "c2VjcmV0" * 4, "A"), checker("another secret", "B")
    body = b'{"object":"event","type":"video.completed",  "data":{"id":"video_1"}}'
    async with receiving(ledger, secrets={"qiniu": secret}) as post:
        good = post.target("qiniu", "signed")

        async def tell(signature, moved=0, text=body):
            moment = int(datetime.now(UTC).timestamp()) + moved
            headers = {"webhook-id": "wh_1", "webhook-timestamp": str(moment)}
            at = datetime.fromtimestamp(moment, UTC)
            made = {
                "right": secret.sign("wh_1", at, body.decode()),
                "wrong": other.sign("wh_1", at, body.decode()),
            }
            return (await post.call(good, text, headers=headers | {"webhook-signature": signature.format(**made)}))[0]

        assert [await tell(s) for s in ("{wrong}", "", "v1,", "v2,eA==", "junk")] == [401] * 5
        assert [await tell("{right}", moved) for moved in (-400, 400)] == [401, 401]
        assert await tell("{right}", text=body.replace(b"  ", b" ")) == 401
        assert await rows(ledger, "callback") == []
        assert [await tell(s) for s in ("{wrong} junk v9,x {right}", "{right}")] == [200, 200]
        assert (await post.call(post.target("openai", "signed"), body))[0] == 401
    [row] = await rows(ledger, "callback")
    assert (row["named_id"], bool(row["has_ended"])) == ("video_1", True)


async def test_operators_see_health_and_counts_without_any_token(ledger, register, accept, make_job, post, caplog):
    """The log has a line a call and sums of what was refused; neither it nor the counts know a token."""
    caplog.set_level("INFO", "reelbatch.callbacks")
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    for target in (good, good, good[:-1]):
        await post.call(target, DONE)
    text = post.counts.as_text()
    assert 'reelbatch_callbacks_total{result="again"} 1' in text
    assert 'reelbatch_callbacks_total{result="new"} 1' in text
    assert 'reelbatch_callbacks_refused_total{reason="no token"} 1' in text
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line.get("came_to") for line in lines if line["event"] == "call"] == ["new", "again"]
    token = good.rpartition("/")[2]
    assert token not in text + caplog.text
