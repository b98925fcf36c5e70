from __future__ import annotations

import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from pipelines.core.errors import (
    KeyRefused,
    LedgerError,
    NoAnswer,
    NotSent,
    ProviderError,
    ProviderUnavailable,
    ReelbatchError,
    SlowDown,
    UnknownJob,
    Unsendable,
    UnusableAnswer,
)
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.addresses import Origin
from pipelines.net.http import Http
from pipelines.providers.client import Client, account_of, same_address
from pipelines.providers.profile.exchange import Auth
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Phase, Supplies

KEY = "sk-canary-0123456789abcdef"
JOB = RemoteJob("v-1", "video")


async def _nothing():
    """Nothing to do before the first byte."""


async def test_a_submission_is_one_post_with_the_key(peer, client_of, order_of):
    """What goes out is one JSON POST to the documented path, with the key as a bearer."""
    peer.answers(200, {"id": "v-1", "status": "queued"})
    verdict = await client_of("qiniu").submit(order_of(prompt="猫 🎬"), Supplies(), _nothing)
    assert verdict == Accepted(RemoteJob("v-1", "video", contract="openai"), None, 200)
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
        await client_of("qiniu").submit(order_of(), Supplies(), refuse)
    assert peer.requests == []


async def test_s11_a_connection_that_closes_without_an_answer_is_in_doubt(peer, client_of, order_of):
    """The request arrived whole and nothing came back: nobody knows."""
    verdict = await client_of("qiniu").submit(order_of(), Supplies(), _nothing)
    assert isinstance(verdict, InDoubt)
    assert len(peer.requests) == 1


async def test_s01_nobody_listening_is_not_sent(order_of):
    """A refused connection surely sent nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        async with Http() as http:
            with pytest.raises(NotSent):
                await Client(http, profile_named("qiniu"), url, KEY).submit(order_of(), Supplies(), _nothing)


async def test_s13_a_body_that_is_cut_short_is_in_doubt(peer, client_of, order_of):
    """Less than the announced length is no answer."""
    peer.answers(200, b'{"id": "v-1"}', content_length="500")
    assert isinstance(await client_of("qiniu").submit(order_of(), Supplies(), _nothing), InDoubt)


async def test_s38_a_redirect_is_not_followed(peer, client_of, order_of):
    """A POST that costs money goes to the address that was set, and nowhere else; it may have been taken there."""
    peer.answers(307, b"", location=f"{peer.url}/elsewhere")
    verdict = await client_of("qiniu").submit(order_of(), Supplies(), _nothing)
    assert isinstance(verdict, InDoubt)
    peer.answers(307, b"", location="https://elsewhere.example/v1/videos")
    verdict = await client_of("qiniu").submit(order_of(), Supplies(), _nothing)
    assert isinstance(verdict, Rejected)
    assert (verdict.kind, len(peer.requests)) == ("address", 2)


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
        (400, {"error": {"code": "invalid_api_key"}}, {}, KeyRefused),
        (200, {"error": {"code": "invalid_api_key"}}, {}, KeyRefused),
        (200, {"error": {"message": f"no {KEY}"}}, {}, ProviderUnavailable),
    ],
    ids=[
        *["W05", "W03", "W04", "S33", "T29", "400", "redirect", "500", "503", "W06 html", "W06 empty", "cut", "W13"],
        *["W05 as 400", "W05 as 200", "an error and no job"],
    ],
)
async def test_a_status_query_that_fails_is_translated(peer, client_of, status, body, headers, error):
    """Each refusal of a free query has its own error, none fails the job, and none holds the key."""
    peer.answers(status, body, **headers)
    with pytest.raises(error) as caught:
        await client_of("qiniu").check(JOB)
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    if error is SlowDown:
        assert caught.value.retry_after_s == 7


async def test_w02_a_broken_connection_is_no_answer(peer, client_of):
    """The network between us fails a query, not the job."""
    with pytest.raises(NoAnswer):
        await client_of("qiniu").check(JOB)


@pytest.mark.parametrize(
    "body", [{"status": "failed"}, {"id": "v-1", "status": "failed"}, {"id": "x", "task_id": "v-1", "status": "failed"}]
)
async def test_w13_an_answer_about_this_job_is_taken(peer, client_of, body):
    """An answer without an id, or with ours under either name, is about our job."""
    peer.answers(200, body)
    assert (await client_of("openai").check(JOB)).phase is Phase.FAILED


async def test_t21_a_gateway_that_codes_its_ids_anew_is_still_believed(peer, client_of):
    """LiteLLM's later answers name a job otherwise than its receipt did; elsewhere that is an answer about another job."""
    answer = {"id": "video_coded-anew", "status": "completed"}
    peer.answers(200, answer)
    progress = await client_of("litellm").check(JOB)
    assert progress.phase is Phase.SUCCEEDED
    assert progress.links[0].url.endswith("/videos/v-1/content")  # by the id that it was ordered under
    peer.answers(200, answer)
    with pytest.raises(UnusableAnswer, match="another job's id"):
        await client_of("new-api").check(JOB)


