"""Compare a clip with its order. One that differs is kept, and says so in its flags."""

from __future__ import annotations

from pipelines.core.shape import has_shape, shape_named, shape_of
from pipelines.outputs.media.moov import Media

_SLACK_S = 0.5
_SLACK_SHARE = 0.05


def differences(
    media: Media,
    *,
    seconds: float | None = None,
    pixels: tuple[int, int] | None = None,
    orientation: str | None = None,
    audio: bool | None = None,
) -> tuple[str, ...]:
    """The flags of a clip, in a fixed order; empty when it is as ordered.

    A provider may silently shorten a clip or turn it, with status 200 and the full price. None means not ordered.

    Args:
        media: what came.
        seconds: the length ordered. It may differ by half a second or 5 %, whichever is more: encoders pad.
        pixels: width and height ordered.
        orientation: landscape, portrait, square or a ratio such as 21:9, where no pixels are ordered. A ratio may differ
            by 5 %: encoders round to blocks.
        audio: whether sound is expected.
    """
    flags = []
    if seconds is not None and abs(media.duration_s - seconds) > max(_SLACK_S, _SLACK_SHARE * seconds):
        flags.append("duration_mismatch")
    if pixels is not None:
        if (media.width, media.height) != pixels:
            flags.append("size_mismatch")
        orientation = shape_of(*pixels)
    shape = shape_named(orientation) if orientation is not None else None
    if shape is not None and not has_shape(media.width, media.height, shape, _SLACK_SHARE):
        flags.append("orientation_mismatch")
    if audio and not media.has_audio:
        flags.append("no_audio")
    return tuple(flags)


def changed_orders(
    *, seconds: int | None, size: str | None, said_seconds: float | None, said_size: str | None
) -> tuple[str, ...]:
    """Flags for an order that the provider has silently changed: what its answers say against what was ordered.

    Lengths are compared as numbers: the same contract says `"8"`, `8` and `"8.0"`. None means not ordered, or not said.
    """
    flags = []
    if seconds is not None and said_seconds is not None and said_seconds != seconds:
        flags.append("length_changed_by_provider")
    if size is not None and said_size is not None and said_size.lower() != size.lower():
        flags.append("size_changed_by_provider")
    return tuple(flags)
