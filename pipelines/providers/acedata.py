"""Ace Data Cloud's contract: POST /{service}/videos gives a task id, POST /{service}/tasks says how it goes.

Shapes: the vendor's OpenAPI and guides of 2026; what counts as finished: the rules of its SDK's tests (August 2026).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.job import Order
from pipelines.providers import answers
from pipelines.providers.profile import Profile
from pipelines.providers.protocol import Link, Phase, Progress, Request, common_body

_SUCCEEDED = frozenset({"succeed", "succeeded", "success", "completed", "complete", "finished"})
_FAILED = frozenset({"failed", "failure", "error", "rejected"})
_CANCELLED = frozenset({"cancelled", "canceled"})


class AceData:
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile) -> Request:
        """POST /{service}/videos with `async`, so that the answer comes at once and not after minutes."""
        mode = profile.mode(order.mode)
        body = common_body(order, mode)
        if order.orientation is not None and mode.orientations:
            body["orientation"] = order.orientation
        if order.image_urls:
            body[mode.images.field] = list(order.image_urls)
        if order.character_url is not None:
            body["character_url"] = order.character_url
            body["character_start"] = order.character_start
            body["character_end"] = order.character_end
        return Request("POST", f"/{profile.service}/videos", body | dict(mode.fixed) | {"async": True} | order.extra)

    def status(self, provider_job_id: str, profile: Profile) -> Request:
        """`action` is always sent: the default of an older revision was an impossible one."""
        return Request("POST", f"/{profile.service}/tasks", {"id": provider_job_id, "action": "retrieve"})

    def batch_status(self, provider_job_ids: Sequence[str], profile: Profile) -> Request:
        """At most fifty ids, as the vendor's tools advise."""
        body = {"ids": list(provider_job_ids), "action": "retrieve_batch"}
        return Request("POST", f"/{profile.service}/tasks", body)

    def read_id(self, answer: Mapping[str, Any]) -> str | None:
        """`task_id` at the top, or under `data` as some services nest it."""
        nested = answers.mapping(answer.get("data")).get("task_id")
        return answers.identifier(answer.get("task_id")) or answers.identifier(nested)

    def read_progress(self, answer: Mapping[str, Any], profile: Profile, base_url: str) -> Progress:
        """The terminal rules, in the vendor's order; `success: true` alone never means finished."""
        del base_url
        response = answers.mapping(answer.get("response"))
        items = _items(response)
        words = [word for item in (*items, response) if (word := _word(item))]
        links = _links((*items, response))
        code, message = answers.error_of(response)
        completed = answers.moment(answer.get("finished_at"))
        phase, word = _phase(words, profile), next(iter(words), "")
        if phase is None:
            coded_error = response.get("success") is False and isinstance(response.get("error"), dict) and code
            if coded_error:
                phase = Phase.FAILED
            elif answer.get("finished_at") and isinstance(response.get("success"), bool):
                phase = Phase.SUCCEEDED if response["success"] else Phase.FAILED
            else:
                phase = Phase.SUCCEEDED if links else Phase.RUNNING
        return Progress(phase, word, links if phase is Phase.SUCCEEDED else (), code, message, completed)

    def read_batch(self, answer: Mapping[str, Any], profile: Profile, base_url: str) -> dict[str, Progress]:
        """One task object an item, each with its own id."""
        items = answer.get("items")
        tasks = [answers.mapping(item) for item in items] if isinstance(items, list) else []
        found = {answers.identifier(task.get("id")): task for task in tasks}
        return {name: self.read_progress(task, profile, base_url) for name, task in found.items() if name}


def _items(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = response.get("data")
    if isinstance(data, dict):
        return [data]
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


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


def _links(items: Sequence[Mapping[str, Any]]) -> tuple[Link, ...]:
    """Of clips only: an answer names thumbnails and echoed inputs too. Seedance nests its link under `content`."""
    urls: list[Any] = [item.get("video_url") or answers.mapping(item.get("content")).get("video_url") for item in items]
    found = dict.fromkeys(url for url in urls if answers.is_link(url))
    return tuple(Link(url, expires_at=answers.expiry_of(url)) for url in found)
