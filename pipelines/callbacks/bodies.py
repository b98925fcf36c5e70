"""What a callback says, as far as anybody needs it: which job it names, whether that has ended, and where its clip is.

Every contract's body is recognised by what stands in it. Nothing of it is believed; the provider is asked.
Shapes: Ace's guide, Qiniu's pages for Veo and for the queue, OpenAI's events (docs/sources.md: A7, Q9, Q6, O7); and of
those whose profiles are data alone, the same object as the answer to a query (Replicate, Kling, Luma, Ark, Vidu).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipelines.ledger.callbacks import Call
from pipelines.net.addresses import without_query
from pipelines.providers.responses import json_values

_IDS = ("task_id", "request_id", "data.id", "id", "data.task_id", "output.task_id")
_STATES = ("status", "data[].state", "task_status", "state")
_LINKS = (
    "data[].video_url",
    "video_url",
    "data.videos[].url",
    "payload.video.url",
    "task_result.videos[].url",
    "result.video.url",
    "content.video_url",
    "assets.video",
    "creations[].url",
)
_ENDED = frozenset({"ok", "error", "completed", "succeeded", "failed", "cancelled", "canceled", "success", "succeed"})
_RUNNING = frozenset({"in_progress", "in_queue", "queued", "pending", "processing", "running", "starting", "dreaming"})
_RUNNING |= {"submitted", "created", "queueing"}
_DEEPEST = 32
_MOST_LINK = 2_000


def read_call(attempt_id: str, body: bytes) -> Call:
    """Read a callback. A body that says nothing is a call all the same: somebody with the token has called."""
    said = _parsed(body)
    link = next((value for place in _LINKS for value in json_values.at_path(said, place) if isinstance(value, str)), "")
    return Call(
        attempt_id,
        hashlib.sha256(body).hexdigest(),
        named_id(said),
        _has_ended(said),
        without_query(link)[:_MOST_LINK] if link.isascii() and json_values.is_link(link) else None,
    )


def event_subject(body: bytes) -> str | None:
    """The id of the video that a signed event is about: of `data`, never the event's own."""
    return json_values.identifier(json_values.mapping(_parsed(body).get("data")).get("id"))


def named_id(said: Mapping[str, Any]) -> str | None:
    """What a body calls the job: of an event that of its data, else under the vendor's own name for it."""
    places = ("data.id",) if said.get("object") == "event" else _IDS
    found = (json_values.identifier(value) for place in places for value in json_values.at_path(said, place))
    return next((name for name in found if name is not None), None)


def _parsed(body: bytes) -> Mapping[str, Any]:
    """The object in a body; nothing where it is none, or nested so deeply that reading it would cost more than it says."""
    depth = deepest = 0
    for byte in body:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return {} if deepest > _DEEPEST else json_values.parse(body) or {}


def _has_ended(said: Mapping[str, Any]) -> bool | None:
    """Whether it says that the job has ended: by the queue's or Veo's word, by an event's name, or by Ace's `success`."""
    kind = json_values.word(said.get("type"))
    if kind:
        return kind.endswith((".completed", ".failed", ".cancelled"))
    states = [json_values.word(value) for place in _STATES for value in json_values.at_path(said, place)]
    if any(word in _RUNNING for word in states):
        return False
    if any(word in _ENDED for word in states) or isinstance(said.get("success"), bool):
        return True
    return None
