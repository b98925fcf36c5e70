"""What a profile makes of a sample order and of sample answers, before anybody pays for finding out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from pipelines.core.errors import NoAnswer, NotSent, ReelbatchError, SetupError
from pipelines.core.image import Image, LocalImage
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, Rejected
from pipelines.net.http import Answer, Http
from pipelines.providers.client import CONTRACTS, Client
from pipelines.providers.contracts.described import path_about, template_of
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Parameter
from pipelines.providers.protocol import Link, Phase, Progress, Supplies
from pipelines.providers.responses import json_values
from pipelines.providers.responses.status import readable
from pipelines.providers.responses.submission import classify
from pipelines.run.accounts import Account
from pipelines.run.options import RunOptions
from pipelines.run.rehearsal import rehearsed

_KEY, _SHOWN = "KEY-OF-YOURS", "(the key)"
_JOB, _RESULT = "JOB-ID", "RESULT-ID"
_OK = 200
_MOST_QUERIES, _BETWEEN_S = 300, 0.1  # in a rehearsal
_LONG = 300  # characters of a value, such as a picture's, that are shown
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_ADDRESS = "https://example.com/picture-{}.png"
_CALLBACK = "https://example.com/call"
_VALUES: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "list": ["text"],
    "json": {},
}


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as it would leave, with the key hidden."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str = ""


class _Caught(Http):
    """Keeps what it is given, and sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[SentRequest] = []

    async def submit(  # as the base has it
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes,
        before_first_byte: Callable[[], Awaitable[None]],
        deadline_s: float = 0,
    ) -> NoReturn:
        del before_first_byte, deadline_s
        self.caught.append(SentRequest("POST", url, headers, content.decode("utf-8", "replace")))
        raise NotSent("it is only shown")

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        deadline_s: float = 0,
        most_bytes: int = 0,
    ) -> NoReturn:
        del deadline_s, most_bytes
        self.caught.append(SentRequest(method, url, headers, (content or b"").decode()))
        raise NoAnswer("it is only shown")


def sample_order(profile: Profile, mode: Mode, *, full: bool = False) -> Order:
    """An order of a mode as a row that says little makes it; or, in full, with everything that the mode takes."""
    usual = mode.default_model or profile.default_model
    model = usual if usual in mode.models else mode.models[0]
    given = {name: rule for name, rule in mode.parameters.items() if full or rule.required}
    taken = {name: rule for name, rule in given.items() if not rule.models or model in rule.models}
    addresses = "url" in mode.images.forms
    count = mode.images.most if full else mode.images.least
    return Order(
        provider=profile.name,
        mode=mode.name,
        fixed=mode.fixed,
        model=model,
        prompt="a fox in the snow",
        seconds=mode.seconds.default if mode.seconds is not None else None,
        size=mode.size.default if mode.size is not None else None,
        orientation=mode.orientation.default if mode.orientation is not None else None,
        image_urls=tuple(_ADDRESS.format(n) if addresses else f"picture-{n}.png" for n in range(1, count + 1)),
        extra={rule.field or name: sample_value(rule) for name, rule in taken.items()},
    )


def sample_value(rule: Parameter) -> Any:
    """A value that a parameter takes."""
    if rule.allowed:
        return [rule.allowed[0]] if rule.type == "list" else rule.allowed[0]
    if rule.type in ("integer", "number") and rule.least is not None:
        return int(rule.least) if rule.type == "integer" else rule.least
    return _VALUES[rule.type]


