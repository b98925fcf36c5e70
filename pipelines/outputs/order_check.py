"""What came against what was ordered. A clip that differs is kept, and says so in its flags."""

from __future__ import annotations

from pipelines.outputs.moov import Media

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
        orientation: "landscape" or "portrait", where no pixels are ordered.
        audio: whether sound is expected.
    """
    flags = []
    if seconds is not None and abs(media.duration_s - seconds) > max(_SLACK_S, _SLACK_SHARE * seconds):
        flags.append("duration_mismatch")
    if pixels is not None:
        if (media.width, media.height) != pixels:
            flags.append("size_mismatch")
        orientation = _orientation(*pixels)
    if orientation in ("landscape", "portrait") and _orientation(media.width, media.height) != orientation:
        flags.append("orientation_mismatch")
    if audio and not media.has_audio:
        flags.append("no_audio")
    return tuple(flags)


def _orientation(width: int, height: int) -> str:
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"
