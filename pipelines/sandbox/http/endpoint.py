"""One route: who asks, what is to go wrong, and how the answer leaves. Handlers see none of it."""

from __future__ import annotations

import asyncio
import math
import re
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from hashlib import sha256
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.sandbox.faults.scripts import NOTHING, Effect
from pipelines.sandbox.http.wire import MOST_BODY, Handler, VendorAnswer, Visit
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.hosted.vendors import HOSTED_NAMES, hosted_vendors, key_in
from pipelines.sandbox.vendors.refusals import RefusalError

OK = 200
BODILESS = (204, 304)  # they end with their headers (RFC 9110, 6.4.1)
TRICKLE = 0.05  # seconds between two pieces of a slow download
TRICKLE_PIECES = 20
HTML = b"<!doctype html><html><head><title>Service</title></head><body><h1>One moment, please</h1></body></html>"
UNSIGNED = {  # what is answered to somebody without a key
    "acedata": (400, "no_token", "Authorization header is missing."),  # [A2]
    "openai": (401, "invalid_api_key", "You didn't provide an API key."),
}
REFUSED_KEY = {"acedata": "invalid_token"}  # any other contract: invalid_api_key
BROKE = {  # [A9 O1 N1]; Qiniu does not say: judged by what other resellers do
    "acedata": (403, "used_up", "The balance is used up."),
    "openai": (429, "insufficient_quota", "You exceeded your current quota, please check your plan."),
    "qiniu": (402, "insufficient_balance", "The balance is not sufficient."),
    "new-api": (403, "insufficient_user_quota", "The user's quota is not sufficient."),
}
FREE = ("vllm-omni", "sglang")  # servers of one's own: nobody pays there
ENCODED_SLASH = "%2F"
OTHER_KEY_HEADERS = {"litellm": b"x-litellm-api-key"}  # besides Authorization [L1]


