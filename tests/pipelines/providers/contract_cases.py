"""What is ordered of each mode of each profile in the contract suite, derived from the profiles: new ones join by themselves.

docs/providers.md shows these cases mode by mode, so that the page says what is tested because it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.profile.order_parts import Parameter

#: What a case is about, and how the page heads its column.
KINDS = {
    "text": "text",
    "image": "image",
    "images": "several images",
    "file": "local file",
    "character": "character",
    "remix": "remix",
    "parameters": "own parameters",
}
CLIP = "(the id of an earlier clip)"
FILE = "picture-{number}.png"  # written with the pixels that are ordered
ADDRESS = "https://example.com/picture-{number}.png"
VIDEO = "https://example.com/clip.mp4"

#: Values of parameters that a profile cannot describe: what is JSON, and what names something elsewhere.
SAMPLES = {
    "audio_url": "https://example.com/sound.mp3",
    "audio_urls": "https://example.com/sound.mp3",
    "camera_control": '{"type": "simple", "config": {"zoom": 5}}',
    "elements": '[{"name": "a fox"}]',
    "multi_prompt": '[{"index": 1, "prompt": "a fox wakes", "duration": "5"}]',
    "reference_video_urls": VIDEO,
    "video_id": CLIP,
    "video_list": f'[{{"video_url": "{VIDEO}", "refer_type": "base"}}]',
    "video_url": VIDEO,
    "video_urls": VIDEO,
}
#: What a parameter takes beside itself, as the vendors' pages say and no profile can.
COMPANIONS: dict[str, dict[str, Any]] = {
    "generate_audio": {"mode": "pro"},
    "multi_prompt": {"shot_type": "customize"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One order, as a row of a batch file has it."""

    provider: str
    mode: str
    kind: str
    attempts: tuple[dict[str, Any], ...]  # the first that is planned in this mode is the one
    parent: dict[str, Any] | None = None  # a row that is made before it
    name: str = ""  # of the parameter

    def __str__(self) -> str:
        return "/".join(filter(None, (self.provider, self.mode, self.name or self.kind)))


def cases_of(profile: Profile) -> Iterator[Case]:
    """Every case of a profile."""
    for mode in profile.modes:
        parent = _parent(profile, mode)

        def case(
            kind: str, *rows: dict[str, Any], mode: Mode = mode, parent: dict[str, Any] | None = parent, **more: Any
        ) -> Case:
            return Case(profile.name, mode.name, kind, rows, **{"parent": parent, **more})

        rule = mode.images
        if not rule.least:
            yield case("text", _row(profile, mode))
        if rule.most and "url" in rule.forms:
            yield case("image", *_with_images(profile, mode, 1, ADDRESS))
        if rule.most > 1 and rule.ignored_beyond is None:
            yield case("images", *_with_images(profile, mode, 2, ADDRESS if "url" in rule.forms else FILE))
        if rule.most and set(rule.forms) != {"url"}:
            yield case("file", *_with_images(profile, mode, 1, FILE))
        if mode.character:
            yield case(
                "character", _row(profile, mode) | {"character_url": VIDEO, "character_start": 1, "character_end": 3}
            )
        if mode.remix is not None:
            child = {"prompt": "a fox, at night", "provider": profile.name, "remix_of": "parent"}
            yield case("remix", child, parent=_plain(profile, mode)[0] | {"id": "parent"})
        for name, parameter in mode.parameters.items():
            rows = [
                row | sample
                for row in _plain(profile, mode)
                if (sample := _sample(name, parameter, row["model"], mode))
            ]
            yield case("parameters", *rows, name=name)


def _row(profile: Profile, mode: Mode) -> dict[str, Any]:
    """A typical order: what the mode has by default, said as far as it tells the mode from others."""
    usual = mode.default_model or profile.default_model
    model = usual if usual in mode.models else mode.models[0]
    row = {"prompt": "a fox in the snow", "provider": profile.name, "model": model}
    row |= {name: value for name, value in mode.fixed.items() if isinstance(value, str)}
    for name, parameter in mode.parameters.items():
        if parameter.required:
            row |= _sample(name, parameter, model, mode)
    return row


def _with_images(profile: Profile, mode: Mode, least: int, name: str) -> Iterator[dict[str, Any]]:
    for count in range(max(least, mode.images.least), mode.images.most + 1):
        yield _row(profile, mode) | {"image_url": [name.format(number=number) for number in range(1, count + 1)]}


def _plain(profile: Profile, mode: Mode) -> list[dict[str, Any]]:
    """A typical order with as few images as the mode takes."""
    if not mode.images.least:
        return [_row(profile, mode)]
    return list(_with_images(profile, mode, 1, ADDRESS if "url" in mode.images.forms else FILE))


def _parent(profile: Profile, mode: Mode) -> dict[str, Any] | None:
    """An order whose clip a mode builds upon, where it does."""
    row = _row(profile, mode)
    if CLIP not in row.values():
        return None
    able = (other for other in profile.modes if row["model"] in other.models and not other.images.least)
    first = next(other for other in able if CLIP not in _row(profile, other).values())
    return _row(profile, first) | {"model": row["model"]}


def _sample(name: str, rule: Parameter, model: str, mode: Mode) -> dict[str, Any]:
    """A value that the parameter takes, and what goes with it."""
    companions = {other: value for other, value in COMPANIONS.get(name, {}).items() if other in mode.parameters}
    if rule.models and model not in rule.models:
        companions = {"model": rule.models[0]} | companions
        model = rule.models[0]
    fitting = [value for value in rule.allowed if model in rule.only.get(str(value), (model,))]
    if fitting:
        value: Any = fitting[-1]
    elif name in SAMPLES:
        value = SAMPLES[name]
    else:
        low = int(rule.least or 1)
        value = {"boolean": "yes", "integer": low, "number": low, "list": "calm", "json": "{}"}.get(rule.type, "calm")
    return {name: value} | companions


def pixels_of(mode: Mode) -> tuple[int, int]:
    """How large a picture for a typical order of a mode is."""
    width, cross, height = (mode.size.default if mode.size else "").partition("x")
    return (int(width), int(height)) if cross else (1280, 720)
