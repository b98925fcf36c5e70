"""Translate what a submission brought back into what it means for the money. The one such table; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from pipelines.core.advice import MODERATION_WORDS
from pipelines.core.outcome import Accepted, InDoubt, RefusalKind, Rejected
from pipelines.core.text.printable import printable
from pipelines.net.addresses import Origin, same_origin
from pipelines.net.headers import retry_after
from pipelines.net.http import Answer
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Contract, Verdict
from pipelines.providers.responses import json_values
from pipelines.providers.responses.told import error_told

#: Only these refuse for certain. Whoever answers with another 4xx (408, 409, 425, 499, ...) may have taken the job.
_DEFINITE = frozenset({*range(400, 407), 410, 411, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451})
#: What an error is about where nothing can have been begun: the account, the pace, or the order as it was written.
_NEVER_BEGUN: frozenset[RefusalKind] = frozenset({"key", "funds", "slow_down", "row"})
_INVALID_URL, _NOT_FOUND = "invalid url", "not_found"
_ORDERED = ("model", "video", "image", "file", "character")  # what an order may name, and a server may not have
#: Words of a code or message that say: what was asked for is not made, however often it is asked for.
_OK, _MOVED, _CLIENT, _SERVER = 200, 300, 400, 500
_SEE_OTHER = 303  # not "send it there", but "it is done, and the answer is there"


def classify(answer: Answer, profile: Profile, contract: Contract, sent_to: str = "") -> Verdict:
    """Tell what the answer to a paid submission means for the money.

    `Rejected` is said only where the provider's own words rule out a charge. Everything else that is not plainly
    accepted is `InDoubt`: also a refusal that names a job, and a redirect that does not lead to another server.

    Args:
        answer: as it came.
        profile: of who gave it.
        contract: where it names a job.
        sent_to: the address of the submission.
    """
    body = json_values.parse(answer.body)
    code, message = error_told(body, profile) if body is not None else (None, None)
    if not answer.complete:
        return _doubt(answer, f"the answer broke off (HTTP {answer.status})")
    said = _surely_refused(message, profile)
    found = contract.read_job(body, profile) if body is not None else None
    if _OK <= answer.status < _MOVED:
        # With `success: false` and a code that leaves no doubt a job that is named was not taken. Any other code may be
        # that of a job that was begun: it is asked about like any other, and its provider says how it ended.
        told = profile.errors.get(json_values.error_code(body or {}) or "")
        if found is not None and not ((body or {}).get("success") is False and told in _NEVER_BEGUN):
            return Accepted(found, _trace_id(body, answer), answer.status)
        kind = profile.errors.get(code or "", said)
        if kind not in (None, "server"):
            return _rejected(kind, answer, body, profile)
        return _doubt(answer, "the answer names no job")
    if found is not None:
        return _doubt(answer, f"the provider answered HTTP {answer.status} and names the job {found.id}")
    if _MOVED <= answer.status < _CLIENT and answer.status != _SEE_OTHER:
        elsewhere = _elsewhere(answer, sent_to)
        if elsewhere is None:  # it was received there, and perhaps taken before the redirect
            return _doubt(answer, f"the provider answered HTTP {answer.status}, a redirect that was not followed")
        words = f"the address answers with a redirect to {elsewhere}; set the right base URL"
        return _rejected("address", answer, {"code": "redirect", "message": words}, profile)
    if answer.status in _DEFINITE:
        return _rejected(kind_of(answer.status, code, message, profile), answer, body, profile)
    if answer.status >= _SERVER and said is not None:
        return _rejected(said, answer, body, profile)
    if answer.status >= _SERVER and profile.on_server_error == "rejected" and code is not None:
        return _rejected("server", answer, body, profile)
    return _doubt(answer, f"the provider answered HTTP {answer.status}" + (f" ({code})" if code else ""))


def kind_of(status: int, code: str | None, message: str | None, profile: Profile) -> RefusalKind:
    """Tell what a definite refusal is about: the code decides, then the words, then the HTTP status."""
    if code is not None and code in profile.errors:
        return profile.errors[code]
    if (said := _surely_refused(message, profile)) is not None:
        return said
    if status in (401, 402, 429):
        kinds: dict[int, RefusalKind] = {401: "key", 402: "funds", 429: "slow_down"}
        return kinds[status]
    if any(word in f"{code} {message}".lower() for word in MODERATION_WORDS):
        return "moderation"
    if status == 403:  # noqa: PLR2004 - the table of HTTP is better known than any name
        return "forbidden"
    if status in (404, 405):
        # About the path FastAPI says {"detail": "Not Found"}, OpenAI and its like "Invalid URL". What an order names may
        # be missing too, a model first of all; then the words say so.
        heard = (message or "").lower()
        is_plain = (code or _NOT_FOUND).lower().removesuffix("_error") == _NOT_FOUND
        if _INVALID_URL in heard or (is_plain and not any(thing in heard for thing in _ORDERED)):
            return "address"
    return "row"


def _surely_refused(message: str | None, profile: Profile) -> RefusalKind | None:
    """Find words that this provider says only where it has taken nothing, also with a server error's status."""
    heard = (message or "").lower()
    return next((kind for words, kind in profile.refusals.items() if words in heard), None)


def _rejected(kind: RefusalKind | None, answer: Answer, body: Mapping[str, Any] | None, profile: Profile) -> Rejected:
    code, message = error_told(body or {}, profile)
    return Rejected(
        kind or "row",
        code or f"http_{answer.status}",
        printable(message or "the provider gave no reason", 500),
        answer.status,
        retry_after(answer.headers),
        _trace_id(body, answer),
    )


def _elsewhere(answer: Answer, sent_to: str) -> Origin | None:
    """The other server that a redirect plainly leads to, or None. The rest of its address may be a secret."""
    try:
        target = urljoin(sent_to, answer.headers.get("location", ""))
        return None if same_origin(target, sent_to) else Origin.of(target)
    except ValueError:
        return None


def _doubt(answer: Answer, reason: str) -> InDoubt:
    return InDoubt(reason, answer.status, json_values.body_excerpt(answer.body))


def _trace_id(body: Mapping[str, Any] | None, answer: Answer) -> str | None:
    """The number that the provider's support will ask for: from the body, or from a header."""
    headers = (answer.headers.get(name) for name in ("x-request-id", "x-qiniu-request-id"))
    found = (json_values.identifier(value) for value in ((body or {}).get("trace_id"), *headers))
    return next((value for value in found if value is not None), None)
