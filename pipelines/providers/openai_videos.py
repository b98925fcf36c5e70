"""The OpenAI Videos contract and those who carry it on: POST /videos, GET /videos/{id}, and a file.

Shapes and words: the vendor's spec of 2026-08-21, and Qiniu's page of 2025-12-23, which adds words and `task_result`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipelines.job import Order
from pipelines.providers import answers
from pipelines.providers.profile import Images, Profile
from pipelines.providers.protocol import Link, Phase, Progress, Request, common_body

_WORDS = {
    "queued": Phase.RUNNING,
    "pending": Phase.RUNNING,
    "processing": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "completed": Phase.SUCCEEDED,
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
    "canceled": Phase.CANCELLED,
}


class OpenAIVideos:
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile) -> Request:
        """POST /videos with an explicit length and size: their defaults differ between servers."""
        mode = profile.mode(order.mode)
        body = common_body(order, mode)
        if order.image_urls:
            body[mode.images.field] = _reference(order.image_urls, mode.images)
        return Request("POST", "/videos", body | dict(mode.fixed) | dict(order.extra))

    def status(self, provider_job_id: str, profile: Profile) -> Request:
        """GET /videos/{id}; some ids carry slashes and equals signs."""
        del profile
        return Request("GET", f"/videos/{quote(provider_job_id, safe='')}")

    def batch_status(self, provider_job_ids: Sequence[str], profile: Profile) -> Request:
        """There is none in this contract.

        Raises:
            NotImplementedError: always; the profile's `batch_query` stays 0.
        """
        raise NotImplementedError

    def read_id(self, answer: Mapping[str, Any]) -> str | None:
        """`id`, or `task_id` of older gateways."""
        return answers.identifier(answer.get("id")) or answers.identifier(answer.get("task_id"))

    def read_progress(self, answer: Mapping[str, Any], profile: Profile, base_url: str) -> Progress:
        """Only `status` decides; progress figures and times are not believed."""
        word = answers.word(answer.get("status"))
        phase = Phase(profile.words[word]) if word in profile.words else _WORDS.get(word, Phase.RUNNING)
        code, message = answers.error_of(answer)
        links = _links(answer, profile, base_url) if phase is Phase.SUCCEEDED else ()
        return Progress(
            phase,
            word,
            links,
            code,
            message,
            completed_at=answers.moment(answer.get("completed_at")),
        )

    def read_batch(self, answer: Mapping[str, Any], profile: Profile, base_url: str) -> dict[str, Progress]:
        """There is none in this contract."""
        del answer, profile, base_url
        return {}


def _reference(urls: Sequence[str], images: Images) -> Any:
    if images.style == "list":
        return list(urls)
    return {"image_url": urls[0]} if images.style == "object" else urls[0]


def _links(answer: Mapping[str, Any], profile: Profile, base_url: str) -> tuple[Link, ...]:
    """Direct links where the answer has them, else the content address of servers that serve the file themselves."""
    videos = answers.mapping(answer.get("task_result")).get("videos")
    urls: list[Any] = [answers.mapping(video).get("url") for video in videos] if isinstance(videos, list) else []
    direct = tuple(Link(url, expires_at=answers.expiry_of(url)) for url in urls if answers.is_link(url))
    if direct or profile.result != "content":
        return direct
    provider_job_id = answers.identifier(answer.get("id"))
    if provider_job_id is None:
        return ()
    address = f"{base_url}/videos/{quote(provider_job_id, safe='')}/content"
    return (Link(address, needs_key=True, expires_at=answers.moment(answer.get("expires_at"))),)
