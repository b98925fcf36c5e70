"""Traps of the vendors' contracts that show only where batch file, client and server meet; docs/traps.md lists them all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from pipelines.core.errors import BatchError
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Phase
from pipelines.sandbox.process import SandboxAddress
from tests.pipelines.providers.contract_cases import VIDEO

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACE = {"prompt": "a fox", "provider": "acedata", "version": "1.0"}
CHARACTER = ACE | {"character_url": VIDEO}


async def test_t3_character_bounds_are_whole_seconds(desk):
    """A part of a clip is named in seconds, one to three of them; fractions, as one tool has them, are refused in time."""
    (order,) = desk.plan(CHARACTER | {"character_start": 0, "character_end": 2})
    await desk.accepted(desk.client("acedata"), order)
    for start, end in ((0, 0.5), (0, 4), (2, 2)):
        with pytest.raises(BatchError, match="character_"):
            desk.plan(CHARACTER | {"character_start": start, "character_end": end})


@pytest.mark.parametrize(
    ("provider", "lives"),
    [("acedata", timedelta(hours=144)), ("qiniu", timedelta(days=7)), ("openai", timedelta(hours=1))],
)
async def test_t4_a_link_says_when_it_ends(desk, provider, lives):
    """The expiry that a link or an answer carries is kept, whatever an FAQ says."""
    client = desk.client(provider)
    (order,) = desk.plan({"prompt": "a fox", "provider": provider})
    progress = await desk.ended(client, await desk.accepted(client, order))
    left = progress.links[0].expires_at - datetime.now(UTC)
    assert lives - timedelta(hours=1) < left <= lives + timedelta(minutes=1)


@pytest.mark.parametrize("hiccup", ["string", "null"])
async def test_t9_a_hiccup_is_no_failure(desk, hiccup, start_provider):
    """An unfinished task that says `success: false` without a coded error goes on, and ends well."""
    slow = start_provider(latency="3")  # so that the first query finds it unfinished
    with httpx.Client(base_url=slow.url, trust_env=False) as office:
        desk = replace(desk, sandbox=SandboxAddress(slow.url, slow.process.pid), office=office)
        client = desk.client("acedata")
        (order,) = desk.plan(ACE)
        desk.faults({"match": {"route": "status", "contract": "acedata", "nth": [1]}, "do": {"hiccup": hiccup}})
        job = await desk.accepted(client, order)
        first = await client.check(job)
        assert first.phase is Phase.RUNNING
        assert (await desk.ended(client, job)).phase is Phase.SUCCEEDED


SIZED = [
    (profile, mode) for profile in shipped_profiles().values() for mode in profile.modes if mode.images.must_match_size
]


@pytest.mark.parametrize(("profile", "mode"), SIZED, ids=lambda one: one.name)
async def test_t23_a_picture_of_another_size_is_refused_before_it_costs(desk, profile, mode):
    """Where the first frame must be as large as the clip, a local picture that is not never leaves this machine."""
    size = mode.size.allowed[0]
    row = {"prompt": "a fox", "provider": profile.name, "size": size, "image_url": "picture.png"} | mode.fixed
    width, height = (int(pixels) for pixels in size.split("x"))
    Image.new("RGB", (width, height + 2)).save(desk.folder / "picture.png")
    with pytest.raises(BatchError, match="image_url" if mode.images.forms == ("url",) else f"{width}x{height + 2}"):
        desk.plan(row)


async def test_t25_a_callback_before_the_answer_changes_nothing(desk):
    """The provider may call before it has answered the order: the answer and the query stay the truth."""
    called = asyncio.Event()

    async def take(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        called.set()
        writer.write(b"HTTP/1.1 204 Fine\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c/token"
    client = desk.client("acedata")
    (order,) = desk.plan(ACE)
    desk.faults({"match": {"route": "callback", "contract": "acedata"}, "do": {"callback": "early"}})
    async with server:
        job = await desk.accepted(client, order, callback_url=address)
        assert called.is_set()
        assert (await desk.ended(client, job)).phase is Phase.SUCCEEDED
