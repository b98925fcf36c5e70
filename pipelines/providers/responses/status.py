"""Translate the answer to a free query: into a body to read, or the error that it stands for. The one such table; pure.

No error here ends a job: it is waited out, or handed to a person. As with a payment the code decides before the HTTP
status; but only in an envelope, since an error in the body of a job is the job's, and says nothing of the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pipelines.core.errors import KeyRefused, ProviderUnavailable, SlowDown, UnknownJob, UnusableAnswer
from pipelines.core.outcome import RefusalKind
from pipelines.core.text.printable import printable
from pipelines.net.headers import retry_after
from pipelines.net.http import Answer
from pipelines.providers.profile.model import Profile
from pipelines.providers.responses import json_values
from pipelines.providers.responses.told import error_told

_Meaning = Literal["key", "slow_down", "address", "server", "unknown_job"]
_BY_KIND: Mapping[RefusalKind | None, _Meaning] = {"key": "key", "slow_down": "slow_down", "address": "address"}
_BY_STATUS: Mapping[int, _Meaning] = {401: "key", 404: "unknown_job", 410: "unknown_job", 429: "slow_down"}
#: Ace's older page. As the answer to an order it means the row, so no profile can say what it means here.
_UNKNOWN_JOB = frozenset({"task_not_found"})
#: What tells of a job in any of the contracts. An answer with any of it is a job's.
_IDS_AND_STATES = ("id", "_id", "task_id", "request_id", "status", "state")
_RESULTS = ("response", "items", "data", "result", "video", "videos", "payload")
#: Refusals that are about the query, the address or the moment, never about how a job has ended.
_OF_THE_QUERY = frozenset({401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 425, 429, 499})
#: At the address of a result these tell how its job has ended, in the manner of fal: 422 and a reason.
_OF_THE_JOB = frozenset(range(400, 500)) - _OF_THE_QUERY
_OK, _MOVED, _BAD_REQUEST = 200, 300, 400


def readable(answer: Answer, profile: Profile, *, result: bool = False) -> Mapping[str, Any]:
    """The JSON object of an answer that tells of a job.

    Args:
        answer: to a query about a job.
        profile: of who gave it.
        result: it stands where a job that has ended has its result, so that an error is how it ended.

    Raises:
        KeyRefused: the key is not, or no longer, taken.
        UnknownJob: nobody there knows the job.
        SlowDown: too many queries.
        ProviderUnavailable: any other refusal; it passes, or the deadline ends it.
        UnusableAnswer: no JSON object came back.
    """
    body = json_values.parse(answer.body) if answer.complete else None
    fine = _OK <= answer.status < _MOVED
    if fine and body is None:
        raise UnusableAnswer(f"{profile.name} answers a status query with something that is no JSON object.")
    code, message = error_told(body or {}, profile)
    enveloped = body is not None and is_envelope(body, code, profile)
    # The code of an envelope decides, then the HTTP status; a 403 may be about this query only.
    told = code if enveloped else None
    kind = profile.errors.get(told or "")
    meaning = _BY_KIND.get(kind) or _BY_STATUS.get(answer.status) or ("server" if kind == "server" else None)
    meaning = "unknown_job" if told in _UNKNOWN_JOB else meaning
    if body is not None and meaning is None:
        # A 400 with bare words is no end: so the queue says that there is no result yet.
        of_the_job = answer.status in _OF_THE_JOB and (answer.status != _BAD_REQUEST or code is not None)
        says_why = body.get("detail") or body.get("error") or (profile.answers is not None and code is not None)
        is_end = result and of_the_job and bool(says_why)
        if is_end or (fine and (result or not enveloped)):
            return body
    said = printable(f"{code or ''} {message or ''}".strip() or "no reason given", 300)
    raise _error(meaning, answer, said, profile)


def is_envelope(body: Mapping[str, Any], code: str | None, profile: Profile) -> bool:
    """Tell whether a body holds an error and no job: neither an id, nor a state, nor a result."""
    if profile.answers is not None:
        told = profile.answers
        places = (profile.id_path, profile.status_path, told.done, told.clip_base64, *profile.results)
        if any(any(json_values.at_path(body, place)) for place in places if place):
            return False
        return bool(code or body.get("error") or body.get("detail"))
    own = (path.split(".")[0].removesuffix("[]") for path in (profile.id_path, profile.status_path) if path)
    if any(body.get(name) for name in (*_IDS_AND_STATES, *_RESULTS, *own)):
        return False
    return bool(body.get("error") or body.get("detail")) or body.get("success") is False or code in profile.errors


def _error(meaning: _Meaning | None, answer: Answer, said: str, profile: Profile) -> Exception:
    name = profile.name
    if meaning == "key":
        return KeyRefused(
            f"{name} refuses the API key on a status query ({said}). {profile.key_remedy} and run the same "
            "command again: jobs that were accepted are kept."
        )
    if meaning == "unknown_job":
        return UnknownJob(f"{name} does not know this job ({said}).")
    if meaning == "slow_down":
        return SlowDown(f"{name} asks for fewer status queries.", retry_after(answer.headers))
    if meaning == "address":
        setting = profile.base_url_names[0]
        return ProviderUnavailable(
            f"{name} answers no status queries at this address (HTTP {answer.status}: {said}). Check {setting}."
        )
    return ProviderUnavailable(f"{name} answers a status query with HTTP {answer.status} ({said}).")
