"""Columns of the user's own that look as if they were meant for us: kept as they are, and said.

An unknown column is never an error. But where `Video Length` is kept without a word, the clip has the default length.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from pipelines.batch.columns.names import Column, normalised, parameter_key, refused_meanings
from pipelines.batch.findings import Report
from pipelines.core.text.counts import first_of
from pipelines.core.text.excerpt import quoted
from pipelines.core.text.suggestion import edit_distance

_NONE: Mapping[str, str] = {}
_PIXELS = "size, such as 1920x1080"

#: What people write for one of our columns, as `normalised` spells it, and what to suggest instead.
_SUGGESTED = {
    "provider": ("anbieter", "供应商", "服务商"),
    "model": (
        *("model_name", "model_id", "model_version", "video_model", "ai_model", "modell", "videomodell"),
        *("模型", "模型名称", "视频模型"),
    ),
    "seconds": (
        *("video_length", "clip_length", "video_duration", "clip_duration", "duration_sec", "duration_in_seconds"),
        *("video_seconds", "length_in_seconds", "length_s", "sekunden", "dauer", "länge", "laenge", "videolänge"),
        *("秒", "秒数", "时长", "时长秒", "时长(秒)", "视频时长", "长度"),
    ),
    "size": (
        *("video_resolution", "output_resolution", "res", "video_size", "frame_size", "image_size", "pixels"),
        *("grösse", "groesse", "auflösung", "aufloesung", "videogrösse", "尺寸", "大小", "分辨率", "视频尺寸"),
    ),
    _PIXELS: ("width", "height", "video_width", "video_height", "breite", "höhe", "hoehe", "宽度", "高度"),
    "orientation": ("video_orientation", "video_aspect_ratio", "seitenverhältnis", "比例", "宽高比", "画幅"),
    "image_url": (
        *("img", "pic", "picture", "photo", "picture_url", "photo_url", "image_file", "image_path", "input_image"),
        *("reference_image", "start_image", "first_image", "bild", "bild_url", "图片", "图像", "图片链接", "参考图"),
    ),
}

_BY_NAME = {name: suggested for suggested, names in _SUGGESTED.items() for name in names}

_SHORTEST = 5  # letters of a word in which a slip is looked for
_SHORT = 6  # a changed letter in a word shorter than this makes another word


def warn_of_lookalikes(
    columns: Iterable[Column],
    understood: frozenset[str],
    spoken: Callable[[], frozenset[str]],
    where: str,
    report: Report,
    hints: Mapping[str, str] = _NONE,
) -> None:
    """Warn of own columns that look like ours, unless ours is there as well or a template names the column.

    Args:
        columns: all of the batch.
        understood: what its providers take besides, as `parameter_key` spells it.
        spoken: gives the variables that its templates name; asked only where it matters, as it reads every prompt.
        where: the place that messages name.
        report: takes the warnings.
        hints: what to suggest for names that only its providers use, as `parameter_key` spells them.
    """
    every = tuple(columns)
    ours = {column.name for column in every if not column.own}
    found = [
        (column, suggested)
        for column in every
        if column.own
        and parameter_key(column.written) not in understood
        and (suggested := hints.get(parameter_key(column.written)) or lookalike(column.name))
        if suggested.partition(",")[0] not in ours
    ]
    named = spoken() if found else frozenset()
    for column, suggested in found:
        if column.variable not in named:
            what = f"the column {quoted(column.written, 40)} is taken as your own; did you mean {suggested}?"
            report.warn(where, what)


@lru_cache(maxsize=4096)
def lookalike(key: str) -> str | None:
    """The name that a normalised header may have been meant to be, or None."""
    key = normalised(unicodedata.normalize("NFC", key))
    if key in _BY_NAME:
        return _BY_NAME[key]
    for word, meant in {**_BY_NAME, **refused_meanings()}.items():
        if len(word) < _SHORTEST or abs(len(key) - len(word)) > 1 or not word.isascii():
            continue
        swapped = len(key) == len(word) and sorted(key) == sorted(word)
        if (swapped or len(word) >= _SHORT) and edit_distance(key, word) == 1:
            return meant
    return None


def own_columns_words(kept: tuple[str, ...]) -> str:
    """One line that names the columns that are taken as the user's own; empty where there are none."""
    if not kept:
        return ""
    last = "They go" if len(kept) > 1 else "It goes"
    noun = "Columns" if len(kept) > 1 else "Column"
    return f"{noun} of your own: {first_of([quoted(name, 40) for name in kept], 20)}. {last} to the manifest."
