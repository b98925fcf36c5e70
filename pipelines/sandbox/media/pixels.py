"""The pixels of a clip, where it is ordered by the shape and the fineness of its picture, and its frames."""

from __future__ import annotations

#: The shorter side, by the vendors' words for fineness.
SHORTER_SIDES = {
    "360p": 360,
    "480p": 480,
    "512p": 512,
    "540p": 540,
    "560p": 560,
    "720p": 720,
    "768p": 768,
    "1080p": 1080,
    "4k": 2160,
    "std": 720,  # Kling's modes [Q2]
    "standard": 720,
    "pro": 1080,
    "gif": 720,
}
DEFAULT_SIDE = 720
FRAMES_PER_SECOND = 24


def pixels(ratio: str, fineness: str = "720p") -> tuple[int, int]:
    """Width and height of a picture such as `16:9` in `1080p`, both even, as H.264 needs them.

    A shape that the clip takes from its first image (`auto`, `adaptive`) is 16:9: the sandbox fetches no image.
    """
    shorter = SHORTER_SIDES.get(fineness.lower(), DEFAULT_SIDE)
    across, colon, down = ratio.partition(":")
    width, height = (int(across), int(down)) if colon else (16, 9)
    longer = 2 * round(shorter * max(width, height) / min(width, height) / 2)
    return (longer, shorter) if width >= height else (shorter, longer)
