"""Qiniu's third protocol, fal's queue: POST /queue/{model path}, then the addresses that its answer gives.

Shapes: Qiniu's queue page and cookbook of 2026-08-11. The addresses are used as they come; they cannot be built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pipelines.core.errors import UnknownJob
from pipelines.core.job import Order, RemoteJob
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.contracts.request_body import order_body
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.path_template import filled
from pipelines.providers.protocol import Phase, Progress, Request, Supplies, UsualWays
from pipelines.providers.responses import json_values

_PATH = "/queue/"
_WORDS = {
    "in_queue": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "completed": Phase.SUCCEEDED,
    "ok": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "error": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}
#: In the status answer and in the result, in that order.
_RESULTS = ("result.video.url", "video.url", "payload.video.url", "videos[].url")
#: The answer at the address for results has no status, but one of these, if only to say that there is no file.
_RESULT_KEYS = ("result", "video", "videos", "payload")


class FalQueue(UsualWays):
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /queue/{model path}: the model is the path, and not sent again."""
        return Request("POST", filled("/queue/{model}", {"model": order.model}), order_body(order, profile, supplies))

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """GET the address that the submission's answer gave.

        Raises:
            UnknownJob: it gave none.
        """
        if job.status_url is None:
            raise UnknownJob(f"{profile.name} gave no address to ask about {job.id}.")
        return Request("GET", job.status_url)

    def job_named(self, name: str, order: Order, profile: Profile) -> RemoteJob:
        """Asked about below the path of its model, as the addresses in its answers usually are."""
        asked = f"{_PATH}{quote(order.model)}/requests/{quote(name, safe='')}"
        return replace(super().job_named(name, order, profile), status_url=f"{asked}/status", result_url=asked)

    def id_places(self, profile: Profile) -> tuple[str, ...]:
        """`request_id` before all."""
        return ("request_id", *super().id_places(profile))

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """`request_id`, with the addresses to ask."""
        del profile
        job = named_job(answer, ("request_id",))
        if job is None:
            return None
        status_url, result_url = answer.get("status_url"), answer.get("response_url")
        return replace(
            job,
            status_url=status_url if json_values.is_link(status_url) else None,
            result_url=result_url if json_values.is_link(result_url) else None,
        )

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """`status` decides; a finished one may show its file at once, or at the address for results.

        The queue calls a failure completed too: what is wrong with it then stands in the place of the file.
        """
        said = json_values.word(answer.get("status"))
        word = said or ("completed" if any(name in answer for name in _RESULT_KEYS) else "")
        phase = Phase(profile.words[word]) if word in profile.words else _WORDS.get(word, Phase.RUNNING)
        code, message = json_values.error_of(answer)
        links = links_at(answer, result_places(job, profile) or _RESULTS, base_url) if phase is Phase.SUCCEEDED else ()
        if phase is Phase.SUCCEEDED and not links and (answer.get("error") or answer.get("detail")):
            phase = Phase.FAILED
        elsewhere = job.result_url if phase is Phase.SUCCEEDED and said and not links else None
        unread = phase is Phase.SUCCEEDED and not links and json_values.has_link(answer)
        return Progress(phase, word, links, code, message, result_url=elsewhere, unread=unread)
