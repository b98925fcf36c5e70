"""What each model of Qiniu's queue takes: its path, its fields, its pixels [Q4 Q6]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.requests.rules import Rule

WIDE = ("16:9", "9:16")
SQUARE = (*WIDE, "1:1")
FIVE = (*SQUARE, "3:4", "4:3")
FLAG = Field("boolean")
SEED = Field("integer", least=0)
URL = Field("image", kinds=("url",))
URLS = Field("list", least=1, each=URL)
OBJECTS = Field("list", least=1, each=Field("object"))


@dataclass(frozen=True, slots=True)
class Model:
    """One model, or several that take the same."""

    paths: re.Pattern[str]
    fields: Mapping[str, Field]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    tells_seed: bool = False  # beside the video


def model_at(path: str) -> Model | None:
    """The model at a path below `/queue/`."""
    return next((model for model in MODELS if model.paths.fullmatch(path)), None)


def family_of(path: str) -> str:
    """The part of a model's path that the addresses of its requests go on from: it cannot be guessed [Q4 Q11]."""
    keeps_more = path.startswith("bytedance/")
    return path.rsplit("/", 1)[0] if keeps_more else "/".join(path.split("/")[:2])


def _images(*names: str, required: bool = False, raw: bool = False) -> dict[str, Field]:
    kinds: Any = ("url", "data_url", "base64") if raw else ("url", "data_url")
    return {name: Field("image", kinds=kinds, required=required) for name in names}


def _prompt(most: int) -> dict[str, Field]:
    return {"prompt": Field(least=1, most=most, required=True), "callback_url": Field()}


def _vidu(*, least: int = 1, most: int = 10, **fields: Field) -> dict[str, Field]:
    common = {
        **_prompt(2_000),
        "seed": SEED,
        "duration": Field("integer", least=least, most=most),
        "resolution": Field(allowed=("1080p", "720p", "560p")),
        "movement_amplitude": Field(allowed=("auto", "small", "medium", "large")),
    }
    return {**common, **fields}


def _kling(**fields: Field) -> dict[str, Field]:
    common = {**_prompt(2_500), "duration": Field(allowed=("5", "10"))}
    return {**common, **fields}


_BGM = Field("boolean", required=True)
_FULL_HD = Field(allowed=("1080p",))
_VIDU_PROMPT = Field(most=2_000)  # of a model that can go without one
_SHAPED = Field(allowed=FIVE, required=True)
_REFERENCES = replace(URLS, most=7)
_SUBJECT = {"id": Field(required=True), "images": replace(URLS, most=3, required=True), "voice_id": Field()}
_CFG = Field("number", least=0, most=1)
_KLING_TEXT = {"negative_prompt": Field(), "aspect_ratio": Field(allowed=SQUARE), "cfg_scale": _CFG}
_SHOTS = {"generate_audio": FLAG, "shot_type": Field(), "multi_prompt": replace(OBJECTS, needs=("shot_type",))}
_SEEDANCE = {
    **_prompt(2_500),
    "resolution": Field(allowed=("480p", "720p")),
    "duration": Field(allowed=("auto", *(str(n) for n in range(4, 16)))),  # text
    "aspect_ratio": Field(allowed=("auto", "21:9", *FIVE)),
    "generate_audio": FLAG,
    "seed": SEED,
}
_VEO = {
    **_prompt(20_000),
    "duration": Field(allowed=("4s", "6s", "8s")),
    "aspect_ratio": Field(allowed=("auto", *WIDE)),
    "resolution": Field(allowed=("720p", "1080p", "4k")),
    "generate_audio": FLAG,
    "auto_fix": FLAG,
    "safety_tolerance": Field(allowed=("1", "2", "3", "4", "5", "6")),
    "seed": SEED,
    "negative_prompt": Field(),
}
_VIDU_DEFAULTS = {"duration": 5, "resolution": "1080p"}
_KLING_DEFAULTS = {"duration": "5"}
_VEO_DEFAULTS = {"duration": "8s", "resolution": "720p"}


def _of(path: str, fields: Mapping[str, Field], defaults: Mapping[str, Any], *rules: Rule, seed: bool = False) -> Model:
    return Model(re.compile(path), fields, defaults, rules, seed)