async def requests_of(profile: Profile, order: Order, *, callback: bool = True) -> list[SentRequest]:
    """The requests that an order comes to: that which buys it, that which asks about it, and that for its result.

    The last only where it is one of its own. None of them is sent.
    """
    local = LocalImage("picture.png", "image/png", _PICTURE, 1, 1)
    images: tuple[Image, ...] = tuple(url if "://" in url else local for url in order.image_urls)
    supplies = Supplies(images, _JOB if order.remix_of else None, _CALLBACK if callback else None, "ATTEMPT-NAME")
    http = _Caught()
    client = Client(http, profile, profile.base_url, profile.auth.key_for(_KEY))
    auth = profile.auth
    scheme = "Basic" if auth.by == "basic" else auth.scheme
    hidden = f"{scheme} {'(a token that the key signs)' if auth.by == 'jwt' else _SHOWN}".strip()
    proof = dict.fromkeys(client.key_header(), hidden)
    told = profile.answers
    status_url = (
        None if told is None or told.status_url is None else f"{profile.base_url}/(the address in {told.status_url})"
    )
    result_url = (
        None if told is None or told.result_url is None else f"{profile.base_url}/(the address in {told.result_url})"
    )
    job = RemoteJob(_JOB, order.mode, status_url, result_url, profile.contract_of(order.mode))
    with suppress(NotSent):
        await client.submit(order, supplies, _nothing)
    if not http.caught:
        raise SetupError(
            f"A sample order of the mode {order.mode} cannot be sent: a word of it cannot stand in the path."
        )
    words = {"id": _JOB, "result_id": _RESULT, "model": order.model, "app": order.model}
    result = result_url or path_about(words, template_of("result", profile, order.mode), profile)
    for address in (job.status_url, result) if result else (job.status_url,):
        with suppress(ReelbatchError):  # it was caught, or there is no such request
            await client.check(replace(job, status_url=address))
    await http.__aexit__(None, None, None)
    return [
        SentRequest(
            each.method,
            each.url.replace(f"{auth.query}={_KEY}", f"{auth.query}={_SHOWN}"),
            {**each.headers, **proof},
            each.body,
        )
        for each in http.caught
    ]


async def _nothing() -> None:
    """Nothing is sent here."""


