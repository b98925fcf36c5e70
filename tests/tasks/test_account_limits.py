from __future__ import annotations

import asyncio
import socket
import time
import uuid

import httpx
import pytest

from pipelines.batch import read_batch
from pipelines.core.errors import LimitServerAway, LimitServerGone
from pipelines.run.options import RunOptions
from pipelines.run.run import RunContext, run_context
from tests.servers import HERE, prefect_at

WHERE = "/v2/concurrency_limits"


@pytest.fixture
def limit_name():
    return f"reelbatch-test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def asked_once(prefect_api):
    from tasks.account_limits import shared_limits  # noqa: PLC0415

    with prefect_at(prefect_api):
        async with shared_limits(RunOptions()) as server:
            yield server


@pytest.fixture
def limits(asked_once):
    """As runs ask, who ask again a little later: the database of a server that many tests share is locked at times."""
    return Persistent(asked_once)


class Persistent:
    """A server of limits that is asked again until it answers."""

    def __init__(self, server):
        self._server = server

    def __getattr__(self, name):
        async def ask(*arguments):
            while True:  # the test's own time limit ends this
                try:
                    return await getattr(self._server, name)(*arguments)
                except LimitServerAway:
                    await asyncio.sleep(0.1)

        return ask


def _turn(prefect_api, name, **change):
    while httpx.patch(f"{prefect_api}{WHERE}/{name}", json=change, **HERE).status_code == 503:
        time.sleep(0.1)


def _seen(prefect_api, name):
    return httpx.get(f"{prefect_api}{WHERE}/{name}", **HERE).json()


async def test_a_limit_is_made_once_and_then_is_the_peoples(limits, prefect_api, limit_name):
    """Who comes second changes nothing; what people turn is what runs see."""
    assert await limits.look(limit_name) is None
    await limits.create(limit_name, 5, 0.5)
    await limits.create(limit_name, 50, 5.0)
    first = await limits.look(limit_name)
    _turn(prefect_api, limit_name, limit=7, active=False)
    second = await limits.look(limit_name)
    assert [(each.most, each.per_second, each.active) for each in (first, second)] == [(5, 0.5, True), (7, 0.5, False)]
    assert first.identity == second.identity


async def test_blocks_are_leased_and_go_back_whole(limits, limit_name):
    """A block is granted while it fits; a lease that is unknown is no fault, and is not renewed."""
    await limits.create(limit_name, 6, 0.0)
    lease = await limits.lease(limit_name, 4)
    assert await limits.lease(limit_name, 3) is None
    assert await limits.lease(limit_name, 7) is None
    assert await limits.renew(lease)
    assert (await limits.look(limit_name)).in_use == 4
    await limits.release(lease)
    await limits.release(lease)
    assert not await limits.renew(lease)
    assert (await limits.look(limit_name)).in_use == 0


async def test_a_rate_is_taken_whole_and_put_back_in_part(limits, limit_name):
    """The whole of a limit with decay is granted only when it is empty."""
    await limits.create(limit_name, 60, 0.01)
    assert await limits.occupy(limit_name, 60)
    await limits.put_back(limit_name, 57)
    assert (await limits.look(limit_name)).in_use == 3
    assert not await limits.occupy(limit_name, 60)


async def test_a_lease_of_no_limit_is_a_sign_of_the_servers_memory(limits):
    """It is granted and known; only a server that was restarted does not know it."""
    lease = await limits.lease(f"no-such-{uuid.uuid4().hex}", 1, 86_400.0)
    assert await limits.renew(lease, 86_400.0)
    await limits.release(lease)
    assert not await limits.renew(lease)


async def test_a_server_that_is_not_there_is_gone():
    """No connection is another thing than no answer."""
    from tasks.account_limits import shared_limits  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with prefect_at(f"http://127.0.0.1:{port}/api"), pytest.raises(LimitServerGone):
        async with shared_limits(RunOptions()) as server:
            await server.look("x")


async def test_a_server_that_does_not_answer_is_away(asked_once, monkeypatch):
    """Whatever goes wrong there, a run learns one thing: go on with what you hold."""

    async def broken(*_args, **_more):
        raise httpx.ReadTimeout("nothing")

    limits = asked_once
    monkeypatch.setattr(limits._client, "request", broken)
    for asking in (limits.look("x"), limits.lease("x", 1), limits.create("x", 1, 0.0), limits.occupy("x", 1)):
        with pytest.raises(LimitServerAway):
            await asking


@pytest.mark.parametrize(
    ("options", "context"),
    [(RunOptions(rehearse=True), None), (RunOptions(), RunContext(own_server=True))],
    ids=["a rehearsal", "a server of its own"],
)
async def test_who_shares_nothing_asks_nobody(prefect_api, options, context):
    """A rehearsal's account is its own sandbox, and a temporary server has no other runs."""
    from tasks.account_limits import shared_limits  # noqa: PLC0415

    token = run_context.set(context)
    with prefect_at(prefect_api):
        async with shared_limits(options) as server:
            assert server is None
    run_context.reset(token)


async def test_a_deployment_creates_the_limits_of_its_accounts(prefect_api, monkeypatch, tmp_path):
    """Before its first run, so that people can turn them; made again, they stay as they were turned."""
    monkeypatch.setenv("ACEDATA_API_KEY", uuid.uuid4().hex)
    monkeypatch.delenv("ACEDATA_BASE_URL", raising=False)
    path = tmp_path / "batch.csv"
    path.write_text("prompt\na cat\n", "utf-8")
    batch = read_batch(path, provider="acedata")
    with prefect_at(prefect_api):
        made = await _created(batch)
        _turn(prefect_api, made[0].name, limit=2)
        await _created(batch)
    seen = [_seen(prefect_api, each.name) for each in made]
    assert [(each["limit"], each["slot_decay_per_second"]) for each in seen] == [(2, 0.0), (5, 0.5)]
    assert [each.name.rpartition("-")[2] for each in made] == ["flight", "submit"]


async def _created(batch):
    from tasks.account_limits import create_limits  # noqa: PLC0415

    while True:
        try:
            return await create_limits(batch, RunOptions())
        except LimitServerAway:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_refusal_that_says_nothing_of_limits_is_an_absence_too(asked_once, monkeypatch, status):
    """A wrong password, or a locked database: no run breaks by it."""
    request = httpx.Request("GET", "http://127.0.0.1/api")
    error = httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))

    async def broken(*_args, **_more):
        raise error

    limits = asked_once
    monkeypatch.setattr(limits._client, "request", broken)
    for asking in (
        limits.look("x"),
        limits.create("x", 1, 0.0),
        limits.renew(str(uuid.uuid4())),
        limits.put_back("x", 1),
    ):
        with pytest.raises(LimitServerAway, match=str(status)):
            await asking