VIDU = (
    _of(
        r"fal-ai/vidu/q1/text-to-video",
        _vidu(
            aspect_ratio=Field(allowed=SQUARE, required=True),
            bgm=_BGM,
            style=Field(allowed=("general", "anime")),
            duration=Field("integer", allowed=(5,)),
            resolution=_FULL_HD,
        ),
        _VIDU_DEFAULTS,
    ),
    _of(r"fal-ai/vidu/q2/text-to-video", _vidu(aspect_ratio=_SHAPED, bgm=_BGM, resolution=_FULL_HD), _VIDU_DEFAULTS),
    _of(r"fal-ai/vidu/q3/text-to-video(/pro|/turbo)?", _vidu(most=16, aspect_ratio=_SHAPED, bgm=_BGM), _VIDU_DEFAULTS),
    _of(
        r"fal-ai/vidu/q2/image-to-video/(pro|turbo)",  # from the first frame to the last: both are needed
        {
            **_vidu(prompt=_VIDU_PROMPT, is_rec=FLAG),
            **_images("image_url", "end_image_url", required=True, raw=True),
        },
        _VIDU_DEFAULTS,
    ),
    _of(
        r"fal-ai/vidu/q[13]/image-to-video(/pro|/turbo)?",
        {**_vidu(most=16, prompt=_VIDU_PROMPT, audio=FLAG), **_images("image_url", required=True, raw=True)},
        _VIDU_DEFAULTS,
    ),
    _of(
        r"fal-ai/vidu/q[12]/reference-to-video",
        _vidu(
            aspect_ratio=_SHAPED,
            bgm=_BGM,
            audio=FLAG,
            reference_image_urls=replace(_REFERENCES, excludes=("subjects",)),
            subjects=Field("list", least=1, most=7, inside=_SUBJECT),
        ),
        _VIDU_DEFAULTS,
        Rule(needs_one=("reference_image_urls", "subjects")),
    ),
    _of(
        r"fal-ai/vidu/q3/reference-to-video(/turbo)?",
        _vidu(
            least=3,
            most=16,
            aspect_ratio=_SHAPED,
            bgm=FLAG,
            audio=FLAG,
            reference_image_urls=replace(_REFERENCES, required=True),
        ),
        _VIDU_DEFAULTS,
    ),
)
KLING = (
    _of(r"fal-ai/kling-video/v2\.5-turbo/(pro|standard)/text-to-video", _kling(**_KLING_TEXT), _KLING_DEFAULTS),
    _of(
        r"fal-ai/kling-video/v2\.5-turbo/(pro|standard)/image-to-video",
        _kling(
            **_images("image_url", required=True), **_images("tail_image_url"), negative_prompt=Field(), cfg_scale=_CFG
        ),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/v2\.6/(pro|standard)/text-to-video",
        _kling(**_KLING_TEXT, generate_audio=FLAG),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/v2\.6/(pro|standard)/image-to-video",
        _kling(
            **_images("start_image_url", required=True),
            **_images("end_image_url"),
            negative_prompt=Field(),
            generate_audio=FLAG,
            voice_ids=Field("list", each=Field()),
        ),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/(v3|o3)/(pro|standard|4k)/text-to-video",
        _kling(**_KLING_TEXT, **_SHOTS, elements=OBJECTS),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/(v3|o3)/(pro|standard|4k)/image-to-video",
        _kling(
            prompt=Field(most=2_500),  # the page calls it required, its first example goes without
            **_images("start_image_url", required=True),
            **_images("end_image_url"),
            **_SHOTS,
            negative_prompt=Field(),
            cfg_scale=_CFG,
            elements=OBJECTS,
        ),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/o1/(standard/)?image-to-video",
        _kling(**_images("start_image_url", required=True), **_images("end_image_url")),
        _KLING_DEFAULTS,
    ),
    _of(
        r"fal-ai/kling-video/(o3/(pro|standard|4k)|o1(/standard)?)/reference-to-video",
        _kling(
            **_images("start_image_url", "end_image_url"),
            **_SHOTS,
            image_urls=URLS,
            video_list=URLS,
            aspect_ratio=Field(allowed=SQUARE),
        ),
        _KLING_DEFAULTS,
        Rule(needs_one=("image_urls", "start_image_url", "video_list")),
    ),
)
SEEDANCE = (
    _of(r"bytedance/seedance-2\.0/(fast/)?text-to-video", _SEEDANCE, {"duration": "auto"}, seed=True),
    _of(
        r"bytedance/seedance-2\.0/(fast/)?image-to-video",
        {**_SEEDANCE, **_images("image_url", required=True), **_images("end_image_url")},
        {"duration": "auto"},
        seed=True,
    ),
    _of(
        r"bytedance/seedance-2\.0/(fast/)?reference-to-video",
        {
            **_SEEDANCE,
            "image_urls": replace(URLS, most=9),
            "video_urls": replace(URLS, most=3),
            "audio_urls": replace(URLS, most=3),
        },
        {"duration": "auto"},
        Rule(needs_one=("image_urls", "video_urls")),
        seed=True,
    ),
)
VEO = (
    _of(r"fal-ai/veo3\.1/fast/text-to-video", _VEO, _VEO_DEFAULTS),
    _of(r"fal-ai/veo3\.1/fast/image-to-video", {**_VEO, **_images("image_url", required=True)}, _VEO_DEFAULTS),
    _of(
        r"fal-ai/veo3\.1/fast/first-last-frame-to-video",
        {**_VEO, **_images("first_frame_url", "last_frame_url", required=True, raw=True)},
        _VEO_DEFAULTS,
    ),
)
MODELS = (*VIDU, *KLING, *SEEDANCE, *VEO)
FAMILIES = (
    "fal-ai/vidu",
    "fal-ai/kling-video",
    "fal-ai/veo3.1",
    "bytedance/seedance-2.0/fast",
    "bytedance/seedance-2.0",
)
