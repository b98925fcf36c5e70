from __future__ import annotations

import asyncio
import hmac
import json
import ssl
import subprocess
import time
from hashlib import sha256

import pytest

from pipelines.sandbox.callbacks.delivery import Callback, Delivery, RetryLadder, is_on_this_machine
from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.wire import RequestCounts

ORDER = {"prompt": "a", "model": "sora-2", "version": "2.0"}
PATIENCE = 10


async def answer(reader, writer):
    """Whoever is called says that it is well."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def counted(client, outcome):
    """Waits until the sandbox has counted such an end of a callback."""
    counts = {}
    async with asyncio.timeout(PATIENCE):
        while outcome not in counts:
            await asyncio.sleep(0.01)
            counts = (await client.get("/_sandbox/requests")).json()["callbacks"]
    return counts


async def finished(client, identifier):
    """Waits until a task has its end."""
    task = {}
    async with asyncio.timeout(PATIENCE):
        while "finished_at" not in task:
            await asyncio.sleep(0.01)
            task = (await client.post("/sora/tasks", json={"id": identifier})).json()
    return task


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]:9/x", "https://localhost:8443/x"]
)
def test_this_machine_is_called(url):
    """Loopback addresses get their callbacks."""
    assert is_on_this_machine(url)


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost, signed by itself, and its key."""
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run([*made, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


async def test_a_proxy_with_a_certificate_is_called(certificate, monkeypatch):
    """Over https whom to trust is read from SSL_CERT_FILE, for a receiver behind a proxy on this machine; others hear nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    counts = RequestCounts()
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/x"
        for trusted in (None, certificate[0]):
            if trusted is not None:
                monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
            delivery = Delivery(counts, 1.0)
            await delivery.promise(Callback(url, 0.0, dict, RetryLadder(())), Effect())
            await delivery.close()
    assert counts.callbacks == {"failed": 1, "given up": 1, "answered 200": 1}


@pytest.mark.parametrize(
    "url", ["https://webhook.site/x", "http://10.0.0.1/x", "http://example.com", "ftp://127.0.0.1/x", "http:"]
)
def test_nobody_else_is_called(url):
    """A simulator sends nothing to other machines."""
    assert not is_on_this_machine(url)


@pytest.mark.parametrize("mode", [{}, {"async": True}])
async def test_completion_is_posted_once_with_the_result(calling, mode):
    """At completion the receiver gets the answer that the task query gives, signed if a secret was given."""
    async with calling() as (client, receiver):
        order = {**ORDER, **mode, "callback_url": receiver.url, "callback_secret": "s"}
        identifier = (await client.post("/sora/videos", json=order)).json()["task_id"]
        head, document, body = await receiver.next()
        task = (await client.post("/sora/tasks", json={"id": identifier})).json()
        assert await counted(client, "answered 204") == {"answered 204": 1}
    assert head.startswith(b"POST /c/token HTTP/1.1")
    assert document == task["response"]
    assert hmac.new(b"s", body, sha256).hexdigest().encode() in head
    assert receiver.arrived.empty()


async def test_a_failure_is_posted_too(calling):
    """A failed job calls with `success: false` and a coded error."""
    async with calling() as (client, receiver):
        rules = [{"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}}]
        await client.post("/_sandbox/faults", json=rules)
        order = {"action": "text2video", "prompt": "a", "callback_url": receiver.url}
        identifier = (await client.post("/veo/videos", json=order)).json()["task_id"]
        head, document, _ = await receiver.next()
    assert (document["success"], document["task_id"], document["error"]["code"]) == (False, identifier, "forbidden")
    assert b"x-callback-signature" not in head


async def test_what_is_not_taken_comes_again(calling):
    """A receiver that does not answer 2xx gets the same callback again, and none after it took one."""
    async with calling(500, 302, 404) as (client, receiver):
        await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})
        bodies = [(await receiver.next())[2] for _ in range(4)]
        counts = await counted(client, "answered 204")
    assert len(set(bodies)) == 1
    assert counts == {"answered 500": 1, "answered 302": 1, "answered 404": 1, "answered 204": 1}


async def test_after_the_last_rung_nobody_calls_again(calling):
    """Five more tries follow the first one; then the vendor gives up."""
    async with calling(*[503] * 20) as (client, receiver):
        await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})
        assert await counted(client, "given up") == {"answered 503": 6, "given up": 1}
        assert receiver.arrived.qsize() == 6


async def test_a_callback_can_come_twice(calling):
    """The same completion may be told two times."""
    async with calling(do={"callback": "twice"}) as (client, receiver):
        await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})
        assert (await receiver.next())[2] == (await receiver.next())[2]


async def test_a_callback_can_be_there_before_the_answer(calling):
    """When the answer to the order arrives, the callback about it has already been delivered."""
    async with calling(do={"callback": "early"}) as (client, receiver):
        answer = await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})
        _, body = receiver.arrived.get_nowait()
    assert json.loads(body)["task_id"] == answer.json()["task_id"]


async def test_a_callback_can_be_late(calling):
    """A late one comes when the task query has long had the result."""
    async with calling(do={"delay": 0.5}) as (client, receiver):
        identifier = (await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})).json()["task_id"]
        task = await finished(client, identifier)
        assert (await receiver.next())[1]["task_id"] == identifier
        assert time.time() - task["finished_at"] >= 0.5


async def test_a_callback_can_fail_to_come(calling):
    """One that never comes is counted, and the task query has the result all the same."""
    async with calling(do={"callback": "never"}) as (client, receiver):
        identifier = (await client.post("/sora/videos", json={**ORDER, "callback_url": receiver.url})).json()["task_id"]
        assert await counted(client, "never sent") == {"never sent": 1}
        await finished(client, identifier)
        assert receiver.arrived.empty()


async def test_a_callback_can_be_forged(calling):
    """Somebody else may call about a job that does not exist, with a signature of his own; the true one follows."""
    async with calling(do={"callback": "forged"}) as (client, receiver):
        order = {**ORDER, "callback_url": receiver.url, "callback_secret": "s"}
        identifier = (await client.post("/sora/videos", json=order)).json()["task_id"]
        heads, documents, bodies = zip(*[await receiver.next() for _ in range(2)], strict=True)
        stranger = await client.post("/sora/tasks", json={"id": documents[0]["task_id"]})
    assert stranger.json()["error"]["code"] == "task_not_found"
    assert documents[1]["task_id"] == identifier
    signed = [
        hmac.new(b"s", body, sha256).hexdigest().encode() in head for head, body in zip(heads, bodies, strict=True)
    ]
    assert signed == [False, True]


async def test_addresses_elsewhere_get_nothing(calling):
    """A callback to another machine is refused by the sandbox itself; the order is as good as any."""
    async with calling() as (client, _):
        answer = await client.post("/sora/videos", json={**ORDER, "callback_url": "https://example.com/c"})
        assert answer.status_code == 200
        assert await counted(client, "refused: not on this machine")