def keeping_slashes(app: ASGIApp) -> ASGIApp:
    """Find the route while a slash inside an id is still encoded, as it must come: `/` ends a part of a path."""

    async def found(scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope["raw_path"].decode("latin-1")
        if ENCODED_SLASH in raw.upper():
            scope["path"] = unquote(re.sub(ENCODED_SLASH, quote(ENCODED_SLASH), raw, flags=re.IGNORECASE))
        await app(scope, receive, send)

    return found


class SeveredProtocol(H11Protocol):
    """Hands the connection to the application in the scope's state, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base does
        """Keep hold of the connection."""
        super().connection_made(transport)
        self.app_state = {"transport": transport}


@dataclass(frozen=True)
class Endpoint:
    """An ASGI endpoint around one handler."""

    state: SandboxState
    label: str  # method and route, as counted
    contract: str
    route: str  # submit, status or download for the faults, or anything else
    handler: Handler
    keyed: bool = True
    needs_key: bool = True  # otherwise whoever brings none is let in too

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, well or as the faults will have it."""
        named = {name: value.replace(ENCODED_SLASH, "/") for name, value in scope.get("path_params", {}).items()}
        headers, query = dict(scope["headers"]), scope["query_string"]
        visit = Visit(scope["method"], scope["path"], query, headers, named, b"", time.time())
        answer = await self._answer(visit, receive)
        if answer is not None and visit.effect is not NOTHING:
            await asyncio.sleep(visit.effect.delay)
            answer = with_headers(garbled(answer, visit.effect), visit.effect, visit.now)
        if answer is None or visit.effect.cut == "after":
            self.state.counts.cuts[self.label] += 1
            scope["state"]["transport"].abort()
            return await _until_disconnected(receive)
        self.state.counts.statuses[str(answer.status)] += 1
        return await deliver(answer, visit.effect.file, scope, receive, send)

    async def _answer(self, visit: Visit, receive: Receive) -> VendorAnswer | None:
        """What is to be answered, or None where the connection breaks before that is known."""
        counts = self.state.counts
        counts.routes[self.label] += 1
        try:
            if visit.method == "POST":
                visit.body = await _body(receive)
            if self.keyed:
                visit.account = self._account(visit)
            job = visit.named.get("id") or visit.query.get("task_id", "")
            fault = visit.effect = self.state.faults.effect(self.route, self.contract, job)
            if fault.cut == "before":
                return None
            if fault.status is not None:
                raise RefusalError(fault.status, fault.message, code=fault.code, form=fault.form)  # noqa: TRY301  # it is one refusal among others
            if self.route == "status":
                self.state.limits.admit_query(visit.account, visit.now, self.contract)
            return await self.handler(visit)
        except RefusalError as refusal:
            if visit.effect.status is None:
                counts.refused(self.label, refusal.status, refusal.code, refusal.message)
            learnt = self.contract in HOSTED_NAMES and any(own.name == self.contract for own in self.state.profiles)
            return refusal.answer("openai" if learnt else self.contract)  # a profile says nothing of this shape

    def _account(self, visit: Visit) -> str:
        scheme, _, key = visit.header(b"authorization").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else ""
        names = (self.contract, visit.path.split("/")[1])
        own = next((profile for profile in self.state.profiles if profile.name in names), None)
        if own is not None:
            from pipelines.sandbox.vendors.from_profile.keys import shown_key  # noqa: PLC0415 - only for who has profiles

            key = shown_key(own.auth, visit)
        other = visit.header(OTHER_KEY_HEADERS.get(self.contract, b""))
        key = other.removeprefix("Bearer ").strip() if other else key
        if self.contract in HOSTED_NAMES and own is None:
            vendor = hosted_vendors()[self.contract]
            key, reason = key_in(vendor, visit.header(vendor.header.encode()), visit.query, visit.now)
            if not key or key == "refused":
                raise RefusalError(401, "No valid key was shown.", code="wrong_key" if key else reason)
            if key == "broke" and self.route == "submit":
                raise RefusalError(402, "The balance is not sufficient.", code="no_money")
        if self.needs_key and not key:
            status, code, message = UNSIGNED.get(self.contract, UNSIGNED["openai"])
            raise RefusalError(status, message, code=code)
        if key == "refused":
            code = REFUSED_KEY.get(self.contract, "invalid_api_key")
            raise RefusalError(401, "Incorrect API key provided.", code=code)
        if key == "broke" and self.route == "submit" and self.contract not in FREE:
            status, code, message = BROKE.get(self.contract, BROKE["openai"])
            raise RefusalError(status, message, code=code)
        return sha256(key.encode()).hexdigest()[:10]


def with_headers(answer: VendorAnswer, fault: Effect, now: float) -> VendorAnswer:
    """The answer with the headers that the faults give it, in place of its own."""
    given = {name.lower(): value for name, value in fault.headers.items()}
    if fault.retry_after is not None:
        if fault.retry_after_as == "milliseconds":
            given["retry-after-ms"] = f"{fault.retry_after * 1000:g}"
        elif fault.retry_after_as == "date":  # whole seconds: rather too late than too early
            given["retry-after"] = formatdate(math.ceil(now + fault.retry_after), usegmt=True)
        else:
            given["retry-after"] = f"{fault.retry_after:g}"
    kept = tuple((name, value) for name, value in answer.headers if name.decode("latin-1") not in given)
    added = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items())
    return replace(answer, headers=(*kept, *added))


def garbled(answer: VendorAnswer, fault: Effect) -> VendorAnswer:
    """The answer as another version of the server, a broken one, or a proxy would send it."""
    if fault.success_status is not None and answer.status == OK:
        answer = replace(answer, status=fault.success_status)
    if fault.body == "html":
        return VendorAnswer(200, ((b"content-type", b"text/html"),), HTML)
    bodies = {"empty": b"", "truncated": answer.body[: len(answer.body) // 2]}
    bodies["malformed"] = answer.body.replace(b":", b"=", 1)
    return replace(answer, body=bodies[fault.body]) if fault.body is not None else answer


async def deliver(answer: VendorAnswer, file_fault: str | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer; a download may break off, end early, or take its time."""
    body = b"" if answer.status in BODILESS else answer.body
    if file_fault == "short":  # a whole answer with half a file: only the file itself can tell
        body = body[: len(body) // 2]
    length = () if answer.status in BODILESS else ((b"content-length", str(len(body)).encode()),)
    headers = [*answer.headers, *length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if file_fault == "cut":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        scope["state"]["transport"].close()  # flushes what was written, then closes
        return await _until_disconnected(receive)
    if file_fault == "trickle":
        step = max(1, len(body) // TRICKLE_PIECES)
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await asyncio.sleep(TRICKLE)
        body = b""
    return await send({"type": "http.response.body", "body": body})


async def _until_disconnected(receive: Receive) -> None:
    """Wait until the server has noticed that the connection is gone: before that it complains of a missing answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""  # never completed: it will not parse, and nobody listens
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MOST_BODY:
            raise RefusalError(413, "The body is too large.")
        if not message.get("more_body"):
            return b"".join(pieces)