@pytest.mark.parametrize(
    ("id_path", "body", "ours"),
    [
        ("job.id", {"request_id": "req-2", "job": {"id": "v-1"}}, True),
        ("job.id", {"id": "another", "job": {"id": "v-1"}}, True),
        ("job.id", {"id": "another", "status": "queued"}, True),
        ("job.id", {"id": "v-1", "job": {"id": "another"}}, False),
        ("jobs[].id", {"jobs": [{"id": "w"}, {"id": "v-1"}]}, True),
        (None, {"request_id": "req-2", "status": "queued"}, True),
        (None, {"id": "another", "request_id": "v-1"}, False),
    ],
)
async def test_w13_an_answer_names_its_job_where_the_profile_says(peer, order_of, id_path, body, ours):
    """Where the place of the id is known no other counts; and the number of an HTTP request is no job's name."""
    peer.answers(200, body)
    profile = profile_named("openai").model_copy(update={"id_path": id_path})
    async with Http() as http:
        asking = Client(http, profile, peer.url, KEY).check(JOB)
        if ours:
            assert (await asking).phase is Phase.RUNNING
        else:
            with pytest.raises(UnusableAnswer, match="repeats_id"):
                await asking


async def test_w13_the_queue_calls_a_job_a_request(peer, client_of):
    """There, and only there, a `request_id` is the name of the job, and another one is another job's."""
    peer.answers(200, {"request_id": "another", "status": "IN_PROGRESS"})
    with pytest.raises(UnusableAnswer, match="another job's id"):
        await client_of("qiniu").check(_at(peer))


async def test_many_jobs_are_asked_about_in_one_request(peer, client_of):
    """Where the contract can, one query names many, and the answer is told apart by id."""
    peer.answers(200, {"items": [{"id": "a", "response": {"data": [{"state": "failed"}]}}, {"id": "b"}], "count": 2})
    found = await client_of("acedata").check_many([RemoteJob(name, "v2") for name in "abc"])
    assert {name: progress.phase for name, progress in found.items()} == {"a": Phase.FAILED, "b": Phase.RUNNING}
    assert json.loads(peer.requests[0][2]) == {"ids": ["a", "b", "c"], "action": "retrieve_batch"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"success": False, "error": {"code": "rate_limited"}}, SlowDown),
        (200, {"success": False, "error": {"code": "invalid_token"}}, KeyRefused),
        (400, {"error": {"code": "token_mismatched"}}, KeyRefused),
        (200, {"success": False, "error": {"code": "api_error"}}, ProviderUnavailable),
        (200, {"success": False, "error": "a hiccup"}, ProviderUnavailable),
        (200, {"success": True}, UnusableAnswer),
        (200, {"count": 0}, UnusableAnswer),
    ],
)
async def test_t8_an_error_about_many_jobs_says_nothing_of_any(peer, client_of, status, body, error):
    """One that comes at HTTP 200 is the query's as well: none of the jobs is unknown for it."""
    peer.answers(status, body)
    with pytest.raises(error) as caught:
        await client_of("acedata").check_many([RemoteJob(name, "v2") for name in "abc"])
    assert type(caught.value) is error


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
async def test_k04_a_key_that_the_provider_echoes_is_hidden(peer, client_of, order_of, status):
    """A provider that repeats the key in its answer does not get it into a verdict, an error or a progress."""
    client = client_of("qiniu")
    echo = {"error": {"code": f"bad {KEY}", "message": f"Incorrect API key provided: {KEY}"}, "status": "failed"}
    peer.answers(status, echo)
    peer.answers(status, echo)
    said = repr(await client.submit(order_of(), Supplies(), _nothing))
    try:
        said += repr(await client.check(JOB))
    except (ProviderUnavailable, UnknownJob, KeyRefused) as error:
        said += repr(error)
    assert KEY not in said
    assert len(peer.requests) == 2


