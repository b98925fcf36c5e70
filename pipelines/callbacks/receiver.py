"""The receiver as an application: the token is checked, the call is written down, and only then is it acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipelines.callbacks.addresses import PROOF, CallAddress, CallbackKeys
from pipelines.callbacks.bodies import event_subject, read_call
from pipelines.callbacks.gate import MOST_BODY
from pipelines.callbacks.inbox import Inbox
from pipelines.callbacks.metrics import ReceiverCounts
from pipelines.callbacks.signatures import is_signed
from pipelines.core.errors import DiskFull, LedgerError
from pipelines.ledger.callbacks import Receipt, Taken

_LEDGER_S = 5.0  # within which a call must be on the disk
_RETRY_AFTER_S = 10
_REMEMBERED = 4_096  # calls that are on the disk: the same again needs no look there
_HEADERS = {"connection": "close", "cache-control": "no-store", "referrer-policy": "no-referrer"}


@dataclass(slots=True)
class Receiver:
    """Takes calls.

    Args:
        keys: that open.
        inbox: where calls are written down; None: it is only there to prove the way in.
        counts: what has come so far.
        secrets: what checks the signatures of providers that sign.
        answers: the body of the acknowledgement that a provider wants, where it wants one.
    """

    keys: CallbackKeys
    inbox: Inbox | None
    counts: ReceiverCounts
    secrets: Mapping[str, Webhook] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    _taken: OrderedDict[tuple[str, str, str], Receipt] = field(default_factory=OrderedDict)

    def application(self) -> Starlette:
        """As uvicorn serves it."""
        return Starlette(routes=[Route("/{path:path}", self.receive, methods=["POST"])])

    async def receive(self, request: Request) -> Response:
        """Answer one request."""
        began, address = time.perf_counter(), self.keys.opens(request.scope["path"])
        if address is None:  # the door has looked already; this holds whatever stands before it
            self.counts.turned_away("no token")
            return _answer(404)
        if address.ledger == PROOF:
            return PlainTextResponse(self.keys.answer_to(address.subject), headers=_HEADERS)
        try:
            body = await _body_of(request)
        except ClientDisconnect:
            self.counts.turned_away("broken off")
            return _answer(400)
        status, what, text = (413, "too long", "") if body is None else await self._take(address, request, body)
        client = request.client.host if request.client else ""
        self.counts.answered_in(time.perf_counter() - began, what, address, status, len(body or b""), client)
        return _answer(status, text)

    async def _take(self, address: CallAddress, request: Request, body: bytes) -> tuple[int, str, str]:
        """Write a call down, or say why not: status, word, and text of the answer."""
        if self.inbox is None:
            return 404, "unknown", ""
        try:
            async with asyncio.timeout(_LEDGER_S):
                if (attempt_id := address.attempt_id) is not None:
                    receipt = await self._keep(self.inbox, address.ledger, attempt_id, body)
                else:
                    webhook = self.secrets.get(address.subject)
                    if webhook is None or not is_signed(webhook, request.headers, body):
                        return 401, "unsigned", ""
                    found = await self.inbox.attempt_named(address.subject, event_subject(body) or "")
                    receipt = Receipt(Taken.UNKNOWN) if found is None else await self._keep(self.inbox, *found, body)
        except (LedgerError, DiskFull, TimeoutError):
            return 503, "unavailable", ""
        if receipt.taken is Taken.UNKNOWN:
            return 404, "unknown", ""
        return 200, str(receipt.taken), self.answers.get(receipt.provider, "")

    async def _keep(self, inbox: Inbox, ledger_id: str, attempt_id: str, body: bytes) -> Receipt:
        call = read_call(attempt_id, body)
        key = (ledger_id, attempt_id, call.body_sha256)
        if (known := self._taken.get(key)) is not None:
            return Receipt(Taken.AGAIN, known.provider)
        receipt = await inbox.take(ledger_id, call)
        if receipt.taken is not Taken.UNKNOWN:
            self._taken[key] = receipt
            while len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
        return receipt


def operations(receiver: Receiver) -> Starlette:
    """What operators look at, on an address of its own: `/healthz` and `/metrics`."""

    async def health(_: Request) -> Response:
        try:
            async with asyncio.timeout(_LEDGER_S):
                if receiver.inbox is not None:
                    await receiver.inbox.check()
        except (LedgerError, DiskFull, TimeoutError):
            return PlainTextResponse("the ledger cannot be used\n", 503)
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        text = receiver.counts.as_text()
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    return Starlette(routes=[Route("/healthz", health), Route("/metrics", metrics)])


async def _body_of(request: Request) -> bytes | None:
    """The whole body, or None where it is longer than any callback."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            return None
    return bytes(body)


def _answer(status: int, text: str = "") -> Response:
    retry = {"retry-after": str(_RETRY_AFTER_S)} if status == 503 else {}  # noqa: PLR2004 - what HTTP calls it
    return PlainTextResponse(text, status, headers=_HEADERS | retry)
