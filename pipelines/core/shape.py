"""The shape of a picture: landscape, portrait, square, or a ratio such as 21:9. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

#: What the provider chooses itself, after the reference image for example.
ADAPTIVE = "adaptive"

_WORDS = {
    **dict.fromkeys(("landscape", "horizontal", "wide", "16:9"), "landscape"),
    **dict.fromkeys(("portrait", "vertical", "tall", "9:16"), "portrait"),
    **dict.fromkeys(("square", "1:1"), "square"),
    ADAPTIVE: ADAPTIVE,
}
_RATIO = re.compile(r"([1-9][0-9]?)\s*[:x/]\s*([1-9][0-9]?)")

#: How far a picture may be from a ratio and still have it: encoders round to blocks, so that 21:9 is made as 1536x640.
_SLACK = 0.03


def shape_named(text: str) -> str | None:
    """The shape that a person means: landscape, portrait, square, adaptive, or a ratio such as 21:9; else None."""
    word = " ".join(text.casefold().split())
    ratio = _RATIO.fullmatch(word)
    if ratio:
        word = f"{ratio[1]}:{ratio[2]}" if ratio[1] != ratio[2] else "square"
    return _WORDS.get(word, word if ratio else None)


def pixels_of(size: str | None) -> tuple[int, int] | None:
    """Width and height, where a size such as 1280x720 says them exactly."""
    width, cross, height = (size or "").lower().replace("*", "x").partition("x")
    return (int(width), int(height)) if cross and width.isdecimal() and height.isdecimal() else None


def shape_of(width: int, height: int) -> str:
    """Landscape, portrait or square."""
    if width == height:
        return "square"
    return "landscape" if width > height else "portrait"


def ratio_of(width: int, height: int) -> str:
    """The shape as exactly as a word can say it: 1024x768 is 4:3, and 1280x720 is landscape."""
    ratio = Fraction(width, height)
    text = f"{ratio.numerator}:{ratio.denominator}"
    return shape_named({"7:3": "21:9", "3:7": "9:21"}.get(text, text)) or shape_of(width, height)


def has_shape(width: int, height: int, shape: str, slack: float = _SLACK) -> bool:
    """Tell whether a picture has a shape. Wider than high is landscape, whatever the ratio; adaptive is every shape.

    Args:
        width: in pixels.
        height: in pixels.
        shape: as `shape_named` gives it.
        slack: how far from a ratio it may be, as a share.
    """
    if shape in ("landscape", "portrait"):
        return shape_of(width, height) == shape
    if shape == ADAPTIVE:
        return True
    across, _, down = ("1:1" if shape == "square" else shape).partition(":")
    wanted = int(across) / int(down)
    return height > 0 and abs(width / height / wanted - 1) <= slack
