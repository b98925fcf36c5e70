"""The video object as each server writes it: pure functions of a bill line and the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.orders.life import Stage, share_done, stage_of
from pipelines.sandbox.vendors.openai.identifiers import litellm_alias

MESSAGES = {"moderation_blocked": "Your request was blocked by our moderation system."}  # [Q1]


@dataclass(frozen=True, slots=True)
class Sight:
    """A purchase, looked at now."""

    purchase: Purchase
    now: float
    word: str  # its stage in the words of the server
    lifetime: float = math.inf  # seconds that its file can be had

    @property
    def is_finished(self) -> bool:
        """Tell whether its time is over, well or badly."""
        return self.now >= self.purchase.finished

    @property
    def is_done(self) -> bool:
        """Tell whether it ended well."""
        return self.is_finished and self.purchase.succeeds

    @property
    def seconds(self) -> str:
        """The length as a whole number, which all of them write as a string."""
        return str(max(1, round(self.purchase.seconds)))

    @property
    def progress(self) -> int:
        """From 0 to 100; a job that failed shows 0."""
        return int(share_done(self.purchase, self.now) * 100) if self.is_done or not self.is_finished else 0

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it ended badly."""
        if self.is_done or not self.is_finished:
            return None
        outcome = self.purchase.outcome
        return {"code": outcome, "message": MESSAGES.get(outcome, f"The job ended: {outcome}.")}


VideoShape = Callable[[Sight], dict[str, Any]]


def openai_video(sight: Sight) -> dict[str, Any]:
    """Every key, null where there is nothing yet [O1 O2]."""
    purchase = sight.purchase
    done = int(purchase.finished) if sight.is_done else None
    return {
        "id": purchase.id,
        "object": "video",
        "model": purchase.model,
        "status": sight.word,
        "progress": sight.progress,
        "created_at": int(purchase.created),
        "completed_at": done,
        "expires_at": None if done is None or math.isinf(sight.lifetime) else int(done + sight.lifetime),
        "prompt": purchase.prompt,
        "size": purchase.size,
        "seconds": sight.seconds,
        "remixed_from_video_id": purchase.remixed_from,
        "error": sight.error,
    }


def qiniu_video(sight: Sight) -> dict[str, Any]:
    """The samples of [Q1]: keys come and go with the state; length and size are missing midway."""
    names = ["id", "object", "model", "status", "created_at"]
    if stage_of(sight.purchase, sight.now) is not Stage.IN_PROGRESS:
        names += ["seconds", "size"]
    document = {name: value for name, value in openai_video(sight).items() if name in names}
    if sight.is_finished:
        document["completed_at"] = int(sight.purchase.finished)
    optional = {"remixed_from_video_id": sight.purchase.remixed_from, "error": sight.error}
    return document | {name: value for name, value in optional.items() if value is not None}


def litellm_video(sight: Sight) -> dict[str, Any]:
    """Nearly all is optional: absent while the job runs, or null when the provider behind did not say [L1]."""
    purchase = sight.purchase
    document = openai_video(sight) | {"usage": {"duration_seconds": float(purchase.seconds)}, "size": None}
    del document["prompt"]
    if not sight.is_finished:
        for name in ("created_at", "completed_at", "expires_at", "seconds", "size"):
            del document[name]
        document |= {"model": None, "progress": None}
    if purchase.remixed_from is None:
        del document["remixed_from_video_id"]
    return document


def litellm_status(sight: Sight) -> dict[str, Any]:
    """The answer to a query may name the job by another id than the receipt [BerriAI/litellm PR 38148]."""
    return litellm_video(sight) | {"id": litellm_alias(sight.purchase.id)}


def vllm_receipt(sight: Sight) -> dict[str, Any]:
    """The least that an order is answered with [V1]."""
    return {"id": sight.purchase.id, "status": sight.word, "created_at": int(sight.purchase.created)}


def vllm_video(sight: Sight) -> dict[str, Any]:
    """OpenAI's keys, and figures about the machine; `error.code` may be a number [V2]."""
    purchase, error = sight.purchase, sight.error
    if error is not None and purchase.outcome == "generation_failed":
        error = {**error, "code": 500}
    spent = purchase.latency_s if sight.is_done else None
    return {
        **openai_video(sight),
        "error": error,
        "quality": "default",
        "media_type": "video/mp4",
        "file_name": f"{purchase.id}.mp4" if sight.is_done else None,
        "inference_time_s": spent,
        "stage_durations": {} if spent is None else {"denoise": spent * 0.8, "decode": spent * 0.2},
        "peak_memory_mb": 0.0 if spent is None else 40_960.0,
    }


def sglang_video(sight: Sight) -> dict[str, Any]:
    """No prompt; progress is 0 or 100; `error` is a message alone [G1 G2]."""
    document = openai_video(sight) | {
        "progress": 100 if sight.is_done else 0,
        "quality": "standard",
        "url": None,
        "remixed_from_video_id": None,
        "expires_at": None,
        "error": None if sight.error is None else {"message": sight.error["message"]},
        "file_path": f"outputs/{sight.purchase.id}.mp4",
    }
    del document["prompt"]
    return document


def new_api_video(sight: Sight) -> dict[str, Any]:
    """What is empty is left out, and the prompt; the id stands there twice [N2]."""
    document = openai_video(sight) | {"task_id": sight.purchase.id, "prompt": None}
    return {name: value for name, value in document.items() if value is not None}
