"""The picture of a simulated clip: the prompt, on a ground of the job's own colour."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from PIL import Image, ImageDraw, ImageFont

#: Fonts that many machines have, those with Chinese first. None is shipped.
FONTS = (
    "NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "msyh.ttc",
    "DejaVuSans.ttf",
    "Arial.ttf",
)
MOST_CHARACTERS = 600  # more cannot be read on the picture anyway


@dataclass(frozen=True, slots=True)
class Caption:
    """All that a picture depends on."""

    id: str
    prompt: str
    small_print: str
    width: int
    height: int


#: A picture as an encoder takes it: full luma, and both chroma planes (blue, red) at half the size, without padding.
Planes = tuple[bytes, bytes, bytes]


def planes_of(caption: Caption) -> Planes:
    """Luma from a grey drawing, chroma from two soft slopes: no colour conversion, so it costs next to nothing."""
    _, blue, red = _tint(caption.id)
    half = (caption.width // 2, caption.height // 2)
    return _grey(caption).tobytes(), _slope(half, blue, across=True), _slope(half, red, across=False)


def still_of(caption: Caption) -> Image.Image:
    """The same picture in colour, for thumbnails."""
    (luma, *colours), half = planes_of(caption), (caption.width // 2, caption.height // 2)
    full = (caption.width, caption.height)
    chroma = [Image.frombytes("L", half, plane).resize(full) for plane in colours]
    return Image.merge("YCbCr", [Image.frombytes("L", full, luma), *chroma]).convert("RGB")


def wrapped(text: str, font: Any, width: float) -> list[str]:
    """The text in lines of at most this width; words too long for a line, and Chinese, break anywhere."""
    lines: list[str] = []
    line, used = "", 0.0
    for word in text.split():
        length = font.getlength(word + " ")
        if length <= width and word.isascii():
            pieces = [(word + " ", length)]
        else:
            pieces = [*((letter, font.getlength(letter)) for letter in word), (" ", 0.0)]
        for piece, length in pieces:
            if line and used + length > width:
                lines.append(line.rstrip())
                line, used = "", 0.0
            line += piece
            used += length
    return [*lines, line.rstrip()]


def _grey(caption: Caption) -> Image.Image:
    size = (caption.width, caption.height)
    darkest, _, _ = _tint(caption.id)
    picture = _ground(size, darkest).copy()
    draw = ImageDraw.Draw(picture)
    unit = min(size) // 18
    margin = unit * 2
    text = "".join(c if c.isprintable() else " " for c in caption.prompt[:MOST_CHARACTERS])
    font, small = _font(unit), _font(unit // 2)
    most_lines = max(1, (caption.height - 4 * margin) // (unit * 3 // 2))
    y = margin
    for line in wrapped(text, font, caption.width - 2 * margin)[:most_lines]:
        draw.text((margin, y), line, font=font, fill=235)
        y += unit * 3 // 2
    below = caption.height - margin - unit
    for line in reversed(wrapped(caption.small_print, small, caption.width - 2 * margin)):
        draw.text((margin, below), line, font=small, fill=190)
        below -= unit * 3 // 4
    return picture


def _tint(identifier: str) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Darkest luma, and the slopes of both chroma planes (BT.601), from the id."""
    digest = sha256(identifier.encode()).digest()
    ends = []
    for hue in (digest[0] / 256, digest[0] / 256 + 0.08):
        red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, 0.75, 0.65)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        ends.append((128 + 224 * 0.564 * (blue - luma), 128 + 224 * 0.713 * (red - luma)))
    (blue_from, red_from), (blue_to, red_to) = ends
    return 40 + digest[1] % 24, (round(blue_from), round(blue_to)), (round(red_from), round(red_to))


@cache
def _ground(size: tuple[int, int], darkest: int) -> Image.Image:
    return Image.linear_gradient("L").resize(size).point([darkest + value // 4 for value in range(256)])


@cache
def _ramp(size: tuple[int, int], *, across: bool) -> Image.Image:
    ramp = Image.linear_gradient("L")
    return (ramp.rotate(90) if across else ramp).resize(size)


def _slope(size: tuple[int, int], ends: tuple[int, int], *, across: bool) -> bytes:
    start, stop = ends
    table = [round(start + (stop - start) * value / 255) for value in range(256)]
    return _ramp(size, across=across).point(table).tobytes()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
