"""Qiniu's third protocol, fal's queue: POST /queue/{model path}, then the addresses that its answer gives.

Shapes: Qiniu's queue page and cookbook of 2026-08-11. All of it is said in the language of described profiles, and read by
the same code. The other three contracts stay code, each for what that language has no words for: OpenAI's pages through
a list, and its files that are served beside an address with an end; Ace's state words that stand in several places of one
answer, the worst of which counts, and its query about many jobs; Veo's parameters below a name of their own, under which
a profile's fields are written without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.core.job import Order, RemoteJob
from pipelines.providers.contracts.described import Described
from pipelines.providers.profile.exchange import Answers
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Progress, Request, Supplies

_WORDS = {
    "in_queue": "running",
    "in_progress": "running",
    "completed": "succeeded",
    "ok": "succeeded",
    "failed": "failed",
    "error": "failed",
    "cancelled": "cancelled",
}
#: In the status answer and in the result, in that order.
_RESULTS = ("result.video.url", "video.url", "payload.video.url", "videos[].url")
_SPOKEN: Mapping[str, Any] = {
    "contract": "fal",
    "paths": {
        "submit": "/queue/{model}",
        "status": "/queue/{model}/requests/{id}/status",
        "result": "/queue/{model}/requests/{id}",
    },
    "id_path": "request_id",
    "status_path": "status",
    "answers": Answers(
        status_url="status_url", result_url="response_url", bare_result=("result", "video", "videos", "payload")
    ),
}


class FalQueue(Described):
    """The queue, as a profile would describe it; a profile's own words and results go before."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /queue/{model path}: the model is the path, and not sent again."""
        return super().submission(order, as_spoken(profile), supplies)

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """GET the address that the submission's answer gave; raises `UnknownJob` where it gave none."""
        return super().status(job, as_spoken(profile))

    def job_named(self, name: str, order: Order, profile: Profile) -> RemoteJob:
        """Asked about below the path of its model, as the addresses in its answers usually are."""
        return super().job_named(name, order, as_spoken(profile))

    def id_places(self, profile: Profile) -> tuple[str, ...]:
        """`request_id` before all."""
        del profile
        return ("request_id", "id", "task_id")

    def with_word(self, result: Mapping[str, Any], word: str, profile: Profile) -> Mapping[str, Any]:
        """Under `status`, where it has none."""
        return result if result.get("status") else super().with_word(result, word, as_spoken(profile))

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """`request_id`, with the addresses to ask."""
        return super().read_job(answer, as_spoken(profile))

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """`status` decides; a finished one may show its file at once, or at the address for results."""
        return super().read_progress(answer, job, as_spoken(profile), base_url)


def as_spoken(profile: Profile) -> Profile:
    """The profile with the queue's paths, places and words, as if it had described them itself."""
    results = profile.results if profile.contract == "fal" and profile.results else _RESULTS
    return profile.model_copy(update={**_SPOKEN, "words": {**_WORDS, **profile.words}, "results": results})
