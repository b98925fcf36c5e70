"""The models of Qiniu's queue, from queue_models.yaml: found by path, as are the addresses of their requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.requests.rules import FieldRule
from pipelines.sandbox.vendors.tables import STRICT, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueModel:
    """One model, or several that take the same."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    paths: str  # a pattern of whole paths below `/queue/`
    fields: Mapping[str, Field]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[FieldRule, ...] = ()
    tells_seed: bool = False  # beside the video


MODELS = read_table("qiniu/queue_models.yaml", QueueModel)
FAMILIES = (
    "fal-ai/vidu",
    "fal-ai/kling-video",
    "fal-ai/veo3.1",
    "bytedance/seedance-2.0/fast",
    "bytedance/seedance-2.0",
)


def model_at(path: str) -> QueueModel | None:
    """The model at a path below `/queue/`."""
    return next((model for model in MODELS if re.fullmatch(model.paths, path)), None)


def family_of(path: str) -> str:
    """The part of a model's path that the addresses of its requests go on from: it cannot be guessed [Q4 Q11]."""
    keeps_more = path.startswith("bytedance/")
    return path.rsplit("/", 1)[0] if keeps_more else "/".join(path.split("/")[:2])
