from __future__ import annotations

import pytest

from pipelines.outputs.media.comparison import differences
from pipelines.outputs.media.moov import Media


def media(duration_s=4.0, width=1280, height=720, *, has_audio=True) -> Media:
    return Media(duration_s, width, height, 30.0, has_audio)


@pytest.mark.parametrize(
    ("came", "ordered", "flags"),
    [
        (media(), {}, ()),
        (media(), {"seconds": 4, "pixels": (1280, 720), "orientation": "landscape", "audio": True}, ()),
        (media(4.5), {"seconds": 4}, ()),  # half a second is padding
        (media(4.51), {"seconds": 4}, ("duration_mismatch",)),
        (media(4), {"seconds": 8}, ("duration_mismatch",)),  # T1
        (media(10), {"seconds": 15}, ("duration_mismatch",)),  # T28
        (media(20.9), {"seconds": 20}, ()),  # 5 % of a long clip
        (media(21.1), {"seconds": 20}, ("duration_mismatch",)),
        (media(), {"pixels": (1920, 1080)}, ("size_mismatch",)),
        (media(), {"pixels": (720, 1280)}, ("size_mismatch", "orientation_mismatch")),
        (media(), {"orientation": "portrait"}, ("orientation_mismatch",)),
        (media(width=720), {"orientation": "portrait"}, ("orientation_mismatch",)),
        (media(), {"pixels": (1024, 1024)}, ("size_mismatch", "orientation_mismatch")),
        (media(width=736), {"orientation": "square"}, ()),  # rounded to blocks
        (media(), {"orientation": "square"}, ("orientation_mismatch",)),
        (media(width=960), {"orientation": "4:3"}, ()),
        (media(), {"orientation": "4:3"}, ("orientation_mismatch",)),
        (media(), {"orientation": "16:9"}, ()),
        (media(width=720), {"orientation": "adaptive"}, ()),
        (media(has_audio=False), {"audio": True}, ("no_audio",)),
        (media(has_audio=False), {"audio": False}, ()),
    ],
)
def test_d23_t1_t28_every_difference_is_a_flag(came, ordered, flags):
    """A clip that is not as ordered says in which way."""
    assert differences(came, **ordered) == flags
