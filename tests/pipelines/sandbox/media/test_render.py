from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from pipelines.sandbox.media.picture import Caption
from pipelines.sandbox.media.render import blank_clip, clip, still


def caption(identifier="a", prompt="a lighthouse in the fog", width=1280, height=720):
    return Caption(identifier, prompt, "sandbox", width, height)


@pytest.mark.parametrize(("width", "height", "seconds"), [(1280, 720, 4), (720, 1280, 8), (1792, 1024, 4)])
def test_a_clip_is_what_was_ordered(width, height, seconds):
    """Length, pixels, frame rate, codecs and sound are as ordered, and every frame decodes to the job's own picture."""
    with av.open(io.BytesIO(clip(caption(width=width, height=height), seconds))) as file:
        frames = [bytes(frame.planes[0]) for frame in file.decode(video=0)]
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (width, height)
        assert (len(frames), float(video.average_rate)) == (seconds * 24, 24.0)
        assert len(set(frames)) == 1
        assert file.duration == seconds * 1_000_000
    with av.open(io.BytesIO(clip(caption(width=width, height=height), seconds))) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
        assert samples / 48_000 == pytest.approx(seconds, abs=0.05)


def test_each_job_has_its_own_bytes_and_always_the_same():
    """Two jobs never share a file, and one job's file is the same whenever it is made."""
    assert clip(caption("a"), 4) == clip(caption("a"), 4)
    assert clip(caption("a"), 4) != clip(caption("b"), 4)


def test_a_clip_shows_its_own_picture_and_not_the_templates():
    """Pictures of two jobs differ visibly, to the last frame."""

    def last_frame(data):
        with av.open(io.BytesIO(data)) as file:
            return [bytes(frame.planes[0]) for frame in file.decode(video=0)][-1]

    assert len({last_frame(clip(caption(i), 4)) for i in "abc"} | {last_frame(blank_clip(1280, 720, 4))}) == 4


@pytest.mark.parametrize(
    "prompt",
    [
        "一只橘色的猫坐在窗台上" * 40,
        "🐈‍⬛ emoji 👩‍🚀",
        "\ud800 broken",
        "word" * 400,
        "line\nbreak\ttab\0",
        "עברית العربية",
        " ",
    ],
)
def test_any_prompt_can_be_drawn(prompt):
    """No prompt makes rendering fail."""
    assert len(clip(caption(prompt=prompt), 4)) < 200_000


def test_a_thumbnail_is_a_picture():
    """The still is a WebP or JPEG of the clip's shape."""
    with Image.open(io.BytesIO(still(caption(), "webp"))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (480, 270))
