"""Every profile, every mode: planned from a batch file, ordered by the real client, made, fetched and measured.

The sandbox follows the vendors' documents and not the profiles, so each of the two is held against the other; but for
profiles of the contract `described`, which it learns, and which strict_apis.py holds against the vendors' pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from PIL import Image

from pipelines.core.errors import (
    BatchError,
    KeyRefused,
    NoAnswer,
    ProviderUnavailable,
    SlowDown,
    UnknownJob,
    UnusableAnswer,
)
from pipelines.core.outcome import InDoubt, Rejected
from pipelines.providers.profile.describe import contracts
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Phase
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES
from pipelines.sandbox.vendors.qiniu.queue_models import model_at
from tests.pipelines.providers.contract_cases import CLIP, cases_of, pixels_of
from tests.pipelines.providers.desk import PROFILES, contract_in_the_sandbox

CASES = [case for profile in PROFILES.values() for case in cases_of(profile)]
FIRST = {(case.provider, case.mode): case for case in reversed(CASES)}
#: The first of each mode is for `make test`, pictures, remixes and every parameter are for `make test-long`.
EACH = [
    pytest.param(case, id=str(case), marks=[] if FIRST[case.provider, case.mode] is case else [pytest.mark.long])
    for case in CASES
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


def draw_pictures(folder, row, pixels):
    """The local pictures that a row names, of exactly the pixels that are ordered."""
    for name in row.get("image_url", ()):
        if "://" not in name:
            Image.new("RGB", pixels, (40, 90, 160)).save(folder / name, compress_level=1)


def planned(desk, case, clip_id=None):
    """The orders of a case: of its attempts the first that is planned in its mode."""
    said = []
    for attempt in case.attempts:
        row = {name: clip_id if value == CLIP and clip_id else value for name, value in attempt.items()}
        draw_pictures(desk.folder, row, pixels_of(PROFILES[case.provider].mode(case.mode)))
        try:
            orders = desk.plan(*([case.parent] if case.kind == "remix" else []), row)
        except BatchError as error:
            said.append(str(error))
            continue
        if orders[-1].mode == case.mode:
            return orders
        said.append(f"planned as {orders[-1].mode}")
    raise AssertionError("\n".join(said))


def check(media, order):
    """A file is as long and as large as it was ordered, as far as the order says."""
    if order.seconds is not None:
        assert media.duration_s == pytest.approx(order.seconds, abs=0.2)
    shape = (media.width > media.height) - (media.width < media.height)
    if order.pixels() is not None:
        assert (media.width, media.height) == order.pixels()
    elif order.orientation in ("landscape", "portrait", "square"):
        assert shape == {"landscape": 1, "portrait": -1, "square": 0}[order.orientation]


async def clip_id_of(desk, provider, job):
    """What an Ace service calls the clip itself; later orders name it by this."""
    client = desk.client(provider)
    answer = await desk.http.ask(
        "POST",
        f"{desk.sandbox.base_url(provider)}/{client.profile.service}/tasks",
        headers=client.key_header() | {"content-type": "application/json"},
        content=json.dumps({"id": job.id, "action": "retrieve"}).encode(),
    )
    response = json.loads(answer.body)["response"]
    return response["video_id"] if "video_id" in response else response["data"][0]["id"]


@pytest.mark.parametrize("case", EACH)
async def test_every_mode_works(desk, case):
    """An order of each kind is planned in its mode, accepted in its protocol, made, and measures what was ordered."""
    client = desk.client(case.provider)
    if case.kind == "remix":
        parent, order = planned(desk, case)
        job, _ = await desk.made(client, parent)
        _, media = await desk.made(client, order, parent_id=job.id)
        only_prompt = client.profile.mode(case.mode).remix.only_prompt
        check(media, parent if only_prompt else order)
        return
    clip_id = None
    if case.parent is not None:
        job, _ = await desk.made(client, desk.plan(case.parent)[0])
        clip_id = await clip_id_of(desk, case.provider, job)
    (order,) = planned(desk, case, clip_id)
    if case.kind == "parameters":
        await desk.accepted(client, order)
    else:
        _, media = await desk.made(client, order)
        check(media, order)


def queue_paths():
    """The models of Qiniu's queue, as its cookbook names their paths (2.3 of the facts)."""
    kinds, variants = ("text-to-video", "image-to-video", "reference-to-video"), ("", "/pro", "/turbo")
    vidu = [f"vidu/{q}/{kind}{variant}" for q in ("q1", "q2", "q3") for kind in kinds for variant in variants]
    grades = ("pro/", "standard/", "4k/", "")
    versions = ("v2.5-turbo", "v2.6", "v3", "o1", "o3")
    kling = [f"kling-video/{version}/{grade}{kind}" for version in versions for grade in grades for kind in kinds]
    veo = [f"veo3.1/fast/{kind}" for kind in (*kinds, "first-last-frame-to-video")]
    seedance = [f"bytedance/seedance-2.0/{fast}{kind}" for fast in ("", "fast/") for kind in kinds]
    unmade = {f"fal-ai/vidu/q1/image-to-video{variant}" for variant in variants[1:]}  # q1 comes in one variant
    return {*(f"fal-ai/{path}" for path in (*vidu, *kling, *veo)), *seedance} - unmade