def request_lines(request: SentRequest) -> Iterator[str]:
    """A request as a person reads it; what is long, such as a picture, is cut."""
    yield f"{request.method} {request.url}"
    yield from (f"{name}: {value}" for name, value in request.headers.items())
    if request.body:
        try:
            body = json.loads(request.body)
        except ValueError:
            yield "(a form, with a file or with text in it)"
        else:
            yield json.dumps(_cut(body), ensure_ascii=False, indent=2)


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner) for inner in value]
    return f"{value[:_LONG]}..." if isinstance(value, str) and len(value) > _LONG else value


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood of a sample answer."""

    as_order: str  # as the answer to an order
    as_query: str  # as the answer to a query
    as_result: str = ""  # as the result of a job that has ended, where that is a request of its own
    unknown_words: tuple[str, ...] = ()  # that the profile does not know, so that they mean running
    progress: Progress | None = field(default=None)


def read_sample(profile: Profile, mode: Mode, body: bytes, status: int = _OK) -> Reading:
    """Read an answer as the client would, once as that to an order and once as that to a query."""
    contract = CONTRACTS[profile.contract_of(mode.name)]
    answer = Answer(status, {}, body)
    verdict = classify(answer, profile, contract)
    if isinstance(verdict, Accepted):
        job = verdict.job
        places = [
            f"; ask at {job.status_url}" if job.status_url else "",
            f"; result at {job.result_url}" if job.result_url else "",
        ]
        as_order = f"accepted, as job {job.id}{''.join(places)}"
    elif isinstance(verdict, Rejected):
        job, as_order = (
            RemoteJob(_JOB),
            f"refused ({verdict.kind}): {verdict.message} ({verdict.code}); nothing was bought",
        )
    else:
        job, as_order = RemoteJob(_JOB), f"in doubt: {verdict.reason}; it would not be sent again by itself"
    asked = RemoteJob(job.id, mode.name, job.status_url, job.result_url, profile.contract_of(mode.name))
    try:
        read = readable(answer, profile)
        progress = contract.read_progress(read, asked, profile, profile.base_url)
    except ReelbatchError as error:
        body_read = json_values.parse(body) or {}
        return Reading(as_order, f"no news of a job: {error}", _as_result(body_read, asked, profile))
    known = progress.word in profile.words or not progress.word or profile.status_path is None
    unknown = () if known or profile.answers is None else (progress.word,)
    return Reading(as_order, _told(progress, profile), _as_result(read, asked, profile), unknown, progress)


def _as_result(body: Mapping[str, Any], job: RemoteJob, profile: Profile) -> str:
    """What an answer says at the address of a result, which has no word of its own."""
    told = profile.answers
    apart = told is not None and (told.result_url is not None or template_of("result", profile, job.mode))
    if not apart:
        return ""
    word = next((word for word, phase in profile.words.items() if phase == "succeeded"), "done")
    described = CONTRACTS["described"]
    ended = described.with_word(body, word, profile)
    progress = described.read_progress(ended, job, profile, profile.base_url)
    says_something = progress.links or progress.unread or progress.phase is Phase.FAILED
    return _told(replace(progress, result_url=None), profile) if says_something else ""


def _told(progress: Progress, profile: Profile) -> str:
    said = [f"{progress.phase.value}{f' ({progress.word!r})' if progress.word else ''}"]
    if progress.phase in (Phase.FAILED, Phase.CANCELLED):
        said.append(f"{progress.message or 'no reason given'} ({progress.code or 'no code'})")
        said.append(f"charged: {profile.billed_for(progress.code)}")
    said += [_where(link) for link in progress.links]
    if progress.result_url is not None:
        said.append(f"its result is asked for at {progress.result_url}")
    elif progress.phase is Phase.SUCCEEDED and not progress.links:
        said.append("and no file where `results` looks" + (", though there are links in it" if progress.unread else ""))
    for name in ("seconds", "size", "completed_at", "trace_id"):
        if (value := getattr(progress, name)) is not None:
            said.append(f"{name} {value}")
    return "; ".join(said)


def _where(link: Link) -> str:
    if link.data is not None:
        return f"the file itself, {len(link.data):,} bytes"
    return f"file at {link.url}{' (with the key)' if link.needs_key else ''}"


async def rehearse_sample(profile: Profile, folder: Path) -> list[tuple[str, str]]:
    """Buy one clip of each mode from a sandbox that plays the profile, wait for it and fetch it. Nothing is paid.

    Args:
        profile: of anybody.
        folder: for what the sandbox needs; it may be thrown away afterwards.

    Returns:
        Each mode, and what became of its order.

    Raises:
        SetupError: the sandbox did not start.
    """
    here = Account(profile, profile.base_url, "", trusted=True)
    options = RunOptions(rehearse=True, latency="0.2")
    async with AsyncExitStack() as stack:
        (account,) = await rehearsed(stack, [here], folder, options)
        http = await stack.enter_async_context(Http())
        client = Client(http, profile, account.base_url, account.key, trusted=True)
        return [(mode.name, await _made(client, http, sample_order(profile, mode))) for mode in profile.modes]


async def _made(client: Client, http: Http, order: Order) -> str:
    local = LocalImage("picture.png", "image/png", _PICTURE, 1, 1)
    images: tuple[Image, ...] = tuple(url if "://" in url else local for url in order.image_urls)
    verdict = await client.submit(order, Supplies(images, attempt="rehearsal"), _nothing)
    if not isinstance(verdict, Accepted):
        said = verdict.message if isinstance(verdict, Rejected) else verdict.reason
        return f"not accepted: {said}"
    for _ in range(_MOST_QUERIES):
        progress = await client.check(verdict.job)
        if progress.phase is not Phase.RUNNING:
            break
        await asyncio.sleep(_BETWEEN_S)
    if progress.phase is not Phase.SUCCEEDED or not progress.links:
        return f"accepted as {verdict.job.id}, and then {_told(progress, client.profile)}"
    link = progress.links[0]
    if link.data is not None:
        return f"accepted as {verdict.job.id}, made, and read: {len(link.data):,} bytes"
    shown = client.key_header() if link.needs_key else None
    url = client.keyed(link.url) if link.needs_key else link.url
    async with http.fetch(url, headers={}, key_header=shown, trusted=client.trusted) as file:
        size = sum([len(chunk) async for chunk in file.chunks])
        return f"accepted as {verdict.job.id}, made, and fetched: {size:,} bytes (HTTP {file.status})"


def sample_answer(text: str) -> tuple[int, bytes]:
    """The HTTP status and the body of an answer in a file: `FILE`, or `STATUS:FILE` where it is not 200.

    Raises:
        SetupError: there is no such file, or no JSON object in it.
    """
    status, colon, name = text.partition(":")
    is_status = bool(colon) and status.isdecimal() and len(status) == len(str(_OK))
    path = Path(name if is_status else text)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from None
    if json_values.parse(body) is None:
        raise SetupError(f"{path} holds no JSON object. Paste the body of an answer into it.")
    return int(status) if is_status else _OK, body
