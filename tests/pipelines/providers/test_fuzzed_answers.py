"""Answers that no document foresees. `make fuzz` gives each law 20,000 of them; the suite gives it a few hundred."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from datetime import datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.core.errors import KeyRefused, ProviderError, TransportError, UnusableAnswer
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.http import Answer, Http
from pipelines.providers.client import CONTRACTS, Client
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.protocol import Phase, Progress, Supplies
from pipelines.providers.responses.submission import classify

MANY = int(os.environ.get("REELBATCH_FUZZ", "200"))
#: What is drawn is the same in every run, and differs under `make fuzz` only.
ALIKE = {"derandomize": "REELBATCH_FUZZ" not in os.environ, "deadline": None, "database": None}
ALIKE["suppress_health_check"] = list(HealthCheck)
fuzz = settings(max_examples=MANY, **ALIKE)
fuzz_over_http = settings(max_examples=max(60, MANY // 10), **ALIKE)

PROFILES = shipped_profiles()
MODES = [(profile, mode) for profile in PROFILES.values() for mode in profile.modes]

#: What vendors really answer; the fuzzer bends these, since pure noise never gets far into a parser.
SHAPES = [
    {"id": "video_1", "object": "video", "status": "queued", "progress": 0, "seconds": "4", "size": "1280x720"},
    {"id": "video_1", "status": "completed", "completed_at": 1758941485, "expires_at": 1758945085, "error": None},
    {"id": "video_1", "status": "failed", "error": {"code": "moderation_blocked", "message": "no"}},
    {"id": "qvideo-u-1", "status": "completed", "task_result": {"videos": [{"url": "https://a.b/1.mp4?e=1767058636"}]}},
    {"id": "chatvideo-1", "status": "Completed", "data": {"videos": [{"url": "https://a.b/1.mp4"}]}},
    {"id": "chatvideo-1", "status": "Completed", "data": {"videos": [], "raiMediaFilteredCount": 1}},
    {
        "request_id": "qvideo-root-1",
        "status": "IN_QUEUE",
        "status_url": "https://a.b/s",
        "response_url": "https://a.b/r",
    },
    {"status": "COMPLETED", "result": {"video": {"url": "https://a.b/1.mp4"}}},
    {"video": {"url": "https://a.b/1.mp4", "content_type": "video/mp4"}},
    {"task_id": "t-1", "success": True, "trace_id": "tr"},
    {"success": True, "data": {"task_id": "t-1"}},
    {"id": "t-1", "response": None},
    {"id": "t-1", "response": {"success": True, "data": [{"state": "succeeded", "video_url": "https://a.b/1.mp4"}]}},
    {"id": "t-1", "response": {"success": False, "error": {"code": "api_error", "message": "m"}}, "finished_at": 17.5},
    {"id": "t-1", "response": {"state": "succeed", "video_url": "https://a.b/1.mp4", "duration": "5.041"}},
    {"id": "t-1", "response": {"data": {"status": "succeeded", "content": {"video_url": "https://a.b/1.mp4"}}}},
    {"items": [{"id": "t-1", "response": None}], "count": 1},
    {"success": False, "error": {"code": "used_up", "message": "m"}, "trace_id": "tr"},
    {"success": False, "task_id": "t-1", "error": {"code": "rate_limited", "message": "m"}, "trace_id": "tr"},
    {"code": 0, "message": "SUCCEED", "data": {"task_id": "t-1", "task_status": "submitted"}},
    {"code": 1303, "message": "parallel task over resource pack limit", "data": {"task_id": "t-1"}},
    {"output": {"task_id": "t-1", "task_status": "FAILED", "code": "DataInspectionFailed", "message": "m"}},
    {"task_id": "t-1", "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
    {"name": "models/veo/operations/1", "error": {"code": 403, "status": "PERMISSION_DENIED", "message": "m"}},
    {"error": "a bare string"},
    {"error": {"message": "m", "type": "invalid_request_error", "code": None}},
    {"detail": "Not Found"},
    {"detail": {"msg": "m"}},
    {"code": 400, "message": "no available channels for model x"},
]
KEYS = sorted({key for shape in SHAPES for key in shape} | {"state", "videos", "url", "video_url", "code", "message"})
WORDS = ["queued", "completed", "failed", "succeed", "ERROR", "IN_PROGRESS", "deleted", "unknown", "", "\x00", "🎬"]
CODES = [*sorted({code for profile in PROFILES.values() for code in profile.errors}), "no_such_code"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from([*WORDS, *CODES, "https://a.b/c.mp4", "javascript:alert(1)", "http://[::1", "//x", "e" * 5000])
    | st.text(max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def documents(draw):
    """A real answer with some of its values, at any depth, put in for others, taken away or added."""
    document = json.loads(json.dumps(draw(st.sampled_from(SHAPES))))
    for _ in range(draw(st.integers(0, 3))):
        place = document
        while isinstance(place, dict) and place:
            key = draw(st.sampled_from(sorted(place)))
            if isinstance(place[key], dict) and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place[key], list) and place[key] and isinstance(place[key][0], dict) and draw(st.booleans()):
                place = place[key][0]
                continue
            if draw(st.integers(0, 3)) == 0:
                del place[key]
            else:
                place[key] = draw(VALUES)
            break
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=2)):
        document[key] = draw(VALUES)
    return document


@st.composite
def bodies(draw):
    """Mostly JSON objects; also other JSON, cut or bent bytes, and noise."""
    content = json.dumps(draw(documents() | VALUES)).encode()
    bent = draw(st.integers(0, 9))
    if bent == 0:
        return content[: draw(st.integers(0, len(content)))]
    if bent == 1:
        place = draw(st.integers(0, len(content)))
        return content[:place] + draw(st.binary(max_size=4)) + content[place:]
    return draw(st.binary(max_size=60)) if bent == 2 else content


STATUSES = st.sampled_from(
    [200, 200, 200, 201, 202, 204, 302, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 425]
) | (st.integers(100, 599) | st.sampled_from([429, 499, 500, 502, 503, 504, 520, 524]))
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "openai-poll-after-ms", "x-request-id", "x-should-retry"]),
    st.sampled_from(
        ["1", "-1", "nan", "inf", "1e400", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct", "", "9" * 400, "a b"]
    ),
    max_size=2,
)
ANSWERS = st.builds(Answer, STATUSES, HEADERS, bodies(), st.booleans() | st.just(value=True))


#: Where an accepted job's id stands, by contract; a described one says it itself.
IDS = {"openai": ("id", "task_id"), "acedata": ("task_id",), "veo": ("id",), "fal": ("request_id",)}
#: What a fault is about where an order was not even begun: who pays, how fast, and what was asked for.
NOTHING_BEGUN = {"key", "funds", "slow_down", "row"}
REFUSALS = {*range(400, 407), 410, 411, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451}


def may_be_billed(answer: Answer, profile, contract: str) -> bool:
    """The oracle, written without a look at the code: whether a charge cannot be ruled out by this answer.

    HTTP says who did not act: those 4xx that refuse, and a redirect to another server (none of these is one). 408, 409,
    425 and unassigned ones may come from a proxy after the request went through, as any 5xx may, unless it says words by
    which this provider rules it out. Whatever names a job may have begun it. A 2xx that is complete, names a known fault
    and has no id is a refusal in an envelope. With an id it is one only where the vendor says `success: false` and, in an
    error object, a code by which nothing can have been begun.
    """
    if not answer.complete or 300 <= answer.status < 400:
        return True
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and not 200 <= answer.status < 300 and any(map(_is_id, _ids(body, profile, contract))):
        return True
    if answer.status in REFUSALS:
        return False
    if not isinstance(body, dict) or (answer.status < 500 and not 200 <= answer.status < 300):
        return True
    sure = any(words.encode() in answer.body.lower() for words in profile.refusals)
    if answer.status >= 500:
        return profile.on_server_error == "in_doubt" and not sure
    error = body["error"] if isinstance(body.get("error"), dict) else body
    codes = {str(error.get(name)).strip() for name in ("code", "type")}
    codes |= {str(_at(body, place)).strip() for place in (profile.answers.error_code if profile.answers else ())}
    known = codes & set(profile.errors)
    if not any(_is_id(value) for value in _ids(body, profile, contract)):
        return not (known or sure)
    code = str(body["error"].get("code")).strip() if isinstance(body.get("error"), dict) else ""
    return body.get("success") is not False or profile.errors.get(code) not in NOTHING_BEGUN


def _at(body: object, place: str) -> object:
    """What stands at a place of names alone, such as `data.task_id`."""
    for name in place.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _ids(body, profile, contract: str) -> list[object]:
    if contract == "described":
        return [_at(body, profile.id_path)]
    nested = body["data"].get("task_id") if contract == "acedata" and isinstance(body.get("data"), dict) else None
    return [nested, *(body.get(name) for name in IDS[contract])]


def _is_id(value: object) -> bool:
    return (isinstance(value, str) and value.strip().isprintable() and 0 < len(value.strip()) <= 1000) or type(
        value
    ) is int


@given(st.sampled_from(MODES), ANSWERS)
@fuzz
def test_what_may_be_billed_is_never_called_rejected(where, answer):
    """Whatever comes back on a paid submission: one of three verdicts, and `rejected` only where no charge can be."""
    profile, mode = where
    verdict = classify(answer, profile, CONTRACTS[profile.contract_of(mode.name)])

    assert isinstance(verdict, Accepted | Rejected | InDoubt)
    if isinstance(verdict, Rejected):
        assert not may_be_billed(answer, profile, profile.contract_of(mode.name))
        assert verdict.message.isprintable()
    if isinstance(verdict, Accepted):
        assert answer.complete
        assert 200 <= answer.status < 300
        assert verdict.job.id.isprintable()
        assert 0 < len(verdict.job.id) <= 1000


@given(st.sampled_from(MODES), documents())
@fuzz
def test_every_status_answer_can_be_read(where, document):
    """Any JSON object gives a progress whose words can be shown and stored, and whose links lead to http addresses."""
    profile, mode = where
    contract = CONTRACTS[profile.contract_of(mode.name)]
    job = RemoteJob("t-1", mode.name, "https://a.b/s", "https://a.b/r")
    progress = contract.read_progress(document, job, profile, "https://api.example/v1")

    assert isinstance(progress, Progress)
    assert progress.phase in Phase
    assert progress.phase is Phase.SUCCEEDED or not progress.links
    assert all(link.url.startswith(("http://", "https://")) and link.url.isprintable() for link in progress.links)
    assert all(words is None or words.isprintable() for words in (progress.word, progress.code, progress.message))
    assert progress.completed_at is None or isinstance(progress.completed_at, datetime)
    if profile.limits.batch_query:
        with suppress(UnusableAnswer):  # it is no answer about many
            found = contract.read_batch(document, [job], profile, "")
            assert all(isinstance(each, Progress) for each in found.values())


class _Line:
    """A server that answers with whatever bytes it was told, then hangs up."""

    def __init__(self) -> None:
        self.answer = b""

    async def serve(self, reader, writer) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
            length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
            await reader.readexactly(length)
            writer.write(self.answer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


@st.composite
def raw_answers(draw):
    """What goes over the line: a status line, perhaps bent, headers, perhaps lying about the length, and a body."""
    body = draw(bodies())
    status = draw(st.integers(200, 599))
    length = len(body) + draw(st.sampled_from([0, 0, 0, 0, 5, -1]))
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {max(0, length)}\r\n".encode()
    extra = b"".join(f"{name}: {value}\r\n".encode() for name, value in draw(HEADERS).items())
    whole = head + extra + b"connection: close\r\n\r\n" + body
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.integers(0, 4)) == 0 else whole


@given(st.data())
@fuzz_over_http
def test_the_client_survives_every_line(data):
    """Over a real connection: a submission ends in a verdict, a status query in a progress or an error of our tree."""
    profile, mode = data.draw(st.sampled_from(MODES))
    first, second = data.draw(raw_answers()), data.draw(raw_answers())

    async def talk():
        line = _Line()
        server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            async with Http() as http:
                client = Client(http, profile, url, "sk-canary-0123456789")
                order = Order(provider=profile.name, mode=mode.name, model=mode.models[0], prompt="a cat")
                line.answer = first
                verdict = await client.submit(order, Supplies(), _nothing)
                assert isinstance(verdict, Accepted | Rejected | InDoubt)
                line.answer = second
                with suppress(ProviderError, TransportError, KeyRefused):
                    job = RemoteJob("t-1", mode.name, f"{url}/status", f"{url}/result")
                    assert isinstance(await client.check(job), Progress)
        finally:
            server.close()
            await server.wait_closed()

    asyncio.run(talk())


async def _nothing() -> None:
    """Nothing to write down before the first byte."""