def test_k04_a_client_does_not_show_its_key():
    """Neither the client nor the account's fingerprint tells the key."""
    client = Client(None, profile_named("qiniu"), "https://api/v1", KEY)
    assert KEY not in repr(client) + str(client) + client.account
    assert client.key_header() == {"authorization": f"Bearer {KEY}"}


def test_an_account_is_an_address_and_a_key():
    """Another key or host is another account, another path is not; a fixed name wins."""
    same = account_of("https://api/v1", "k")
    assert same == account_of("https://api:443/v2", "k")
    assert len({same, account_of("https://api/v1", "l"), account_of("https://b/v1", "k")}) == 3
    assert same_address(same, account_of("https://api/v1", "l"))
    assert not same_address(same, account_of("https://b/v1", "k"))
    assert Client(None, profile_named("qiniu"), "https://api/v1", KEY, account="rehearsal").account == "rehearsal"


def test_only_a_trusted_address_may_be_private():
    """What the operator set is trusted, and nothing besides: links of this provider may lead there."""
    url = "http://10.0.0.7:8000/v1"
    assert Client(None, profile_named("openai"), url, KEY, trusted=True).trusted == {Origin.of(url)}
    assert Client(None, profile_named("openai"), url, KEY).trusted == frozenset()


async def test_s02_k04_a_key_that_cannot_be_sent_is_no_doubt_and_in_no_message(peer, order_of):
    """Nothing was sent, and nothing will be: that is for the operator, who is told without the key."""
    async with Http() as http:
        client = Client(http, profile_named("openai"), peer.url, f"sk-old\n{KEY}")
        with pytest.raises(Unsendable) as refused:
            await client.submit(order_of("openai"), Supplies(), _nothing)
        with pytest.raises(NoAnswer) as unheard:
            await client.check(JOB)
    assert peer.requests == []
    assert not any(KEY in str(error.value) or "sk-old" in str(error.value) for error in (refused, unheard))


async def _said(client, order, supplies=None):
    return await client.submit(order, supplies or Supplies(), _nothing)


async def test_t12_the_address_to_call_is_not_in_what_is_kept(peer, client_of, order_of):
    """A provider that echoes the request back does not get the secret in the callback address into a record."""
    secret = "https://me.example/hook/s3cret"
    client, supplies = client_of("acedata"), Supplies(callback_url=secret)
    order = order_of("acedata", "v2")
    escaped = json.dumps({"note": secret}).replace("/", "\\/").encode()
    for status, body in [
        (
            500,
            {"error": {"code": "api_error", "message": f"cannot call {secret}"}, "request": {"callback_url": secret}},
        ),
        (400, {"error": {"code": "bad_request", "message": f"bad callback_url: {secret}"}}),
        (200, escaped),
        (200, {"trace_id": secret}),
        (200, {"task_id": "t", "trace_id": secret, "request": {"callback_url": secret}}),
    ]:
        peer.answers(status, body)
        verdict = await _said(client, order, supplies)
        assert "s3cret" not in repr(verdict), status
    assert all(b"s3cret" in body for _, _, body in peer.requests)


