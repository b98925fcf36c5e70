"""What each model takes, by the tables of the vendors and the code of the servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.sandbox.requests.fields import Field
from pipelines.sandbox.requests.references import Kind

ANY_PIXELS = r"[1-9]\d{1,3}x[1-9]\d{1,3}"
ANY_SECONDS = r"[1-9]\d{0,3}"


@dataclass(frozen=True, slots=True)
class Model:
    """One model, or several that take the same."""

    fields: Mapping[str, Field]  # all that an order may hold besides `model` and `prompt`
    seconds: int = 4  # unless the order says otherwise
    size: str = "720x1280"
    first_frame: bool = False  # `input_reference` must have the pixels of the clip
    within: tuple[int, int] = (4096, 4096)  # at most this many pixels along the longer and the shorter side


def _sora(sizes: tuple[str, ...], seconds: tuple[str, ...], *kinds: Kind) -> Model:
    fields = {
        "seconds": Field(allowed=seconds),
        "size": Field(allowed=sizes),
        "input_reference": Field("image", kinds=kinds),
    }
    return Model(fields, first_frame=True)


HD = ("720x1280", "1280x720")
PRO = (*HD, "1024x1792", "1792x1024", "1080x1920", "1920x1080")
LENGTHS = ("4", "8", "12", "16", "20")  # strings, in and out [O1 O7]


def _soras(*kinds: Kind) -> dict[str, Model]:
    small, large = _sora(HD, LENGTHS, *kinds), _sora(PRO, LENGTHS, *kinds)  # [O7]: sora-2 makes the 720p pair only
    return {
        "sora-2": small,
        "sora-2-2025-10-06": small,
        "sora-2-2025-12-08": small,
        "sora-2-pro": large,
        "sora-2-pro-2025-10-06": large,
    }


OPENAI = _soras("file", "object")
_GUEST = Model(  # what a gateway passes on to another vendor; it leaves the checks to that one
    {
        "seconds": Field(pattern=ANY_SECONDS),
        "size": Field(pattern=ANY_PIXELS),
        "input_reference": Field("image", kinds=("file", "object")),
    },
    seconds=8,
    size="1280x720",
)
#: The gateways serve what their operator chose; these are examples [L2 N1].
GATEWAY = {**OPENAI, "veo-3.0-generate-preview": _GUEST, "veo-3.1-generate-preview": _GUEST, "kling-v2-6": _GUEST}

_DIFFUSION = {  # [V2 G2]: what both self-hosted servers take besides
    "negative_prompt": Field(),
    "num_inference_steps": Field("integer", least=1),
    "guidance_scale": Field("number", least=0),
    "guidance_scale_2": Field("number", least=0),
    "true_cfg_scale": Field("number", least=0),
    "seed": Field("integer"),
    "fps": Field("integer", least=1),
    "num_frames": Field("integer", least=1),
}
_VLLM_OMNI = Model(
    {
        "seconds": Field(pattern=ANY_SECONDS),
        "size": Field(pattern=ANY_PIXELS),
        "input_reference": Field("image", kinds=("file",), excludes=("image_reference",)),
        "image_reference": Field(
            "object", inside={"image_url": Field("image", kinds=("url", "data_url"), required=True)}
        ),
        "width": Field("integer", least=1),
        "height": Field("integer", least=1),
        **_DIFFUSION,
        "num_inference_steps": Field("integer", least=1, most=200),
        **dict.fromkeys(("guidance_scale", "guidance_scale_2", "true_cfg_scale"), Field("number", least=0, most=20)),
        "boundary_ratio": Field("number", least=0, most=1),
        "flow_shift": Field("number"),
        "generate_sound": Field("boolean"),
        "lora": Field("object"),
        "extra_params": Field("object"),
        "user": Field(),
    },
    size="832x480",
)
_SGLANG = Model(
    {
        "seconds": Field("integer", least=1, most=3600),
        "size": Field(pattern=ANY_PIXELS),
        "input_reference": Field("image", kinds=("file",)),
        "reference_url": Field("image", kinds=("url",), excludes=("input_reference",)),
        **_DIFFUSION,
        "enable_teacache": Field("boolean"),
        "output_quality": Field(),
    },
    size="832x480",
)
_OPEN_WEIGHTS = (
    "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
    "Wan-AI/Wan2.2-TI2V-5B-Diffusers",
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    "hunyuanvideo-community/HunyuanVideo",
)
VLLM_OMNI = dict.fromkeys(_OPEN_WEIGHTS, _VLLM_OMNI)
SGLANG = dict.fromkeys((*_OPEN_WEIGHTS, "sora-2"), _SGLANG)  # echoes this name when none was given [G1]

_KLING_IMAGE = Field("image", kinds=("url", "base64"))  # raw, without the head of a data URL [Q8]
_KLING = {  # [Q2 Q7 Q8]
    "seconds": Field(allowed=("5", "10")),
    "size": Field(pattern=ANY_PIXELS),
    "mode": Field(allowed=("std", "pro")),
    "negative_prompt": Field(most=2_500),
    "cfg_scale": Field("number", least=0, most=1),
}
_FIRST_AND_LAST = {
    "input_reference": _KLING_IMAGE,
    "image_tail": Field("image", kinds=_KLING_IMAGE.kinds, needs=("input_reference",)),
}
_IMAGE_LIST = {
    "image_list": Field(
        "list",
        least=1,
        inside={
            "image": Field("image", kinds=_KLING_IMAGE.kinds, required=True),
            "type": Field(allowed=("first_frame", "end_frame")),
        },
    ),
}
_VIDEO_LIST = {
    "video_list": Field(
        "list",
        least=1,
        most=1,
        inside={
            "video_url": Field(pattern=r"https?://\S+", required=True),
            "refer_type": Field(allowed=("base", "feature")),
            "keep_original_sound": Field(allowed=("yes", "no")),
        },
    ),
}
_SOUND = {"sound": Field(allowed=("on", "off"))}
_SHOTS = {
    "seconds": Field(allowed=tuple(str(length) for length in range(3, 16))),
    "multi_shot": Field("boolean"),
    "shot_type": Field(allowed=("customize",)),
    "multi_prompt": Field(
        "list",
        least=1,
        inside={
            "index": Field("integer", least=0, required=True),
            "prompt": Field(least=1, required=True),
            "duration": Field(pattern=r"[1-9]\d?", required=True),
        },
    ),
    "watermark_info": Field("object"),
}


def _kling(*parts: Mapping[str, Field]) -> Model:
    fields = {name: spec for part in (_KLING, *parts) for name, spec in part.items()}
    return Model(fields, seconds=5, size="1280x720", within=(1920, 1080))


QINIU = {
    "sora-2": _sora(HD, ("4", "8", "12"), "url"),  # [Q1]
    "kling-video-o1": _kling(_IMAGE_LIST, _VIDEO_LIST),
    "kling-v2-1": _kling(_FIRST_AND_LAST, {"input_reference": Field("image", kinds=("url", "base64"), required=True)}),
    "kling-v2-5-turbo": _kling(_FIRST_AND_LAST),
    "kling-v2-6": _kling(_FIRST_AND_LAST, _SOUND),
    "kling-v3": _kling(_FIRST_AND_LAST, _SOUND, _SHOTS),
    "kling-v3-omni": _kling(_IMAGE_LIST, _SOUND, _SHOTS),
}
#: For any client: OpenAI's rules, a bare address as Qiniu takes it, and Qiniu's other models.
EITHER = {**QINIU, **_soras("file", "object", "url")}
