"""Qiniu's second protocol, in the shape of Google's Vertex: POST and GET /videos/generations, for Veo models.

Shapes: Qiniu's pages for creating and querying such a job. Its words are written with a capital.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipelines.core.image import LocalImage
from pipelines.core.job import Order, RemoteJob
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.contracts.request_body import callback, default_parameters, length_and_shape
from pipelines.providers.profile.field_path import nested
from pipelines.providers.profile.model import Profile
from pipelines.providers.protocol import Phase, Progress, Request, Supplies, UsualWays
from pipelines.providers.responses import json_values
from pipelines.providers.responses.missing_clip import missing_clip

_PATH = "/videos/generations"
_RESULTS = ("data.videos[].url",)
_WORDS = {
    "completed": Phase.SUCCEEDED,
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}


class VeoGenerations(UsualWays):
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST /videos/generations: the prompt and its frames are an instance, everything else is a parameter."""
        mode = profile.mode(order.mode)
        instance: dict[str, Any] = {"prompt": order.prompt}
        for name, image in zip(("image", "lastFrame"), supplies.images, strict=False):
            if not isinstance(image, LocalImage):
                raise TypeError(f"{image!r} is no local file; the planner lets no address through")
            instance[name] = {"bytesBase64Encoded": image.base64(), "mimeType": image.type}
        body: dict[str, Any] = {
            "model": order.model,
            "instances": [instance],
            "parameters": nested(
                length_and_shape(order, mode) | mode.fixed | default_parameters(mode, order.model) | order.extra
            ),
        }
        return Request("POST", _PATH, nested(body | callback(mode, profile, supplies) | profile.fixed))

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """GET /videos/generations/{id}."""
        del profile
        return Request("GET", f"{_PATH}/{quote(job.id, safe='')}")

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """`id`."""
        del profile
        return named_job(answer, ("id",))

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """`status` decides. Completed with nothing but filtered clips is a failure by moderation."""
        word = json_values.word(answer.get("status"))
        phase = Phase(profile.words[word]) if word in profile.words else _WORDS.get(word, Phase.RUNNING)
        code, message = json_values.error_of(answer)
        places = result_places(job, profile) or _RESULTS
        links = links_at(answer, places, base_url) if phase is Phase.SUCCEEDED else ()
        filtered = json_values.number(json_values.mapping(answer.get("data")).get("raiMediaFilteredCount"))
        if phase is Phase.SUCCEEDED and not links and filtered:
            phase, code = Phase.FAILED, "moderation_blocked"
            message = f"{filtered:g} of its clips were filtered by moderation, and none is left"
        completed_at = json_values.moment(answer.get("updated_at")) if phase is not Phase.RUNNING else None
        unread = phase is Phase.SUCCEEDED and not links and json_values.has_link(answer)
        missing = missing_clip(answer, places) if phase is Phase.SUCCEEDED and not links else None
        return Progress(phase, word, links, code, message, completed_at, unread=unread, missing=missing)