async def test_every_model_of_the_queue_can_be_ordered():
    """What the sandbox serves of the documented paths has a mode, and no mode has a model that it does not serve."""
    qiniu = PROFILES["qiniu"]
    offered = {model for mode in qiniu.modes if mode.contract == "fal" for model in mode.models}
    assert offered == {path for path in queue_paths() if model_at(path) is not None}


USUAL_ORDERS = {}  # by provider and contract: planned once


def usual_order(desk, provider, contract=None):
    """A text order in the first mode that speaks a contract."""
    if (provider, contract) not in USUAL_ORDERS:
        texts = [case for case in CASES if (case.provider, case.kind) == (provider, "text")]
        spoken = PROFILES[provider].contract_of
        case = next(case for case in texts if contract in (None, spoken(case.mode)))
        (USUAL_ORDERS[provider, contract],) = planned(desk, case)
    return USUAL_ORDERS[provider, contract]


def who(test):
    """The names of the profiles that something holds for."""
    return [name for name, profile in PROFILES.items() if test(profile)]


@pytest.mark.parametrize("name", who(lambda profile: profile.limits.batch_query > 1))
async def test_many_jobs_can_be_asked_about_at_once(desk, name):
    """One query answers for every job of the service, and leaves out what it does not know."""
    client, order = desk.client(name), usual_order(desk, name)
    jobs = [await desk.accepted(client, order) for _ in range(3)]
    for job in jobs:
        await desk.ended(client, job)
    found = await client.check_many(jobs)
    assert {(job_id, progress.phase) for job_id, progress in found.items()} == {
        (job.id, Phase.SUCCEEDED) for job in jobs
    }


@pytest.mark.parametrize("name", who(lambda profile: "list" in profile.supports))
async def test_the_newest_jobs_can_be_listed(desk, name):
    """The list has the jobs of the account, the newest first."""
    client, order = desk.client(name, "a-new-customer"), usual_order(desk, name)
    jobs = [await desk.accepted(client, order) for _ in range(3)]
    assert [each.job.id for each in await client.list_recent(2)] == [jobs[2].id, jobs[1].id]


@pytest.mark.parametrize("name", who(lambda profile: "delete" in profile.supports))
async def test_a_finished_job_can_be_deleted(desk, name):
    """What was deleted is unknown afterwards."""
    client = desk.client(name)
    job, _ = await desk.made(client, usual_order(desk, name))
    await client.delete(job)
    with pytest.raises(UnknownJob):
        await client.check(job)