@pytest.mark.parametrize("name", ["video_bGl0/+A==", "../models", "a b?c#d%", "视频"])
@pytest.mark.parametrize("provider", ["openai", "qiniu", "litellm"])
async def test_t21_an_id_is_one_segment_on_the_wire(peer, client_of, provider, name):
    """Whatever an id is made of, the server is asked about that id, and about no other path."""
    peer.answers(200, {"id": name, "status": "queued"})
    await client_of(provider).check(RemoteJob(name, "video"))
    path = peer.requests[0][0].split()[1]
    assert path.startswith("/v1/videos/")
    assert unquote(path.removeprefix("/v1/videos/")) == name
    assert path.count("/") == 3


#: the mode of an order to Qiniu, its model, the answer, and the paths that it goes to and that is asked then
PROTOCOLS = [
    ("video", "sora-2", {"id": "qvideo-1"}, ["/v1/videos", "/v1/videos/qvideo-1"]),
    (
        "veo",
        "veo-3.0-generate-preview",
        {"id": "chatvideo-1"},
        ["/v1/videos/generations", "/v1/videos/generations/chatvideo-1"],
    ),
    (
        "queue-vidu-q1-text",
        "fal-ai/vidu/q1/text-to-video",
        {"request_id": "qvideo-root-1", "status_url": "{host}/queue/fal-ai/vidu/requests/qvideo-root-1/status"},
        ["/queue/fal-ai/vidu/q1/text-to-video", "/queue/fal-ai/vidu/requests/qvideo-root-1/status"],
    ),
]


@pytest.mark.parametrize(("mode", "model", "answer", "paths"), PROTOCOLS, ids=[row[0] for row in PROTOCOLS])
async def test_t26_one_account_speaks_three_protocols(peer, client_of, order_of, mode, model, answer, paths):
    """The mode of an order decides its protocol, is kept with the job, and decides how the job is asked about."""
    host = peer.url.removesuffix("/v1")
    client = client_of("qiniu")
    peer.answers(200, {name: value.format(host=host) for name, value in answer.items()})
    verdict = await _said(client, order_of("qiniu", mode, model=model))
    assert (verdict.job.id, verdict.job.mode) == (next(iter(answer.values())), mode)
    peer.answers(200, {"status": "in_progress"})
    assert (await client.check(verdict.job)).phase is Phase.RUNNING
    assert [line.split()[1] for line, _, _ in peer.requests] == paths
    assert all(headers["authorization"] == f"bearer {KEY}" for _, headers, _ in peer.requests)


async def test_t26_a_job_is_asked_about_in_the_protocol_of_its_order(peer, client_of):
    """Whatever its mode is called or speaks by now, as the job itself remembers."""
    host = peer.url.removesuffix("/v1")
    renamed = RemoteJob("r-1", "a-name-of-old", f"{host}/queue/r-1/status", f"{host}/queue/r-1", contract="fal")
    peer.answers(200, {"status": "COMPLETED", "result": {"video": {"url": "https://cdn/v.mp4"}}})
    assert [link.url for link in (await client_of("qiniu").check(renamed)).links] == ["https://cdn/v.mp4"]
    peer.answers(200, {"id": "chatvideo-1", "status": "Initializing"})
    await client_of("qiniu").check(RemoteJob("chatvideo-1", "video", contract="veo"))
    assert [line.split()[1] for line, _, _ in peer.requests] == [
        "/queue/r-1/status",
        "/v1/videos/generations/chatvideo-1",
    ]


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("/v1", "/queue/m"),
        ("", "/queue/m"),
        ("/qiniu/v1", "/qiniu/queue/m"),
        ("/v1/proxy", "/v1/proxy/queue/m"),
    ],
)
async def test_the_queue_goes_without_the_version(peer, order_of, base, path):
    """Only the ending /v1 of the base URL is dropped for that protocol, wherever the operator put it."""
    peer.answers(200, {"request_id": "r"})
    async with Http() as http:
        client = Client(http, profile_named("qiniu"), peer.url.removesuffix("/v1") + base, KEY)
        await _said(client, order_of("qiniu", "queue-vidu-q1-text", model="m"))
    assert peer.requests[0][0] == f"POST {path} HTTP/1.1"


