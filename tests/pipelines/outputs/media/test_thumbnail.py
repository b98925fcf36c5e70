from __future__ import annotations

import pytest
from PIL import Image

from pipelines.outputs.media.thumbnail import make_thumbnail
from tests.pipelines.outputs.clips import make_clip, turned


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 640, "height": 360}, (320, 180)),
        ({"width": 360, "height": 640}, (180, 320)),
        ({"width": 64, "height": 36}, (64, 36)),  # never enlarged
    ],
)
def test_a_thumbnail_is_320_on_its_long_side(tmp_path, options, size):
    """Upright, small, a JPEG, and with what the clip shows."""
    (tmp_path / "a.mp4").write_bytes(make_clip(shade=200, **options))

    assert make_thumbnail(tmp_path / "a.mp4", tmp_path / "thumbs" / "a.jpg") is None

    with Image.open(tmp_path / "thumbs" / "a.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
        assert picture.convert("L").getpixel((5, 5)) == pytest.approx(200, abs=12)
    assert [path.name for path in (tmp_path / "thumbs").iterdir()] == ["a.jpg"]


def test_a_turned_clip_has_a_turned_thumbnail(tmp_path, clip):
    """A thumbnail is seen as players show the clip."""
    (tmp_path / "a.mp4").write_bytes(turned(clip))

    assert make_thumbnail(tmp_path / "a.mp4", tmp_path / "a.jpg") is None

    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.size == (36, 64)


@pytest.mark.parametrize("content", [None, b"", b"no video at all", b"\0\0\0\x08ftyp"])
def test_a_failure_is_a_reason_and_no_error(tmp_path, content):
    """A clip without thumbnail is still a clip."""
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)

    assert make_thumbnail(tmp_path / "a.mp4", tmp_path / "thumbs" / "a.jpg")
    assert not (tmp_path / "thumbs" / "a.jpg").exists()
