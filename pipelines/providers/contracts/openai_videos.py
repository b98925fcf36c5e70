"""The OpenAI Videos contract and those who carry it on: POST /videos, GET /videos/{id}, and a file.

Shapes and words: the vendor's spec of 2026-08-21, and Qiniu's page of 2025-12-23, which adds words and `task_result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pipelines.core.job import Order, RemoteJob
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.contracts.request_body import encoding_of, order_body
from pipelines.providers.profile.model import PathName, Profile
from pipelines.providers.protocol import Link, ListedJob, ListPage, Phase, Progress, Request, Supplies, UsualWays
from pipelines.providers.responses import json_values
from pipelines.providers.responses.missing_clip import missing_clip

_PATHS: Mapping[PathName, str] = {
    "submit": "/videos",
    "status": "/videos/{id}",
    "content": "/videos/{id}/content",
    "list": "/videos",
    "delete": "/videos/{id}",
}
_REMIX_PATH = "/videos/{id}/remix"
#: Where a finished answer names its files, besides what a profile says: gateways differ, and none of these misleads.
_RESULTS = ("task_result.videos[].url",)
_MOST_A_PAGE = 100
STATUS_WORDS = {
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


class OpenAIVideos(UsualWays):
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /videos with an explicit length and size, or POST /videos/{id}/remix."""
        body = order_body(order, profile, supplies)
        mode = profile.mode(order.mode)
        path = path_of("submit", profile)
        if order.remix_of is not None and mode.remix is not None and supplies.parent_id is not None:
            path = (mode.remix.path or _REMIX_PATH).replace("{id}", quote(supplies.parent_id, safe=""))
        return Request("POST", path, body, encoding_of(body, profile))

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """GET /videos/{id}; some ids carry slashes and equals signs."""
        return Request("GET", path_of("status", profile, job.id))

    def listing(self, profile: Profile, mode: str, most: int, after: str | None) -> Request:
        """GET the list, the newest first; the next page begins behind the last job of this one."""
        del mode
        query = {"limit": str(min(most, _MOST_A_PAGE)), "order": "desc"} | profile.list_parameters
        if after is not None:
            query["after"] = after
        return Request("GET", f"{path_of('list', profile)}?{urlencode(query)}")

    def read_listing(self, answer: Mapping[str, Any], profile: Profile, after: str | None = None) -> ListPage:
        """`data`, and whether `has_more`."""
        del after
        rows = [json_values.mapping(row) for row in json_values.at_path(answer, "data[]")]
        jobs = tuple(_listed(job, row) for row in rows if (job := self.read_job(row, profile)) is not None)
        return ListPage(jobs, jobs[-1].job.id if jobs and answer.get("has_more") is True else None)

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """`id`, or `task_id` of older gateways, or where the profile says."""
        places = (profile.id_path,) if profile.id_path else ("id", "task_id")
        return named_job(answer, places)

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """Only `status` decides; progress figures and times are not believed."""
        places = json_values.at_path(answer, profile.status_path or "status")
        word = json_values.word(next(iter(places), None))
        phase = Phase(profile.words[word]) if word in profile.words else STATUS_WORDS.get(word, Phase.RUNNING)
        code, message = json_values.error_of(answer)
        links = _links(answer, job, profile, base_url) if phase is Phase.SUCCEEDED else ()
        return Progress(
            phase,
            word,
            links,
            code,
            message,
            completed_at=json_values.moment(answer.get("completed_at")),
            seconds=next((n for name in ("seconds", "duration") if (n := json_values.number(answer.get(name)))), None),
            size=json_values.text(answer.get("size")),
            # it may well have files, and the profile only looks in the wrong place
            unread=phase is Phase.SUCCEEDED
            and not links
            and (json_values.has_link(answer) or json_values.is_elsewhere(answer, result_places(job, profile))),
            missing=missing_clip(answer, (*result_places(job, profile), *_RESULTS))
            if phase is Phase.SUCCEEDED and not links
            else None,
        )


def path_of(what: PathName, profile: Profile, provider_job_id: str = "") -> str:
    """The path of one kind of request, with a percent-encoded id in it."""
    return profile.paths.get(what, _PATHS[what]).replace("{id}", quote(provider_job_id, safe=""))


def _links(answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> tuple[Link, ...]:
    """Direct links where the answer has them, else the content address of servers that serve the file themselves."""
    places = result_places(job, profile)
    direct = links_at(answer, [place for place in (*places, *_RESULTS) if place != "content"], base_url)
    if direct or (places and "content" not in places):
        return direct
    address = base_url + path_of("content", profile, job.id)
    return (Link(address, needs_key=True, expires_at=json_values.moment(answer.get("expires_at"))),)


def _listed(job: RemoteJob, row: Mapping[str, Any]) -> ListedJob:
    return ListedJob(
        job,
        json_values.moment(row.get("created_at")),
        json_values.word(row.get("status")),
        json_values.text(row.get("model")),
        json_values.text(row.get("prompt")),
        json_values.text(row.get("size")),
        next((n for name in ("seconds", "duration") if (n := json_values.number(row.get(name))) is not None), None),
    )