QUEUED = RemoteJob("qvideo-root-1", "queue-vidu-q1-text")


def _at(peer, job=QUEUED):
    host = peer.url.removesuffix("/v1")
    return replace(job, status_url=f"{host}/queue/r/status", result_url=f"{host}/queue/r")


@pytest.mark.parametrize(
    ("answers", "phase", "links"),
    [
        ([{"status": "IN_PROGRESS"}], Phase.RUNNING, 0),
        ([{"status": "COMPLETED", "result": {"video": {"url": "https://cdn/v.mp4"}}}], Phase.SUCCEEDED, 1),
        ([{"status": "COMPLETED"}, {"video": {"url": "https://cdn/v.mp4"}}], Phase.SUCCEEDED, 1),
        ([{"status": "COMPLETED"}, {"video": None}], Phase.SUCCEEDED, 0),
        ([{"status": "COMPLETED"}, {"something": "else"}], Phase.SUCCEEDED, 0),
        ([{"status": "COMPLETED"}, {"detail": {"msg": "no"}, "video": None}], Phase.FAILED, 0),
        ([{"status": "COMPLETED", "detail": {"msg": "no"}}], Phase.FAILED, 0),
    ],
)
async def test_t27_a_result_that_is_elsewhere_is_asked_for_there(peer, client_of, answers, phase, links):
    """A finished job of the queue may say where its result is; one that has none is completed without a video."""
    for body in answers:
        peer.answers(200, body)
    progress = await client_of("qiniu").check(_at(peer))
    assert (progress.phase, len(progress.links)) == (phase, links)
    paths = ["/queue/r/status", "/queue/r"]
    assert [line.split()[1] for line, _, _ in peer.requests] == paths[: len(answers)]


WHY = {"detail": {"loc": ["body"], "msg": "the prompt was refused", "type": "content_policy_violation"}}


@pytest.mark.parametrize(("status", "body"), [(422, WHY), (200, WHY), (422, {"detail": [WHY["detail"]]})])
async def test_t27_a_failure_that_is_told_at_the_result_is_heard_there(peer, client_of, status, body):
    """The queue calls a failure completed, and says only in the place of the result what went wrong."""
    peer.answers(200, {"status": "COMPLETED"})
    peer.answers(status, body)
    progress = await client_of("qiniu").check(_at(peer))
    told = (progress.phase, progress.word, progress.code, progress.message)
    assert told == (Phase.FAILED, "completed", "content_policy_violation", "the prompt was refused")


@pytest.mark.parametrize("status", [400, 403, 408, 425, 429, 500, 503])
async def test_t27_a_result_that_cannot_be_had_now_ends_no_job(peer, client_of, status):
    """A refusal that is about the query, or about the moment, is asked again."""
    peer.answers(200, {"status": "COMPLETED"})
    peer.answers(status, {"detail": "Request is still in progress"})
    with pytest.raises(ProviderError) as caught:
        await client_of("qiniu").check(_at(peer))
    assert caught.value.passes


@pytest.mark.parametrize(("status", "body"), [(404, {"detail": "not found"}), (200, [])])
async def test_t27_a_result_that_is_not_where_the_profile_says_is_told(peer, client_of, status, body):
    """A job that has ended well is not lost because its result is unknown or unusable: it shows no clip, and says why."""
    peer.answers(200, {"status": "COMPLETED"})
    peer.answers(status, body)
    progress = await client_of("qiniu").check(_at(peer))
    assert (progress.phase, progress.links) == (Phase.SUCCEEDED, ())
    assert progress.missing.words.startswith("its result cannot be had: qiniu ")


