"""The servers that speak the contract of `/v1/videos`, each as one value: what differs between them is in servers.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict

from pipelines.sandbox.orders import life
from pipelines.sandbox.vendors.openai import shapes
from pipelines.sandbox.vendors.openai.shapes import VideoShape
from pipelines.sandbox.vendors.tables import STRICT, read_table

#: json or multipart: only that; either: both; upload: multipart only with a file in it
Encoding = Literal["json", "multipart", "either", "upload"]


def _function(name: str) -> Any:
    return getattr(shapes, name)


@dataclass(frozen=True, slots=True)
class ContentRules:
    """How `GET /videos/{id}/content` answers."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    early: tuple[int, str]  # status and message before there is a file
    late: tuple[int, str] = (404, "This video is no longer available: downloads expire after 1 hour.")  # [I3]
    variants: bool = True  # thumbnail and spritesheet; otherwise the parameter is not looked at
    ranges: bool = True
    attachment: bool = False  # named, so that a browser saves it


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDialect:
    """One way to speak the contract; what its models take is in models.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    prefix: str
    contract: str  # as it stands on the bill, and as the faults name it
    default_model: str | None = None  # without one, an order must name its model
    shape: Annotated[VideoShape, BeforeValidator(_function)]
    words: Annotated[Mapping[Any, str], BeforeValidator(lambda name: getattr(life, name))]
    receipt: Annotated[VideoShape, BeforeValidator(_function)] | None = None  # answers an order, where it is another
    status: Annotated[VideoShape, BeforeValidator(_function)] | None = None  # answers a query, where it is another
    alias: Annotated[Callable[[str], str], BeforeValidator(_function)] | None = None  # a second id, which finds it too
    prompt_most: int = 32_000
    encoding: Encoding = "either"
    content: ContentRules | None = None
    listing: Literal["page", "bare"] | None = "page"  # page: with first_id, last_id and has_more; bare: without
    list_needs: str | None = None  # a parameter of the query, or a header with dashes, without which there is no list
    #: finished: only what is; running: that too; shown: that too, and the answer is the video itself
    deletion: Literal["finished", "running", "shown"] | None = "finished"
    remix: bool = True
    task_result: bool = False  # a finished answer carries a direct link
    poll_hint: bool = False  # answers say in a header when to ask again
    webhooks: bool = False
    foreign: int = 404  # what is answered about another account's video
    needs_key: bool = True


DIALECTS = read_table("openai/servers.yaml", ServerDialect)
