"""What a profile makes of a sample order, and a rehearsal of it, before anybody pays for finding out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote_plus

from pipelines.actions.sample_answers import JOB, told_of
from pipelines.core.errors import NoAnswer, NotSent, ReelbatchError, SetupError
from pipelines.core.image import Image, LocalImage
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, Rejected
from pipelines.net.http import Http
from pipelines.providers.client import URLENCODED, Client
from pipelines.providers.contracts.described import path_about, template_of
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Parameter
from pipelines.providers.protocol import Phase, Supplies
from pipelines.run.accounts import Account
from pipelines.run.options import RunOptions
from pipelines.run.rehearsal import rehearsed

_KEY, _SHOWN = "KEY-OF-YOURS", "(the key)"
_RESULT = "RESULT-ID"
_OK = 200
_MOST_QUERIES, _BETWEEN_S = 300, 0.1  # in a rehearsal
_LONG = 300  # characters of a value, such as a picture's, that are shown
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_PICTURE_SHOWN = "(picture.png in base64)"
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


async def requests_of(
    profile: Profile, order: Order, *, callback: bool = True, base_url: str | None = None
) -> list[SentRequest]:
    """The requests that an order comes to: that which buys it, that which asks about it, and that for its result.

    The last only where it is one of its own; behind it that which cancels, where there is one. None of them is sent.

    Args:
        profile: of whom it is bought.
        order: such as a sample.
        callback: with an address to call, where the profile knows a place for one.
        base_url: the address that counts; None: that of the profile.
    """
    base_url = base_url or profile.base_url
    local = LocalImage("picture.png", "image/png", _PICTURE, 1, 1)
    images: tuple[Image, ...] = tuple(url if "://" in url else local for url in order.image_urls)
    supplies = Supplies(images, JOB if order.remix_of else None, _CALLBACK if callback else None, "ATTEMPT-NAME")
    http = _Caught()
    client = Client(http, profile, base_url, profile.auth.key_for(_KEY))
    auth = profile.auth
    scheme = "Basic" if auth.by == "basic" else auth.scheme
    hidden = f"{scheme} {'(a token that the key signs)' if auth.by == 'jwt' else _SHOWN}".strip()
    proof = dict.fromkeys(client.key_header(), hidden)
    told = profile.answers
    status_url = None if told is None or told.status_url is None else f"{base_url}/(the address in {told.status_url})"
    result_url = None if told is None or told.result_url is None else f"{base_url}/(the address in {told.result_url})"
    job = RemoteJob(JOB, order.mode, status_url, result_url, profile.contract_of(order.mode))
    with suppress(NotSent):
        await client.submit(order, supplies, _nothing)
    if not http.caught:
        raise SetupError(
            f"A sample order of the mode {order.mode} cannot be sent: a word of it cannot stand in the path."
        )
    words = {"id": JOB, "result_id": _RESULT, "model": order.model, "app": order.model}
    result = result_url or path_about(words, template_of("result", profile, order.mode), profile)
    for address in (job.status_url, result) if result else (job.status_url,):
        with suppress(ReelbatchError):  # it was caught, or there is no such request
            await client.check(replace(job, status_url=address))
    with suppress(ReelbatchError):
        await client.cancel(job, order)
    await http.__aexit__(None, None, None)
    picture = base64.b64encode(_PICTURE).decode()
    return [
        SentRequest(
            each.method,
            each.url.replace(f"{auth.query}={_KEY}", f"{auth.query}={_SHOWN}"),
            {**each.headers, **proof},
            each.body.replace(picture, _PICTURE_SHOWN).replace(quote_plus(picture), quote_plus(_PICTURE_SHOWN)),
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
            if request.headers.get("content-type") == URLENCODED:  # one line a field, decoded
                yield from (f"{name}={_cut(value)}" for name, value in parse_qsl(request.body, keep_blank_values=True))
            else:
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
class Rehearsed:
    """What became of a mode's sample order in a rehearsal."""

    mode: str
    says: str
    made: bool  # there was a clip at the end


async def rehearse_sample(profile: Profile, folder: Path) -> list[Rehearsed]:
    """Buy one clip of each mode from a sandbox that plays the profile, wait for it and fetch it. Nothing is paid.

    Args:
        profile: of anybody.
        folder: for what the sandbox needs; it may be thrown away afterwards.

    Returns:
        What became of the order of each mode.

    Raises:
        SetupError: the sandbox did not start.
    """
    here = Account(profile, profile.base_url, "", trusted=True)
    options = RunOptions(rehearse=True, latency="0.2")
    async with AsyncExitStack() as stack:
        (account,) = await rehearsed(stack, [here], folder, options)
        http = await stack.enter_async_context(Http())
        client = Client(http, profile, account.base_url, account.key, trusted=True)
        return [await _made(client, http, sample_order(profile, mode)) for mode in profile.modes]


async def _made(client: Client, http: Http, order: Order) -> Rehearsed:
    local = LocalImage("picture.png", "image/png", _PICTURE, 1, 1)
    images: tuple[Image, ...] = tuple(url if "://" in url else local for url in order.image_urls)
    verdict = await client.submit(order, Supplies(images, attempt="rehearsal"), _nothing)
    if not isinstance(verdict, Accepted):
        said = verdict.message if isinstance(verdict, Rejected) else verdict.reason
        return Rehearsed(order.mode, f"not accepted: {said}", made=False)
    for _ in range(_MOST_QUERIES):
        progress = await client.check(verdict.job)
        if progress.phase is not Phase.RUNNING:
            break
        await asyncio.sleep(_BETWEEN_S)
    if progress.phase is not Phase.SUCCEEDED or not progress.links:
        said = f"accepted as {verdict.job.id}, and then {told_of(progress, client.profile)}"
        return Rehearsed(order.mode, said, made=False)
    link = progress.links[0]
    if link.data is not None:
        said = f"accepted as {verdict.job.id}, made, and read: {len(link.data):,} bytes"
        return Rehearsed(order.mode, said, made=True)
    shown = client.key_header() if link.needs_key else None
    url = client.keyed(link.url) if link.needs_key else link.url
    async with http.fetch(url, headers={}, key_header=shown, trusted=client.trusted) as file:
        size = sum([len(chunk) async for chunk in file.chunks])
        said = f"accepted as {verdict.job.id}, made, and fetched: {size:,} bytes (HTTP {file.status})"
    return Rehearsed(order.mode, said, made=file.status == _OK)