async def test_t27_what_is_told_of_a_missing_clip_has_no_key_in_it(peer, client_of):
    """Names at the top of an answer are shown and stored, so a key among them is not."""
    peer.answers(200, {"status": "completed", "id": "j", KEY: 1})
    progress = await client_of("qiniu").check(RemoteJob("j", "video"))
    assert "the answer has status, id, (the key)" in progress.missing.words


async def test_w11_links_at_the_result_that_the_profile_does_not_mean_are_noticed(peer, client_of):
    """A result that shows a clip where nobody looks is paid for, and no empty one."""
    peer.answers(200, {"status": "COMPLETED"})
    peer.answers(200, {"film": {"url": "https://cdn/v.mp4"}})
    progress = await client_of("qiniu").check(_at(peer))
    assert (progress.phase, progress.links, progress.unread) == (Phase.SUCCEEDED, (), True)


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/queue/r/status",
        "http://127.0.0.1:1/queue/r/status",
        "http://169.254.169.254/latest",
        "http://127.0.0.1:99999/x",
        "http://host:port/x",
    ],
)
async def test_t20_the_key_goes_to_the_apis_own_host_only(peer, client_of, address):
    """An address that the provider gave, and that leads to another host, is not asked at all."""
    job = replace(QUEUED, status_url=address)
    with pytest.raises(UnknownJob, match="another host"):
        await client_of("qiniu").check(job)
    job = replace(_at(peer), result_url=address)
    peer.answers(200, {"status": "COMPLETED"})
    with pytest.raises(UnknownJob, match="another host"):
        await client_of("qiniu").check(job)
    assert len(peer.requests) == 1


async def test_t20_what_a_gateway_passes_on_is_asked_at_the_gateway(peer, client_of):
    """An address of the vendor is reached where the operator said: the gateway's key is not for the vendor."""
    vendor = "https://api.qnaigc.com/queue/r-1"
    peer.answers(200, {"status": "COMPLETED"})
    peer.answers(200, {"video": {"url": "https://cdn/v.mp4"}})
    job = replace(QUEUED, status_url=f"{vendor}/status", result_url=vendor)
    assert (await client_of("qiniu").check(job)).phase is Phase.SUCCEEDED
    assert [line for line, _, _ in peer.requests] == ["GET /queue/r-1/status HTTP/1.1", "GET /queue/r-1 HTTP/1.1"]


async def test_a_server_that_needs_no_key_gets_none(peer, order_of):
    """Without a key there is no header, not an empty one."""
    peer.answers(200, {"id": "v"})
    async with Http() as http:
        await _said(Client(http, profile_named("vllm-omni"), peer.url, ""), order_of("vllm-omni"))
    assert "authorization" not in peer.requests[0][1]


async def test_t19_a_form_goes_out_as_one(peer, client_of, order_of):
    """vLLM-Omni takes forms only: every field is a part, the length as text."""
    peer.answers(200, {"id": "video_gen_1", "status": "queued", "created_at": 1})
    verdict = await _said(client_of("vllm-omni"), order_of("vllm-omni", extra={"seed": 5}))
    assert verdict.job.id == "video_gen_1"
    _, headers, body = peer.requests[0]
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (b'name="prompt"\r\n\r\na cat', b'name="seconds"\r\n\r\n4', b'name="seed"\r\n\r\n5'):
        assert part in body


@pytest.mark.parametrize(
    ("since", "ids"), [(None, ["d", "c", "b", "a"]), (datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC), ["d", "c", "b"])]
)
async def test_a_list_is_read_page_by_page(peer, client_of, since, ids):
    """Until there is no more, or what is listed is older than what is looked for; a page that comes again ends it too."""
    pages = [[("d", 4), ("c", 3)], [("b", 2)], [("a", 1)], [("a", 1)]]
    for page in pages:
        peer.answers(200, {"data": [{"id": name, "created_at": at} for name, at in page], "has_more": True})
    assert [listed.job.id for listed in await client_of("openai").list_recent(9, since=since)] == ids
    asked = [request[0].split()[1].partition("?")[2] for request in peer.requests]
    assert asked[:2] == ["limit=9&order=desc", "limit=9&order=desc&after=c"]
    assert len(asked) == (4 if since is None else 2)