@pytest.mark.parametrize("name", who(lambda profile: "variants" in profile.supports))
async def test_a_thumbnail_can_be_had(desk, name):
    """Beside the clip there are its pictures."""
    client = desk.client(name)
    job, _ = await desk.made(client, usual_order(desk, name))
    link = client.content_link(job, "thumbnail")
    assert (await desk.fetched(link.url, client.key_header()))[8:12] == b"WEBP"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a provider refuses an order, and what that means."""

    status: int
    code: str | None
    kind: str | None  # None: in doubt, for something may have been accepted
    form: str = "full"
    message: str = "Something went wrong."

    def effect(self) -> dict[str, object]:
        """What the sandbox is told to do."""
        said = {"status": self.status, "form": self.form, "message": self.message}
        return said | ({"code": self.code} if self.code else {})


#: Ace's documents, 1.5 of the facts; `bare` and `string` are the forms that its pages and its SDK's tests show.
ACE = (
    Refusal(400, "bad_request", "row"),
    Refusal(400, "bad_request", "row", "bare"),
    Refusal(400, None, "row", "string"),
    Refusal(400, "no_token", "key"),
    Refusal(400, "token_mismatched", "key"),
    Refusal(401, "token_mismatched", "key"),
    Refusal(400, "api_not_implemented", "address"),
    Refusal(400, "disabled", "key"),
    Refusal(403, "disabled", "key", "bare"),
    Refusal(401, "invalid_token", "key"),
    Refusal(401, "token_expired", "key"),
    Refusal(402, "insufficient_balance", "funds"),
    Refusal(402, None, "funds", "x402"),
    Refusal(403, "used_up", "funds"),
    Refusal(403, "forbidden", "moderation"),
    Refusal(403, "content_moderation", "moderation"),
    Refusal(403, "never_heard_of", "forbidden"),
    Refusal(404, "no_api", "address"),
    Refusal(413, "request_too_large", "row"),
    Refusal(429, "too_many_requests", "slow_down"),
    Refusal(429, "rate_limited", "slow_down", "bare"),
    Refusal(500, "api_error", None),
    Refusal(500, None, None, "string"),
    Refusal(502, "upstream_error", None),
    Refusal(504, "timeout", None),
    Refusal(504, "upstream_timeout", None),
    Refusal(200, "used_up", "funds"),
    Refusal(200, "task_failed", None),
)
#: OpenAI's classes, 3.3 of the facts; what Qiniu's clients and new-api add, 2.4 and 4.
OPENAI = (
    Refusal(400, None, "row"),
    Refusal(401, None, "key"),
    Refusal(402, None, "funds"),
    Refusal(403, None, "forbidden"),
    Refusal(404, None, "address", message="Invalid URL (POST /v1/videos)"),
    Refusal(404, None, "row", message="The model does not exist."),
    Refusal(408, None, None),
    Refusal(409, None, None),
    Refusal(413, None, "row"),
    Refusal(422, None, "row"),
    Refusal(429, None, "slow_down"),
    Refusal(500, None, None),
    Refusal(502, None, None),
    Refusal(503, None, None),
    Refusal(504, None, None),
    Refusal(400, None, "moderation", message="Rejected by the moderation system."),
)
CODED = (
    Refusal(400, "moderation_blocked", "moderation"),
    Refusal(429, "insufficient_quota", "funds"),
    Refusal(403, "insufficient_user_quota", "funds"),
    Refusal(402, "insufficient_balance", "funds"),
)
QINIU = (
    Refusal(400, None, "row", message="no available channels for model sora-2"),
    Refusal(503, None, "row", message="There are no available channels for model sora-2 here."),
)
QUEUE = (
    Refusal(422, "value_error", "row", "detail"),
    Refusal(401, None, "key", "detail"),
    Refusal(429, None, "slow_down", "detail"),
    Refusal(500, None, None, "detail"),
)
#: What the vendors that the sandbox plays from their own pages answer, each with a status, code and words of its own.
HOSTED = (
    Refusal(400, None, "row"),
    Refusal(401, "wrong_key", "key"),
    Refusal(402, "no_money", "funds"),
    Refusal(404, "model", "row", message="The model does not exist."),
    Refusal(429, None, "slow_down"),
    *(Refusal(status, None, None) for status in (500, 502, 503, 504)),
)


def refusals_of(profile: Profile, contract: str) -> tuple[Refusal, ...]:
    """What one contract of a profile can be refused with."""
    if profile.name in HOSTED_NAMES:
        return HOSTED
    if contract == "described":
        return OPENAI + tuple(Refusal(400, code, kind) for code, kind in profile.errors.items())
    rows = ACE if contract == "acedata" else OPENAI
    rows += CODED if contract != "acedata" and profile.errors else ()  # a server of one's own has no such codes
    rows += QINIU if profile.name == "qiniu" else ()
    return rows + (QUEUE if contract == "fal" else ())


SPOKEN = [(name, contract) for name, profile in PROFILES.items() for contract in contracts(profile)]


@pytest.mark.parametrize(("name", "contract"), SPOKEN)
async def test_every_refusal_is_understood(desk, name, contract):
    """A refusal says who must act; whatever may have been accepted, and billed, is in doubt."""
    client, order = desk.client(name), usual_order(desk, name, contract)
    match = {"route": "submit", "contract": contract_in_the_sandbox(client.profile)}
    refusals = refusals_of(client.profile, contract)
    desk.faults(*({"match": match | {"nth": [n]}, "do": each.effect()} for n, each in enumerate(refusals, 1)))
    for refusal in refusals:
        verdict = await desk.submit(client, order)
        if refusal.kind is None:
            assert isinstance(verdict, InDoubt), (refusal, verdict)
        else:
            assert isinstance(verdict, Rejected), (refusal, verdict)
            assert verdict.kind == refusal.kind, (refusal, verdict)


QUERIES = [
    ({"status": 401}, KeyRefused),
    ({"status": 403}, (ProviderUnavailable, KeyRefused)),  # of a vendor whose word is that the key may not
    ({"status": 404, "code": "task_not_found"}, UnknownJob),
    ({"status": 410}, UnknownJob),
    ({"status": 429}, SlowDown),
    ({"status": 500}, ProviderUnavailable),
    ({"status": 504}, ProviderUnavailable),
    ({"cut": "after"}, NoAnswer),
    ({"body": "truncated"}, (NoAnswer, UnusableAnswer)),
    ({"body": "malformed"}, UnusableAnswer),
    ({"body": "html"}, UnusableAnswer),
    ({"body": "empty"}, UnusableAnswer),
]


@pytest.mark.parametrize(("name", "contract"), SPOKEN)
async def test_every_answer_to_a_query_is_understood(desk, name, contract):
    """A query that fails is no end of a job, in any contract: it is said what is the matter, and asked again later."""
    client = desk.client(name)
    match = {"route": "status", "contract": contract_in_the_sandbox(client.profile)}
    job = await desk.accepted(client, usual_order(desk, name, contract))
    desk.faults(*({"match": match | {"nth": [n]}, "do": effect} for n, (effect, _) in enumerate(QUERIES, 1)))
    for _, error in QUERIES:
        with pytest.raises(error):
            await client.check(job)
    desk.faults()
    assert (await desk.ended(client, job)).phase is Phase.SUCCEEDED


OUTCOMES = ("generation_failed", "moderation_blocked", "no_videos")


@pytest.mark.parametrize(("name", "contract"), SPOKEN)
async def test_every_end_without_a_clip_is_understood(desk, name, contract):
    """A job that fails says so, with its reason; one that shows no clip fails too, or leads to none."""
    client, order = desk.client(name), usual_order(desk, name, contract)
    match = {"route": "submit", "contract": contract_in_the_sandbox(client.profile)}
    desk.faults(*({"match": match | {"nth": [n]}, "do": {"outcome": each}} for n, each in enumerate(OUTCOMES, 1)))
    jobs = [(outcome, await desk.accepted(client, order)) for outcome in OUTCOMES]
    for outcome, job in jobs:
        progress = await desk.ended(client, job)
        for link in progress.links:  # a server's own content address, which is the same for every job
            assert (await desk.http.ask("GET", link.url, headers=client.key_header())).status in (400, 404)
        if outcome != "no_videos":
            assert progress.phase is Phase.FAILED, (outcome, progress)
            assert progress.message or progress.code or progress.word, (outcome, progress)
