from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from pipelines.callbacks import connections, listener
from pipelines.core.errors import SetupError

HEAD = "POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n"


@pytest.fixture
def brisk(monkeypatch):
    """Clocks that a test can wait for."""
    monkeypatch.setattr(connections, "HEAD_S", 0.15)
    monkeypatch.setattr(connections, "WHOLE_S", 0.3)


async def test_c12_whoever_is_slow_is_cut(brisk, ledger, register, accept, make_job, rows, post):
    """Nothing, half a line, half a head, half a body with a good token, drop by drop: all end in time, none is a row."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    said = await asyncio.gather(
        *(post.raw(part) for part in (b"", b"P", b"POST /cb", HEAD.format(good).encode()[:-2])),
        post.raw(HEAD.format(good).encode() + b"{"),
    )
    assert [each[9:12] for each in said] == [b"408"] * 4 + [b""]

    async def drop_by_drop():
        reader, writer = await asyncio.open_connection("127.0.0.1", post.port)
        async with asyncio.timeout(5):
            while not reader.at_eof():
                writer.write(b"P")
                await asyncio.wait([asyncio.create_task(reader.read(1))], timeout=0.02)
        writer.close()

    with suppress(ConnectionError):
        await drop_by_drop()
    assert (await rows(ledger, "callback"), post.counts.refused["slow"] >= 5) == ([], True)
    assert (await post.call(good))[0] == 200


async def test_c12_a_flood_of_open_connections_keeps_no_call_out(monkeypatch, ledger, register, accept, make_job, post):
    """Where there are too many, the oldest that has shown no token goes; a call gets in all the same."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    async with AsyncExitStack() as stack:
        monkeypatch.setattr(listener, "most_connections", lambda: 8)
        receiver = _receiver_of(post, ledger)
        taken = stack.enter_context(listener.listener_on("127.0.0.1:0", "--listen"))
        post.port = await stack.enter_async_context(listener.listening(receiver, taken))
        held = [await asyncio.open_connection("127.0.0.1", post.port) for _ in range(40)]
        assert (await post.call(good))[0] == 200
        assert post.counts.connections <= 9
        assert post.counts.refused["too many connections"] >= 32
        for _, writer in held:
            writer.close()


def _receiver_of(post, ledger):
    from pipelines.callbacks.inbox import OwnInbox  # noqa: PLC0415 - for this
    from pipelines.callbacks.receiver import Receiver  # noqa: PLC0415 - as above

    return Receiver(post.keys, OwnInbox(ledger, post.name, lambda: None), post.counts)


@pytest.mark.parametrize(
    ("address", "words"),
    [("0.0.0.0:0", "can be reached by others"), ("192.0.2.1:80", "can be reached"), ("127.0.0.1:x", "no address"), ("127.0.0.1:99999", "no address")],
)  # fmt: skip
def test_c20_nobody_listens_where_others_could_read(address, words):
    """Without TLS only this machine is listened to, unless somebody says otherwise."""
    with pytest.raises(SetupError, match=words):
        listener.listener_on(address, "--listen")
    if "0.0.0.0" in address:
        listener.listener_on(address, "--listen", insecure=True).close()


async def test_a_stop_answers_what_was_let_in(ledger, register, accept, make_job, post, rows):
    """A call whose body is on its way when the receiver is stopped is written down and answered."""
    await register(ledger, make_job())
    good = post.target((await accept(ledger, make_job())).attempt_id)
    async with AsyncExitStack() as stack:
        taken = stack.enter_context(listener.listener_on("127.0.0.1:0", "--listen"))
        port = await stack.enter_async_context(listener.listening(_receiver_of(post, ledger), taken))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.format(good).encode() + b"{" + b" " * 48)
        await writer.drain()
        while not post.counts.connections:  # noqa: ASYNC110 - it is let in
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.05, writer.write, b"}")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert len(await rows(ledger, "callback")) == 1
