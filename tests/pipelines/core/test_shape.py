from __future__ import annotations

import pytest

from pipelines.core.shape import has_shape, pixels_of, ratio_of, shape_named, shape_of


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("landscape", "landscape"),
        ("WIDE", "landscape"),
        ("16 : 9", "landscape"),
        ("9x16", "portrait"),
        ("1/1", "square"),
        ("3:3", "square"),
        ("21:9", "21:9"),
        ("3:2", "3:2"),
        ("adaptive", "adaptive"),
        ("1280x720", None),
        ("0:1", None),
        ("tallish", None),
        ("", None),
    ],
)
def test_a_shape_has_one_name(text, shape):
    """Whatever people call it; what is no shape has none."""
    assert shape_named(text) == shape
    assert shape is None or shape_named(shape) == shape


@pytest.mark.parametrize(
    ("size", "coarse", "exact"),
    [
        ("1280x720", "landscape", "landscape"),
        ("1024*768", "landscape", "4:3"),
        ("720x1280", "portrait", "portrait"),
        ("1680X720", "landscape", "21:9"),
        ("512x512", "square", "square"),
        ("1366x768", "landscape", "landscape"),
    ],
)
def test_a_size_tells_its_shape(size, coarse, exact):
    """Coarsely, and as exactly as a word can."""
    pixels = pixels_of(size)

    assert (shape_of(*pixels), ratio_of(*pixels)) == (coarse, exact)
    assert has_shape(*pixels, coarse)
    assert has_shape(*pixels, exact)


@pytest.mark.parametrize("size", [None, "", "small", "720p", "1280x", "x720", "axb"])
def test_other_sizes_have_no_pixels(size):
    """Only what says width and height says them."""
    assert pixels_of(size) is None


def test_a_ratio_is_met_by_what_encoders_round_it_to():
    """21:9 is made as 1536x640; 16:10 is not 16:9's neighbour 4:3."""
    assert has_shape(1536, 640, "21:9")
    assert not has_shape(1280, 800, "4:3")
    assert not has_shape(1280, 720, "square")
    assert has_shape(1, 2, "adaptive")
