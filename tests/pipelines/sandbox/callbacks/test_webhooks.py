from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import openai
import pytest

from pipelines.sandbox.callbacks.webhooks import event_of, signed
from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.options import SandboxOptions

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
BODY = json.dumps(event_of("video_1", 1000.0, succeeds=True)).encode()
PATIENCE = 10.0


def is_accepted(body, headers, secret=SECRET):
    """Whether the vendor's own package takes a delivery."""
    with openai.OpenAI(api_key="k", http_client=openai.DefaultHttpxClient(trust_env=False, verify=False)) as sdk:
        try:
            sdk.webhooks.verify_signature(body, headers, secret=secret)
        except openai.InvalidWebhookSignatureError:
            return False
        return True


@pytest.mark.parametrize("secret", [SECRET, "just any words"])
def test_the_vendors_own_package_accepts_a_delivery(secret):
    """With and without the prefix, a signature is what the vendor's verifier expects."""
    assert is_accepted(BODY, signed(BODY, secret, time.time()), secret)
    assert not is_accepted(BODY + b" ", signed(BODY, secret, time.time()), secret)


@pytest.mark.parametrize(("fault", "accepted"), [("wrong_key", False), ("stale", False), ("rotated", True)])
def test_faulty_deliveries_are_what_they_claim(fault, accepted):
    """A wrong key and an old time are refused; among two signatures the right one counts, though it stands second."""
    headers = signed(BODY, SECRET, time.time(), Effect(signature=fault))
    assert is_accepted(BODY, headers) is accepted
    assert headers["webhook-signature"].count("v1,") == (2 if fault == "rotated" else 1)


def test_a_stale_delivery_is_only_stale():
    """Its signature is right for its time."""
    headers = signed(BODY, SECRET, 5000.0, Effect(signature="stale"))
    assert headers == signed(BODY, SECRET, float(headers["webhook-timestamp"]))


@dataclass
class Receiver:
    """Where webhooks go, and what came."""

    url: str
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]]

    async def next(self):
        """The headers and the body of the next delivery."""
        return await asyncio.wait_for(self.arrived.get(), PATIENCE)


@asynccontextmanager
async def receiver(*statuses):
    """Answers with these statuses, one after the other, and then with 204."""
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
    left = list(statuses)

    async def receive(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        await arrived.put((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(f"HTTP/1.1 {left.pop(0) if left else 204} X\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        yield Receiver(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", arrived)


@pytest.fixture
def selling(serving):
    @asynccontextmanager
    async def sell(hook, *rules):
        with serving(SandboxOptions(latency="0.05", webhook_url=hook.url, webhook_secret=SECRET)) as url:
            async with httpx.AsyncClient(
                base_url=url, headers={"authorization": "Bearer k"}, trust_env=False, verify=False
            ) as client:
                (await client.post("/_sandbox/faults", json=list(rules))).raise_for_status()
                yield client

    return sell


def on_callback(**effect):
    return {"match": {"route": "callback", "contract": "openai"}, "do": effect}


async def order(client):
    return (await client.post("/openai/v1/videos", json={"prompt": "a"})).json()["id"]


async def test_the_end_of_a_job_is_posted(selling):
    """A completed and a failed job are told apart by `type` alone; the body carries only the id."""
    failing = {"match": {"route": "submit", "nth": [2]}, "do": {"outcome": "generation_failed"}}
    async with receiver() as hook, selling(hook, failing) as client:
        for kind in ("video.completed", "video.failed"):
            identifier = await order(client)
            headers, body = await hook.next()
            document = json.loads(body)
            assert is_accepted(body, headers)
            assert (document["type"], document["object"], document["data"]) == (kind, "event", {"id": identifier})
            assert (await client.get(f"/openai/v1/videos/{identifier}")).json()["status"] == kind.removeprefix("video.")


async def test_what_is_not_taken_comes_again_under_the_same_id(selling):
    """Anything but a 2xx, a redirect too, is tried again soon, as the same event."""
    async with receiver(500, 302) as hook, selling(hook) as client:
        await order(client)
        deliveries = [await hook.next() for _ in range(3)]
        assert len({headers["webhook-id"] for headers, _ in deliveries}) == 1
        await order(client)
        headers, _ = await hook.next()
        assert headers["webhook-id"] != deliveries[0][0]["webhook-id"]
        callbacks = (await client.get("/_sandbox/requests")).json()["callbacks"]
        assert (callbacks["answered 500"], callbacks["answered 302"]) == (1, 1)


async def test_a_duplicate_is_the_same_event(selling):
    """`twice` delivers twice although the first was taken."""
    async with receiver() as hook, selling(hook, on_callback(callback="twice")) as client:
        await order(client)
        first, second = await hook.next(), await hook.next()
        assert (first[0]["webhook-id"], first[1]) == (second[0]["webhook-id"], second[1])


async def test_a_forged_delivery_comes_before_the_true_one(selling):
    """`forged` is about a job that does not exist, and signed by somebody else."""
    async with receiver() as hook, selling(hook, on_callback(callback="forged")) as client:
        identifier = await order(client)
        (lie_headers, lie), (headers, body) = await hook.next(), await hook.next()
        assert (is_accepted(lie, lie_headers), is_accepted(body, headers)) == (False, True)
        assert json.loads(body)["data"]["id"] == identifier != json.loads(lie)["data"]["id"]


async def test_a_webhook_may_never_come_or_come_late(selling):
    """`never` is only counted; with `delay` the job has been finished for so long when its webhook is sent."""
    never = {**on_callback(callback="never"), "match": {"route": "callback", "nth": [1]}}
    async with receiver() as hook, selling(hook, never, on_callback(delay=1.2)) as client:
        _, late = [await order(client) for _ in range(2)]
        headers, body = await hook.next()
        document = json.loads(body)
        assert document["data"]["id"] == late
        assert int(headers["webhook-timestamp"]) - document["created_at"] >= 1
        assert (await client.get("/_sandbox/requests")).json()["callbacks"]["never sent"] == 1


@pytest.mark.parametrize(
    "options",
    [
        {"webhook_url": "http://127.0.0.1:9/x"},
        {"webhook_secret": SECRET},
        {"webhook_url": "https://example.com/x", "webhook_secret": SECRET},
        {"webhook_url": "http://127.0.0.1:9/x", "webhook_secret": "whsec_?"},
    ],
)
def test_half_a_setting_or_a_foreign_address_is_an_error(options, serving):
    """A sandbox that could not sign, or would post to other machines, does not start."""
    with pytest.raises(ValueError, match="webhook-"), serving(SandboxOptions(**options)):
        pass
