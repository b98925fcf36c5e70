"""What the models of each server take: models.yaml, by server and by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.vendors.tables import STRICT, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    """One model, or several that take the same."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    servers: tuple[str, ...]
    names: tuple[str, ...]
    fields: Mapping[str, Field]  # all that an order may hold besides `model` and `prompt`
    seconds: int = 4  # unless the order says otherwise
    size: str = "720x1280"
    first_frame: bool = False  # `input_reference` must have the pixels of the clip
    within: tuple[int, int] = (4096, 4096)  # at most this many pixels along the longer and the shorter side


MODELS: defaultdict[str, dict[str, VideoModel]] = defaultdict(dict)
for _model in read_table("openai/models.yaml", VideoModel):
    for _server in _model.servers:
        MODELS[_server] |= dict.fromkeys(_model.names, _model)
