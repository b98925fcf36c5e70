"""The services beside sora, each as one value: what it takes, and how it shows a result [A2 A4 A5]."""

from __future__ import annotations

from dataclasses import replace

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.requests.rules import Rule
from pipelines.sandbox.vendors.acedata import shapes
from pipelines.sandbox.vendors.acedata.orders import (
    CALLBACK,
    COMMON,
    FLAG,
    IMAGES,
    TEXT,
    URL,
    URLS,
    WHOLE,
    Service,
    choice,
)
from pipelines.sandbox.vendors.acedata.shapes import Shape, flat, listed, single

NEEDED_URL = replace(URL, required=True)
VEO = Service(
    name="veo",
    fields={
        **COMMON,
        "action": choice("text2video", "image2video", "ingredients2video", "get1080p", required=True),
        "model": choice("veo3", "veo3-fast", "veo31", "veo31-fast", "veo31-fast-ingredients"),
        "prompt": TEXT,
        "aspect_ratio": choice("16:9", "9:16"),
        "resolution": choice("4k", "1080p", "gif"),
        "image_urls": replace(IMAGES, most=3),
        "video_id": TEXT,
        "translation": FLAG,
    },
    defaults={"model": "veo3-fast", "aspect_ratio": "16:9", "resolution": "720p"},
    rules=(
        Rule({"action": ("text2video",)}, needs=("prompt",), refuses=("image_urls", "video_id")),
        Rule({"action": ("image2video", "ingredients2video")}, needs=("image_urls",), refuses=("video_id",)),
        Rule({"action": ("get1080p",)}, needs=("video_id",), refuses=("image_urls", "resolution")),
    ),
    seconds=8,
    ratio="aspect_ratio",
    fineness="resolution",
    source="video_id",
    spec=Shape(listed, shapes.veo),
)
KLING_EXTENDABLE = ("kling-v1", "kling-v1-6", "kling-v2-5-turbo")
KLING_OLDER = ("kling-v1", "kling-v1-6", "kling-v2-master", "kling-v2-1-master", "kling-v2-5-turbo", "kling-v2-6")
KLING_3 = ("kling-v3", "kling-v3-omni")
KLING_FINE_TUNING = ("negative_prompt", "camera_control", "cfg_scale")
KLING = Service(
    name="kling",
    fields={
        **COMMON,
        "action": choice("text2video", "image2video", "extend", required=True),
        "model": choice(*KLING_OLDER, *KLING_3, "kling-o1"),
        "mode": choice("std", "pro", "4k"),
        "prompt": TEXT,
        "negative_prompt": Field(most=200),
        "duration": WHOLE,
        "aspect_ratio": choice("16:9", "9:16", "1:1"),
        "start_image_url": URL,
        "end_image_url": Field("image", kinds=("url",), needs=("start_image_url",)),
        "cfg_scale": Field("number", least=0, most=1),
        "generate_audio": FLAG,
        "camera_control": Field("object", inside={"type": TEXT, "config": Field("object")}),
        "image_list": Field(
            "list", least=1, inside={"image_url": NEEDED_URL, "type": choice("first_frame", "end_frame")}
        ),
        "video_list": Field(
            "list",
            least=1,
            most=1,
            inside={
                "video_url": NEEDED_URL,
                "refer_type": choice("base", "feature"),
                "keep_original_sound": choice("yes", "no"),
            },
        ),
        "video_id": TEXT,
        "timeout": Field("number", least=1),
    },
    defaults={"model": "kling-v1", "mode": "std", "duration": 5, "aspect_ratio": "16:9", "generate_audio": False},
    rules=(
        Rule({"model": KLING_OLDER}, allows={"duration": (5, 10), "mode": ("std", "pro")}),
        Rule({"model": KLING_3}, allows={"duration": range(3, 16)}),
        Rule({"model": ("kling-o1",)}, allows={"duration": (5,), "mode": ("std", "pro"), "generate_audio": (False,)}),
        Rule({"model": ("kling-o1",)}, refuses=KLING_FINE_TUNING),
        Rule(
            given=("image_list", "video_list"),
            refuses=KLING_FINE_TUNING,
            allows={"model": ("kling-v3-omni", "kling-o1"), "mode": ("std", "pro")},
        ),
        Rule(given=("video_list",), allows={"generate_audio": (False,)}),
        Rule({"generate_audio": (True,)}, allows={"model": (*KLING_3, "kling-v2-6")}),
        Rule({"generate_audio": (True,), "model": ("kling-v2-6",)}, allows={"mode": ("pro",)}),
        Rule({"action": ("text2video",)}, needs=("prompt",), refuses=("start_image_url", "video_id")),
        Rule({"action": ("image2video",)}, needs=("prompt", "start_image_url"), refuses=("video_id",)),
        Rule(
            {"action": ("extend",)},
            needs=("video_id",),
            refuses=("start_image_url", "image_list", "video_list"),
            allows={"model": KLING_EXTENDABLE},
        ),
    ),
    ratio="aspect_ratio",
    fineness="mode",
    source="video_id",
    spec=Shape(flat, shapes.kling, done="succeed", fails_in_words=True),
    fixture=Shape(flat, shapes.kling_fixture, done="completed", fails_in_words=True),
)
LUMA = Service(
    name="luma",
    fields={
        **COMMON,
        "action": choice("generate", "extend"),
        "prompt": TEXT,
        "aspect_ratio": Field(pattern=r"[1-9]\d?:[1-9]\d?"),
        "loop": FLAG,
        "enhancement": FLAG,
        "start_image_url": URL,
        "end_image_url": URL,
        "video_id": TEXT,
        "video_url": URL,
        "timeout": Field("number", least=1),
    },
    defaults={"action": "generate", "aspect_ratio": "16:9", "enhancement": True, "timeout": 300},
    rules=(
        Rule(
            {"action": ("generate",)},
            needs_one=("prompt", "start_image_url", "end_image_url"),
            refuses=("video_id", "video_url"),
        ),
        Rule({"action": ("extend",)}, needs_one=("video_id", "video_url")),
    ),
    seconds=5,
    ratio="aspect_ratio",
    source="video_id",
    spec=Shape(flat, shapes.luma, done="completed"),
)
WAN_FROM_IMAGES = ("wan2.6-i2v", "wan2.6-i2v-flash")
WAN = Service(
    name="wan",
    fields={
        **COMMON,
        "action": choice("text2video", "image2video", required=True),
        "model": choice("wan2.6-t2v", *WAN_FROM_IMAGES, "wan2.6-r2v", required=True),
        "prompt": Field(required=True, least=1),
        "negative_prompt": Field(most=500),
        "duration": Field("integer", allowed=(5, 10, 15)),
        "resolution": choice("480P", "720P", "1080P"),
        "size": Field(pattern=r"[1-9]\d{2,3}[x*][1-9]\d{2,3}"),
        "audio": FLAG,
        "audio_url": URL,
        "image_url": URL,
        "shot_type": choice("single", "multi"),
        "prompt_extend": FLAG,
        "reference_video_urls": URLS,
    },
    defaults={"duration": 5, "resolution": "720P"},
    rules=(
        Rule({"model": WAN_FROM_IMAGES}, needs=("image_url",), allows={"action": ("image2video",)}),
        Rule({"model": ("wan2.6-r2v",)}, needs=("reference_video_urls",)),
        Rule({"model": ("wan2.6-t2v",)}, allows={"action": ("text2video",)}),
    ),
    fineness="resolution",
    spec=Shape(flat, shapes.luma, done="completed"),
)
HAILUO = Service(
    name="hailuo",
    fields={
        **COMMON,
        "action": choice("generate", required=True),
        "model": choice("minimax-t2v", "minimax-i2v", "minimax-i2v-director"),
        "prompt": TEXT,
        "first_image_url": URL,
    },
    defaults={"model": "minimax-t2v"},
    rules=(
        Rule({"model": ("minimax-t2v",)}, needs=("prompt",), refuses=("first_image_url",)),
        Rule({"model": ("minimax-i2v", "minimax-i2v-director")}, needs=("first_image_url",)),
    ),
    seconds=6,
    spec=Shape(listed, shapes.hailuo),
    fixture=Shape(listed, shapes.hailuo, key="status", done="completed"),
    ndjson=True,
)
_MEDIUM = Field("object", inside={"url": NEEDED_URL})
_ROLES = {
    "image_url": ("first_frame", "last_frame", "reference_image"),
    "audio_url": ("reference_audio",),
    "video_url": ("reference_video",),
}
SEEDANCE = Service(
    name="seedance",
    fields={
        **COMMON,
        "model": choice(
            "doubao-seedance-1-0-pro-250528",
            "doubao-seedance-1-0-pro-fast-251015",
            "doubao-seedance-1-0-lite-t2v-250428",
            "doubao-seedance-1-0-lite-i2v-250428",
            "doubao-seedance-1-5-pro-251215",
            "doubao-seedance-2-0-260128",
            "doubao-seedance-2-0-fast-260128",
            "doubao-seedance-2-0-mini-260615",
            required=True,
        ),
        "content": Field(
            "list",
            least=1,
            required=True,
            inside={
                "type": choice("text", "image_url", "audio_url", "video_url", required=True),
                "text": Field(most=1_000),
                "image_url": _MEDIUM,
                "audio_url": _MEDIUM,
                "video_url": _MEDIUM,
                "role": TEXT,
            },
        ),
        "ratio": choice("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"),
        "resolution": choice("480p", "720p", "1080p", "4k"),
        "duration": Field("integer", allowed=(-1, *range(2, 16))),  # -1: as the model likes
        "frames": Field("integer", allowed=tuple(range(29, 290, 4))),
        "seed": Field("integer", least=-1, most=4_294_967_295),
        "watermark": FLAG,
        "camerafixed": FLAG,
        "generate_audio": FLAG,
        "return_last_frame": FLAG,
        "execution_expires_after": Field("integer", least=3_600, most=259_200),
    },
    defaults={"ratio": "16:9", "resolution": "720p", "duration": 5},
    item_rules=(
        Rule({"type": ("text",)}, needs=("text",), refuses=("role", *_ROLES)),
        *(
            Rule({"type": (kind,)}, needs=(kind,), refuses=("text", *(set(_ROLES) - {kind})), allows={"role": roles})
            for kind, roles in _ROLES.items()
        ),
    ),
    ratio="ratio",
    fineness="resolution",
    spec=Shape(listed, shapes.seedance, key="status", fails_in_words=True),
    fixture=Shape(single, shapes.seedance, key="status", fails_in_words=True),
)
HAPPYHORSE = Service(
    name="happyhorse",
    fields={
        **COMMON,
        "action": choice("generate", "image_to_video", "reference_to_video", "video_edit"),
        "model": choice(
            *(f"happyhorse-1.{v}-{kind}" for v in (0, 1) for kind in ("t2v", "i2v", "r2v")), "happyhorse-1.0-video-edit"
        ),
        "prompt": TEXT,
        "duration": Field("integer", least=3, most=15),
        "resolution": choice("720P", "1080P"),
        "ratio": choice("16:9", "9:16", "1:1", "4:3", "3:4"),
        "seed": Field("integer", least=0, most=2_147_483_647),
        "image_url": URL,
        "image_urls": IMAGES,
        "video_url": URL,
        "watermark": FLAG,
        "audio_setting": choice("auto", "origin"),
    },
    defaults={
        "action": "generate",
        "model": "happyhorse-1.1-t2v",
        "duration": 5,
        "resolution": "1080P",
        "ratio": "16:9",
    },
    rules=(
        Rule({"action": ("generate",)}, needs=("prompt",), refuses=("image_url", "image_urls", "video_url")),
        Rule({"action": ("image_to_video",)}, needs_one=("image_url", "image_urls"), refuses=("video_url",)),
        Rule({"action": ("reference_to_video",)}, needs=("prompt",), needs_one=("image_urls", "image_url")),
        Rule({"action": ("video_edit",)}, needs=("prompt", "video_url")),
    ),
    ratio="ratio",
    fineness="resolution",
    spec=Shape(listed, shapes.happyhorse, failed="error", fails_in_words=True),
    ndjson=True,
)
MAESTRO = Service(
    name="maestro",
    fields={
        **CALLBACK,
        "prompt": Field(required=True, least=1),
        "action": choice("generate", "remix", "edit", "extend"),
        "ref_task_id": TEXT,
        "duration": Field("integer", least=1, most=600),
        "aspect": choice("9:16", "16:9", "1:1"),
        "quality": choice("draft", "standard", "premium"),
        "file_urls": URLS,
        "langs": Field("list", least=1, each=TEXT),
        "scenario": TEXT,
        "style": TEXT,
        "voice": TEXT,
    },
    defaults={"action": "generate", "duration": 30, "aspect": "9:16", "quality": "standard"},
    rules=(
        Rule({"action": ("generate",)}, refuses=("ref_task_id",)),
        Rule({"action": ("remix", "edit", "extend")}, needs=("ref_task_id",)),
    ),
    ratio="aspect",
    source="ref_task_id",
    source_by="task",
    at_once=True,
    stages=("pending", "scripting", "generating", "rendering", "captioning", "qc"),
    spec=Shape(single, shapes.maestro, key=None),
)
SISTERS = (VEO, KLING, LUMA, WAN, HAILUO, SEEDANCE, HAPPYHORSE, MAESTRO)