@pytest.mark.parametrize("leads", ["/v1/predictions?cursor=2", "?cursor=2", "{base}/predictions?cursor=2"])
async def test_an_address_of_the_next_page_is_asked_at_the_apis_own_host(peer, client_of, leads):
    """Whole or relative; at another host the key is not shown, and the person hears why there is no list."""
    leads = leads.replace("{base}", peer.url)
    for page in (
        {"results": [{"id": "c"}], "next": leads},
        {"results": [{"id": "b"}], "next": "https://elsewhere.example/x"},
    ):
        peer.answers(200, page)
    with pytest.raises(UnknownJob, match="another host"):
        await client_of("replicate").list_recent(9)
    assert [request[0].split()[1] for request in peer.requests] == ["/v1/predictions", "/v1/predictions?cursor=2"]


async def test_a_list_without_an_end_is_left(peer, client_of):
    """Whoever shows one job a page, and always names another, is asked a hundred times."""
    for number in range(101):
        peer.answers(200, {"results": [{"id": f"j{number}"}], "next": f"{peer.url}/v1/predictions?cursor={number}"})
    assert len(await client_of("replicate").list_recent(2_000)) == len(peer.requests) == 100


@pytest.mark.parametrize(
    ("provider", "items", "asked"),
    [
        ("kling", "data", ["pageNum=1", "pageNum=2", "pageNum=3"]),
        ("luma", "generations", ["offset=0", "offset=2", "offset=3"]),
    ],
)
@pytest.mark.parametrize("last", ["empty", "404", "again"])
async def test_a_list_whose_pages_are_counted_is_read_to_its_end(peer, client_of, provider, items, asked, last):
    """Behind the last page some answer with an empty one, some with 404, and some with the same again."""
    for page in ("dc", "b"):
        peer.answers(200, {items: [{"id": name, "task_id": name} for name in page]})
    empty = {items: [{"id": "b", "task_id": "b"}] if last == "again" else []}
    peer.answers(*((404, {"detail": "Invalid page."}) if last == "404" else (200, empty)))
    assert [listed.job.id for listed in await client_of(provider).list_recent(9)] == ["d", "c", "b"]
    assert [request[0].split()[1].partition("&")[2] for request in peer.requests] == asked


@pytest.mark.parametrize(
    ("provider", "line", "answer", "ids"),
    [
        ("openai", "/v1/videos?limit=2&order=desc", {"data": [{"id": "b"}, {"id": "a"}], "has_more": True}, ["b", "a"]),
        ("sglang", "/v1/videos?limit=2&order=desc", {"object": "list", "data": [{"id": "b"}]}, ["b"]),
        ("litellm", "/v1/videos?limit=2&order=desc&custom_llm_provider=openai", {"data": []}, []),
        ("vllm-omni", "/v1/videos?limit=2&order=desc", {"data": [{"id": "b"}, {"status": "x"}, 7, None]}, ["b"]),
        ("openai", "/v1/videos?limit=2&order=desc", {"data": None}, []),
    ],
)
async def test_the_newest_jobs_can_be_listed(peer, client_of, provider, line, answer, ids):
    """With or without pages, and with what the server wants besides; rows without an id are left out."""
    peer.answers(200, answer)
    assert [listed.job.id for listed in await client_of(provider).list_recent(2)] == ids
    assert peer.requests[0][0] == f"GET {line} HTTP/1.1"


@pytest.mark.parametrize(
    "answer", [{"id": "v-1", "object": "video.deleted", "deleted": True}, {"id": "v-1", "status": "deleted"}]
)
async def test_a_video_can_be_deleted(peer, client_of, answer):
    """One request by id; servers differ in what they say."""
    peer.answers(200, answer)
    await client_of("sglang").delete(JOB)
    assert peer.requests[0][0] == "DELETE /v1/videos/v-1 HTTP/1.1"


