"""Ace Data Cloud's contract: POST /{service}/videos gives a task id, POST /{service}/tasks says how it goes.

Shapes: the vendor's OpenAPI and guides of 2026; what counts as finished: the rules of its SDK's tests (August 2026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipelines.core.errors import UnusableAnswer
from pipelines.core.job import Order, RemoteJob
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.contracts.request_body import order_body
from pipelines.providers.profile.model import PathName, Profile
from pipelines.providers.protocol import Phase, Progress, Request, Supplies, UsualWays
from pipelines.providers.responses import json_values
from pipelines.providers.responses.missing_clip import missing_clip

_SUCCEEDED = frozenset({"succeed", "succeeded", "success", "completed", "complete", "finished"})
_FAILED = frozenset({"failed", "failure", "error", "rejected"})
_CANCELLED = frozenset({"cancelled", "canceled"})
#: Of several words in one answer the first of these counts.
_WORST_FIRST = (Phase.FAILED, Phase.CANCELLED, Phase.RUNNING, Phase.SUCCEEDED)
#: Where a response names its clips if a profile does not say. Never "every URL": thumbnails and inputs are URLs too.
_RESULTS = ("data[].video_url", "video_url", "data[].content.video_url", "content.video_url")


class AceData(UsualWays):
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /{service}/videos; the profile asks for an answer at once, and not after minutes."""
        body = order_body(order, profile, supplies)
        remix = profile.mode(order.mode).remix if order.remix_of is not None else None
        if remix is not None and remix.path is not None and supplies.parent_id is not None:
            return Request("POST", remix.path.replace("{id}", quote(supplies.parent_id, safe="")), body)
        return Request("POST", _path("submit", "/{service}/videos", profile), body)

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """`action` is always sent: the default of an older revision was an impossible one."""
        return Request("POST", _path("status", "/{service}/tasks", profile), {"id": job.id, "action": "retrieve"})

    def batch_status(self, provider_job_ids: Sequence[str], profile: Profile) -> Request:
        """At most fifty ids, as the vendor's tools advise."""
        body = {"ids": list(provider_job_ids), "action": "retrieve_batch"}
        return Request("POST", _path("status", "/{service}/tasks", profile), body)

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """`task_id` at the top, or under `data` as some services nest it."""
        return named_job(answer, (profile.id_path,) if profile.id_path else ("task_id", "data.task_id"))

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """The terminal rules, in the vendor's order; `success: true` alone never means finished."""
        response = json_values.mapping(answer.get("response"))
        links = links_at(response, result_places(job, profile) or _RESULTS, base_url)
        phase, word = _phase(answer, response, profile, has_link=bool(links))
        code, message = json_values.error_of(response)
        return Progress(
            phase,
            word,
            links if phase is Phase.SUCCEEDED else (),
            code,
            message,
            completed_at=json_values.moment(answer.get("finished_at")),
            unread=phase is Phase.SUCCEEDED and not links and json_values.has_link(response),
            missing=missing_clip(response, result_places(job, profile) or _RESULTS)
            if phase is Phase.SUCCEEDED and not links
            else None,
            trace_id=json_values.identifier(answer.get("trace_id")) or json_values.identifier(response.get("trace_id")),
        )

    def read_batch(
        self, answer: Mapping[str, Any], jobs: Sequence[RemoteJob], profile: Profile, base_url: str
    ) -> dict[str, Progress]:
        """One task object an item, each with its own id. A task that is not among them is not known."""
        items = answer.get("items")
        if not isinstance(items, list):
            raise UnusableAnswer(f"{profile.name} answers a query about {len(jobs)} jobs without a list of them.")
        tasks = [json_values.mapping(item) for item in items]
        found = {json_values.identifier(task.get("id")): task for task in tasks}
        return {job.id: self.read_progress(found[job.id], job, profile, base_url) for job in jobs if job.id in found}


def _path(what: PathName, usual: str, profile: Profile) -> str:
    return profile.paths.get(what, usual).replace("{service}", profile.service)


def _phase(
    task: Mapping[str, Any], response: Mapping[str, Any], profile: Profile, *, has_link: bool
) -> tuple[Phase, str]:
    """The vendor's rules, and the word that decided.

    All of them are about the response. The task's own word, which only some services have, is asked after those by which
    it has failed, and before those that only say that there is something.
    """
    if profile.status_path:
        words = [json_values.word(value) for value in json_values.at_path(response, profile.status_path)]
    else:  # those of its items first
        items = [item for item in json_values.at_path(response, "data[]") if isinstance(item, dict)]
        words = [_word(item) for item in (*items, response)]
    words = [word for word in words if word]
    if words:
        phases = {_phase_of(word, profile) for word in words}
        return next(phase for phase in _WORST_FIRST if phase in phases), words[0]
    own = "" if profile.status_path else _word(task)
    success = response.get("success")
    if success is None and response.get("error") and not has_link:  # it may be missing, as in the other envelopes
        success = False
    if success is False and (json_values.error_code(response) or task.get("finished_at")):
        return Phase.FAILED, own  # rules 4 and 5: a code is final, and so is any error once the task has finished
    if own:
        return _phase_of(own, profile), own
    if has_link or (task.get("finished_at") and success is True):
        return Phase.SUCCEEDED, ""
    return Phase.RUNNING, ""


def _word(item: Mapping[str, Any]) -> str:
    return json_values.word(item.get("state")) or json_values.word(item.get("status"))


def _phase_of(word: str, profile: Profile) -> Phase:
    if word in profile.words:
        return Phase(profile.words[word])
    if word in _FAILED:
        return Phase.FAILED
    if word in _CANCELLED:
        return Phase.CANCELLED
    return Phase.SUCCEEDED if word in _SUCCEEDED else Phase.RUNNING
