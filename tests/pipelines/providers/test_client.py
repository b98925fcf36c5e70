from __future__ import annotations

import json
import socket

import pytest

from pipelines.errors import (
    KeyRefused,
    LedgerError,
    NoAnswer,
    NotSent,
    ProviderUnavailable,
    SlowDown,
    UnknownJob,
    UnusableAnswer,
)
from pipelines.http import Http
from pipelines.providers.client import Client, account_of
from pipelines.providers.profile import profile_named
from pipelines.providers.protocol import Accepted, InDoubt, Phase, Rejected

KEY = "sk-canary-0123456789abcdef"


async def _nothing():
    """Nothing to do before the first byte."""


async def test_a_submission_is_one_post_with_the_key(peer, client_of, order_of):
    """What goes out is one JSON POST to the documented path, with the key as a bearer."""
    peer.answers(200, {"id": "v-1", "status": "queued"})
    verdict = await client_of("qiniu").submit(order_of(prompt="猫 🎬"), _nothing)
    assert verdict == Accepted("v-1", None, 200)
    [(line, headers, body)] = peer.requests
    assert line == "POST /v1/videos HTTP/1.1"
    assert headers["authorization"] == f"bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["prompt"] == "猫 🎬"


@pytest.mark.parametrize("error", [NotSent("stopping"), LedgerError("full")], ids=["stop", "I03 no durable intent"])
async def test_s03_an_error_before_the_first_byte_sends_nothing(peer, client_of, order_of, error):
    """What the hook raises comes out as it is, and no byte of the request has left."""

    async def refuse():
        raise error

    with pytest.raises(type(error)):
        await client_of("qiniu").submit(order_of(), refuse)
    assert peer.requests == []


async def test_s11_a_connection_that_closes_without_an_answer_is_in_doubt(peer, client_of, order_of):
    """The request arrived whole and nothing came back: nobody knows."""
    verdict = await client_of("qiniu").submit(order_of(), _nothing)
    assert isinstance(verdict, InDoubt)
    assert len(peer.requests) == 1


async def test_s01_nobody_listening_is_not_sent(order_of):
    """A refused connection surely sent nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        async with Http() as http:
            with pytest.raises(NotSent):
                await Client(http, profile_named("qiniu"), url, KEY).submit(order_of(), _nothing)


async def test_s13_a_body_that_is_cut_short_is_in_doubt(peer, client_of, order_of):
    """Less than the announced length is no answer."""
    peer.answers(200, b'{"id": "v-1"}', content_length="500")
    assert isinstance(await client_of("qiniu").submit(order_of(), _nothing), InDoubt)


async def test_s38_a_redirect_is_not_followed(peer, client_of, order_of):
    """A POST that costs money goes to the address that was set, and nowhere else."""
    peer.answers(307, b"", location=f"{peer.url}/elsewhere")
    verdict = await client_of("qiniu").submit(order_of(), _nothing)
    assert isinstance(verdict, Rejected)
    assert (verdict.kind, len(peer.requests)) == ("address", 1)


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (401, {"error": {"code": "invalid_api_key"}}, {}, KeyRefused),
        (404, {"error": {"code": "not_found"}}, {}, UnknownJob),
        (410, b"", {}, UnknownJob),
        (429, b"", {"retry_after": "7"}, SlowDown),
        (403, {"error": {"code": "restricted"}}, {}, ProviderUnavailable),
        (400, b"", {}, ProviderUnavailable),
        (302, b"", {"location": "/x"}, ProviderUnavailable),
        (500, b"<html>", {}, ProviderUnavailable),
        (503, {"error": "busy"}, {}, ProviderUnavailable),
        (200, b"<html>", {}, UnusableAnswer),
        (200, b"", {}, UnusableAnswer),
        (200, b'{"status": "compl', {"content_length": "90"}, UnusableAnswer),
        (200, {"id": "another", "status": "completed"}, {}, UnusableAnswer),
    ],
    ids=["W05", "W03", "W04", "S33", "T29", "400", "redirect", "500", "503", "W06 html", "W06 empty", "cut", "W13"],
)
async def test_a_status_query_that_fails_is_translated(peer, client_of, status, body, headers, error):
    """Each refusal of a free query has its own error, none fails the job, and none holds the key."""
    peer.answers(status, body, **headers)
    with pytest.raises(error) as caught:
        await client_of("qiniu").check("v-1")
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    if error is SlowDown:
        assert caught.value.retry_after_s == 7


async def test_w02_a_broken_connection_is_no_answer(peer, client_of):
    """The network between us fails a query, not the job."""
    with pytest.raises(NoAnswer):
        await client_of("qiniu").check("v-1")


@pytest.mark.parametrize(
    "body", [{"status": "failed"}, {"id": "v-1", "status": "failed"}, {"id": "x", "task_id": "v-1", "status": "failed"}]
)
async def test_w13_an_answer_about_this_job_is_taken(peer, client_of, body):
    """An answer without an id, or with ours under either name, is about our job."""
    peer.answers(200, body)
    assert (await client_of("openai").check("v-1")).phase is Phase.FAILED


async def test_many_jobs_are_asked_about_in_one_request(peer, client_of):
    """Where the contract can, one query names many, and the answer is told apart by id."""
    peer.answers(200, {"items": [{"id": "a", "response": {"data": [{"state": "failed"}]}}, {"id": "b"}], "count": 2})
    found = await client_of("acedata").check_many(["a", "b", "c"])
    assert {name: progress.phase for name, progress in found.items()} == {"a": Phase.FAILED, "b": Phase.RUNNING}
    assert json.loads(peer.requests[0][2]) == {"ids": ["a", "b", "c"], "action": "retrieve_batch"}


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
async def test_t21_a_key_that_the_provider_echoes_is_hidden(peer, client_of, order_of, status):
    """A provider that repeats the key in its answer does not get it into a verdict, an error or a progress."""
    client = client_of("qiniu")
    echo = {"error": {"code": f"bad {KEY}", "message": f"Incorrect API key provided: {KEY}"}, "status": "failed"}
    peer.answers(status, echo)
    peer.answers(status, echo)
    said = repr(await client.submit(order_of(), _nothing))
    try:
        said += repr(await client.check("v-1"))
    except (ProviderUnavailable, UnknownJob, KeyRefused) as error:
        said += repr(error)
    assert KEY not in said
    assert len(peer.requests) == 2


def test_t21_a_client_does_not_show_its_key():
    """Neither the client nor the account's fingerprint tells the key."""
    client = Client(None, profile_named("qiniu"), "https://api/v1", KEY)
    assert KEY not in repr(client) + str(client) + client.account
    assert client.key_header() == {"authorization": f"Bearer {KEY}"}


def test_an_account_is_an_address_and_a_key():
    """Another key or host is another account, another path is not; a fixed name wins."""
    same = account_of("https://api/v1", "k")
    assert same == account_of("https://api:443/v2", "k")
    assert len({same, account_of("https://api/v1", "l"), account_of("https://b/v1", "k")}) == 3
    assert Client(None, profile_named("qiniu"), "https://api/v1", KEY, account="rehearsal").account == "rehearsal"
