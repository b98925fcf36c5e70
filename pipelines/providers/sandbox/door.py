"""One route: who knocks, what is to go wrong, and how the answer leaves. Handlers see none of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.providers.sandbox.desk import Desk
from pipelines.providers.sandbox.faults import NOTHING, Effect
from pipelines.providers.sandbox.refusals import RefusalError
from pipelines.providers.sandbox.wire import Answer, Visit

Handler = Callable[[Visit], Awaitable[Answer]]

MOST_BODY = 64 * 2**20
TRICKLE = 0.05  # seconds between two pieces of a slow download
TRICKLE_PIECES = 20
HTML = b"<!doctype html><html><head><title>Service</title></head><body><h1>One moment, please</h1></body></html>"
UNSIGNED = {  # what is answered to somebody without a key
    "acedata": (400, "no_token", "Authorization header is missing."),  # [A2]
    "openai": (401, "invalid_api_key", "You didn't provide an API key."),
    "qiniu": (401, "invalid_api_key", "You didn't provide an API key."),
}
REFUSED_KEY = {"acedata": "invalid_token"}  # any other contract: invalid_api_key
BROKE = {  # [A9 O1]; Qiniu does not say: judged by what other resellers do
    "acedata": (403, "used_up", "The balance is used up."),
    "openai": (429, "insufficient_quota", "You exceeded your current quota, please check your plan."),
    "qiniu": (402, "insufficient_balance", "The balance is not sufficient."),
}


class SeveredProtocol(H11Protocol):
    """Hands the connection to the application in the scope's state, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base does
        """Keeps hold of the wire."""
        super().connection_made(transport)
        self.app_state = {"transport": transport}


@dataclass(frozen=True)
class Door:
    """An ASGI endpoint around one handler."""

    desk: Desk
    label: str  # method and route, as counted
    contract: str
    route: str  # submit, status or download for the faults, or anything else
    handler: Handler
    keyed: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, well or as the faults will have it."""
        visit = _visit(scope)
        self.desk.tally.routes[self.label] += 1
        try:
            if visit.method == "POST":
                visit.body = await _body(receive)
            if self.keyed:
                visit.account = self._account(visit)
            visit.effect = self.desk.faults.effect(self.route, self.contract, visit.named.get("id", ""))
            if visit.effect.cut == "before":
                return self._sever(scope)
            answer = await self._answer(visit)
        except RefusalError as refusal:
            answer = refusal.answer(self.contract)
            if visit.effect.status is None:
                self.desk.tally.refused(self.label, refusal.status, refusal.code, refusal.message)
        if visit.effect is not NOTHING:
            if visit.effect.delay:
                await asyncio.sleep(visit.effect.delay)
            if visit.effect.cut == "after":
                return self._sever(scope)
            answer = garbled(answer, visit.effect)
        self.desk.tally.statuses[str(answer.status)] += 1
        return await deliver(answer, visit.effect.file, scope, receive, send)

    async def _answer(self, visit: Visit) -> Answer:
        fault = visit.effect
        if fault.status is not None:
            raise RefusalError(
                fault.status, fault.message, code=fault.code, retry_after=fault.retry_after, form=fault.form
            )
        return await self.handler(visit)

    def _account(self, visit: Visit) -> str:
        scheme, _, key = visit.header(b"authorization").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            status, code, message = UNSIGNED[self.contract]
            raise RefusalError(status, message, code=code)
        if key == "refused":
            code = REFUSED_KEY.get(self.contract, "invalid_api_key")
            raise RefusalError(401, "Incorrect API key provided.", code=code)
        if key == "broke" and self.route == "submit":
            status, code, message = BROKE[self.contract]
            raise RefusalError(status, message, code=code)
        return sha256(key.encode()).hexdigest()[:10]

    def _sever(self, scope: Scope) -> None:
        self.desk.tally.cuts[self.label] += 1
        scope["state"]["transport"].abort()


def garbled(answer: Answer, fault: Effect) -> Answer:
    """The answer as a broken server or a proxy would send it."""
    if fault.body == "html":
        return Answer(200, ((b"content-type", b"text/html"),), HTML)
    if fault.body == "empty":
        return replace(answer, body=b"")
    if fault.body == "truncated":
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    if fault.body == "malformed":
        return replace(answer, body=answer.body.replace(b":", b"=", 1))
    return answer


async def deliver(answer: Answer, file_fault: str | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends an answer; a download may break off, end early, or take its time."""
    body = answer.body
    if file_fault == "short":  # a whole answer with half a file: only the file itself can tell
        body = body[: len(body) // 2]
    headers = [*answer.headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if file_fault == "cut":
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        scope["state"]["transport"].close()  # flushes what was written, then closes
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if file_fault == "trickle":
        step = max(1, len(body) // TRICKLE_PIECES)
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await asyncio.sleep(TRICKLE)
        body = b""
    await send({"type": "http.response.body", "body": body})


def _visit(scope: Scope) -> Visit:
    named: dict[str, Any] = scope.get("path_params", {})
    return Visit(scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]), named, b"", time.time())


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
