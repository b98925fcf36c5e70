"""Ace Data Cloud's contract: POST /{service}/videos gives a task id, POST /{service}/tasks says how it goes.

Shapes: the vendor's OpenAPI and guides of 2026; what counts as finished: the rules of its SDK's tests (August 2026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.job import Order, RemoteJob
from pipelines.providers import answers
from pipelines.providers.openai_videos import links_at, named_job, results_of
from pipelines.providers.order_body import order_body
from pipelines.providers.profile import PathName, Profile
from pipelines.providers.protocol import Phase, Progress, Request, Supplies

_SUCCEEDED = frozenset({"succeed", "succeeded", "success", "completed", "complete", "finished"})
_FAILED = frozenset({"failed", "failure", "error", "rejected"})
_CANCELLED = frozenset({"cancelled", "canceled"})
#: Where a response names its clips if a profile does not say. Never "every URL": thumbnails and inputs are URLs too.
_RESULTS = ("data[].video_url", "video_url", "data[].content.video_url", "content.video_url")


class AceData:
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /{service}/videos; the profile asks for an answer at once, and not after minutes."""
        body = order_body(order, profile, supplies)
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
        del base_url
        response = answers.mapping(answer.get("response"))
        words = _words(answer, response, profile)
        links = links_at(response, results_of(job, profile) or _RESULTS)
        code, message = answers.error_of(response)
        phase, word = _phase(words, profile), next(iter(words), "")
        if phase is None:
            phase = _without_words(answer, response, coded=code is not None, has_link=bool(links))
        return Progress(
            phase,
            word,
            links if phase is Phase.SUCCEEDED else (),
            code,
            message,
            completed_at=answers.moment(answer.get("finished_at")),
            unread=phase is Phase.SUCCEEDED and not links and answers.has_link(response),
        )

    def read_batch(
        self, answer: Mapping[str, Any], jobs: Sequence[RemoteJob], profile: Profile, base_url: str
    ) -> dict[str, Progress]:
        """One task object an item, each with its own id."""
        items = answer.get("items")
        tasks = [answers.mapping(item) for item in items] if isinstance(items, list) else []
        found = {answers.identifier(task.get("id")): task for task in tasks}
        return {job.id: self.read_progress(found[job.id], job, profile, base_url) for job in jobs if job.id in found}


def _path(what: PathName, usual: str, profile: Profile) -> str:
    return profile.paths.get(what, usual).replace("{service}", profile.service)


def _words(answer: Mapping[str, Any], response: Mapping[str, Any], profile: Profile) -> list[str]:
    """The state words under a response, those of its items first; where it has none, the word of the task itself."""
    if profile.status_path:
        return [word for value in answers.at_path(response, profile.status_path) if (word := answers.word(value))]
    items = [item for item in answers.at_path(response, "data[]") if isinstance(item, dict)]
    found = [word for item in (*items, response) if (word := _word(item))]
    return found or [word for word in [_word(answer)] if word]


def _word(item: Mapping[str, Any]) -> str:
    return answers.word(item.get("state")) or answers.word(item.get("status"))


def _phase(words: Sequence[str], profile: Profile) -> Phase | None:
    """What the state words come down to; None where there is no word at all."""
    phases = {_one_phase(word, profile) for word in words}
    for phase in (Phase.FAILED, Phase.CANCELLED, Phase.RUNNING, Phase.SUCCEEDED):
        if phase in phases:
            return phase
    return None


def _one_phase(word: str, profile: Profile) -> Phase:
    if word in profile.words:
        return Phase(profile.words[word])
    if word in _FAILED:
        return Phase.FAILED
    if word in _CANCELLED:
        return Phase.CANCELLED
    return Phase.SUCCEEDED if word in _SUCCEEDED else Phase.RUNNING


def _without_words(answer: Mapping[str, Any], response: Mapping[str, Any], *, coded: bool, has_link: bool) -> Phase:
    """Rules 4 to 6: a coded error object, then `finished_at` with `success`, then a link."""
    success = response.get("success")
    if success is False and isinstance(response.get("error"), dict) and coded:
        return Phase.FAILED
    if answer.get("finished_at") and isinstance(success, bool):
        return Phase.SUCCEEDED if success else Phase.FAILED
    return Phase.SUCCEEDED if has_link else Phase.RUNNING
