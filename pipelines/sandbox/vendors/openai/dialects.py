"""The servers that speak the contract of `/v1/videos`, each as one value: what differs between them is data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.sandbox.orders import life
from pipelines.sandbox.orders.life import Stage
from pipelines.sandbox.vendors.openai import shapes
from pipelines.sandbox.vendors.openai.identifiers import litellm_alias
from pipelines.sandbox.vendors.openai.shapes import VideoShape

#: json or multipart: only that; either: both; upload: multipart only with a file in it
Encoding = Literal["json", "multipart", "either", "upload"]
#: page: with first_id, last_id and has_more; bare: without
Listing = Literal["page", "bare"]
#: finished: only what is; running: that too; shown: that too, and the answer is the video itself
Deletion = Literal["finished", "running", "shown"]


@dataclass(frozen=True, slots=True)
class Content:
    """How `GET /videos/{id}/content` answers."""

    early: tuple[int, str]  # status and message before there is a file
    late: tuple[int, str] = (404, "This video is no longer available: downloads expire after 1 hour.")  # [I3]
    variants: bool = True  # thumbnail and spritesheet; otherwise the parameter is not looked at
    ranges: bool = True
    attachment: bool = False  # named, so that a browser saves it


@dataclass(frozen=True, slots=True)
class ServerDialect:
    """One way to speak the contract; what its models take is in models.yaml."""

    name: str
    prefix: str
    contract: str  # as it stands on the bill, and as the faults name it
    default_model: str | None  # None: an order must name its model
    shape: VideoShape
    words: Mapping[Stage, str]
    receipt: VideoShape | None = None  # the answer to an order, where it is another
    status: VideoShape | None = None  # the answer to a query about one, where it is another
    alias: Callable[[str], str] | None = None  # a second id of a job, which finds it as well
    prompt_most: int = 32_000
    encoding: Encoding = "either"
    content: Content | None = None
    listing: Listing | None = "page"
    list_needs: str | None = None  # a parameter of the query, or a header with dashes, without which there is no list
    deletion: Deletion | None = "finished"
    remix: bool = True
    task_result: bool = False  # a finished answer carries a direct link
    poll_hint: bool = False  # answers say in a header when to ask again
    webhooks: bool = False
    foreign: int = 404  # what is answered about another account's video
    needs_key: bool = True


OPENAI = ServerDialect(
    "openai",
    "/openai/v1",
    "openai",
    "sora-2",
    shapes.openai_video,
    life.OPENAI_WORDS,
    content=Content((404, "Video {id} is not ready: it has no content.")),
    poll_hint=True,
    webhooks=True,
)
#: Whatever client comes: OpenAI's contract, and what Qiniu's clients look for besides.
EITHER = replace(OPENAI, name="either", prefix="/v1", task_result=True)
QINIU = ServerDialect(  # [Q1 Q2]
    "qiniu",
    "/qiniu/v1",
    "qiniu",
    None,
    shapes.qiniu_video,
    life.QINIU_WORDS,
    prompt_most=2_500,
    encoding="json",
    listing=None,
    deletion=None,
    task_result=True,
)
LITELLM = ServerDialect(  # [L1 L2]
    "litellm",
    "/litellm/v1",
    "litellm",
    None,
    shapes.litellm_video,
    life.LITELLM_WORDS,
    status=shapes.litellm_status,
    alias=litellm_alias,
    content=Content(
        (404, "Video {id} is not ready: it has no content."), variants=False, ranges=False, attachment=True
    ),
    list_needs="custom_llm_provider",
    deletion=None,
    foreign=403,
)
VLLM_OMNI = ServerDialect(  # [V1 V2]; what its /content says before there is a file was not found
    "vllm-omni",
    "/vllm-omni/v1",
    "vllm-omni",
    "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    shapes.vllm_video,
    life.OPENAI_WORDS,
    receipt=shapes.vllm_receipt,
    encoding="multipart",
    content=Content((404, "Video {id} has no content yet."), variants=False),
    deletion="running",
    remix=False,
    needs_key=False,
)
SGLANG = ServerDialect(  # [G1 G2]
    "sglang",
    "/sglang/v1",
    "sglang",
    "sora-2",
    shapes.sglang_video,
    life.SGLANG_WORDS,
    encoding="upload",
    content=Content((404, "Generation is still in-progress"), variants=False),
    listing="bare",
    deletion="shown",
    remix=False,
    needs_key=False,
)
NEW_API = ServerDialect(  # [N1 N2 N3]
    "new-api",
    "/new-api/v1",
    "new-api",
    None,
    shapes.new_api_video,
    life.NEW_API_WORDS,
    content=Content((400, "Task is not completed yet, current status: {word}"), variants=False),
    listing=None,
    deletion=None,
)
DIALECTS = (EITHER, OPENAI, QINIU, LITELLM, VLLM_OMNI, SGLANG, NEW_API)