@pytest.mark.parametrize(
    ("variant", "url"), [("video", "/videos/v-1/content"), ("thumbnail", "/videos/v-1/content?variant=thumbnail")]
)
def test_the_file_is_at_the_servers_content_address(variant, url):
    """The clip without a query, other variants with one; either with the key."""
    link = Client(None, profile_named("openai"), "https://api/v1", KEY).content_link(JOB, variant)
    assert (link.url, link.needs_key) == (f"https://api/v1{url}", True)


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, ProviderUnavailable), (404, UnknownJob), (400, ProviderUnavailable), (500, ProviderUnavailable)],
    ids=["T29", "T30", "400", "500"],
)
@pytest.mark.parametrize("provider", ["openai", "new-api", "sglang", "vllm-omni", "acedata", "acedata-kling"])
async def test_t29_t30_a_refused_query_fails_no_job(peer, client_of, provider, status, error):
    """A key that may not ask, and a server that forgot: both are errors that the watch survives, never a failed job."""
    peer.answers(status, {"detail": "no"})
    job = RemoteJob("v-1", profile_named(provider).modes[0].name)
    with pytest.raises(error) as caught:
        await client_of(provider).check(job)
    assert caught.value.passes


async def test_the_key_is_shown_as_the_profile_says_in_any_contract(peer):
    """Another scheme, further headers, and a name for the attempt: also with the contract of OpenAI."""
    profile = profile_named("openai").model_copy(
        update={
            "auth": Auth(scheme="Key"),
            "headers": {"X-Version": "7"},
            "idempotency_header": "Idempotency-Key",
        }
    )
    peer.answers(200, {"id": "v-1", "status": "queued"})
    peer.answers(200, {"id": "v-1", "status": "queued"})
    async with Http() as http:
        client = Client(http, profile, peer.url, KEY)
        order = Order(provider="openai", mode="video", model="sora-2", prompt="a cat", seconds=4, size="1280x720")
        verdict = await client.submit(order, Supplies(attempt="attempt-1"), _nothing)
        await client.check(verdict.job)
    (_, ordered, _), (_, asked, _) = peer.requests
    assert ordered["authorization"] == asked["authorization"] == f"key {KEY}"
    assert ordered["x-version"] == asked["x-version"] == "7"
    assert (ordered.get("idempotency-key"), asked.get("idempotency-key")) == ("attempt-1", None)


async def test_a_key_in_the_query_is_in_no_message(peer, caplog):
    """It goes out in the address, of files too, and comes back in no error, refusal or log, however it is spelt."""
    secret = "sk/query+0123456789"
    profile = profile_named("openai").model_copy(update={"auth": Auth(by="query", query="key")})
    spelt = "sk%2Fquery%2B0123456789"
    peer.answers(400, {"error": {"code": "bad", "message": f"GET /v1/videos?key={spelt} by {secret} is bad"}})
    peer.answers(302, b"", location=f"https://elsewhere.example/?key={spelt}")
    peer.answers(500, {"error": {"message": f"key={spelt}"}})
    async with Http() as http:
        client = Client(http, profile, peer.url, secret)
        order = Order(provider="openai", mode="video", model="sora-2", prompt="a cat", seconds=4, size="1280x720")
        said = [repr(await client.submit(order, Supplies(), _nothing)) for _ in range(2)]
        for _ in range(2):  # the last finds nobody who answers
            with pytest.raises(ReelbatchError) as error:
                await client.check(RemoteJob("v-1", "video"))
            said.append(str(error.value))
        assert client.keyed("https://a.example/f?alt=media") == f"https://a.example/f?alt=media&key={spelt}"
    assert [f"key={spelt.lower()}" in line.lower() for line, _, _ in peer.requests] == [True] * 4
    assert not any(spelling in text for text in (*said, caplog.text) for spelling in (secret, spelt, spelt.lower()))
