"""A small JPEG of a clip. Made later, never on the way home; a clip without one is still a clip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

LONG_SIDE = 320
_QUALITY = 80


def make_thumbnail(video: Path, thumbnail: Path) -> str | None:
    """Write the key frame next to the middle of a clip as JPEG. Says why it could not, or None. Blocks some 10 ms.

    Args:
        video: the clip.
        thumbnail: where the picture goes; an older one is replaced, the folder is made.
    """
    import av  # noqa: PLC0415 - slow to load, and only needed here
    from av.error import FFmpegError  # noqa: PLC0415 - as above

    if thumbnail.parent.is_symlink():  # files of others may have the names of ours there
        return f"{thumbnail.parent} is a symbolic link; links are not followed"
    temporary = thumbnail.with_name(f".{thumbnail.name}.{os.getpid()}.tmp")
    try:
        # Without a probe FFmpeg decodes nothing but the one frame: what it needs to know is in the index.
        with av.open(str(video), container_options={"probesize": "32", "analyzeduration": "0"}) as container:
            picture = _middle_picture(container)
        thumbnail.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            picture.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
        temporary.replace(thumbnail)
    except (FFmpegError, OSError, ValueError, IndexError, StopIteration) as error:
        temporary.unlink(missing_ok=True)
        return f"{type(error).__name__}: {error}"
    return None


def _middle_picture(container: Any) -> Any:
    """The key frame next to the middle as a picture, upright, at most `LONG_SIDE` long."""
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "NONKEY"
    if container.duration and container.duration > 0:
        container.seek(container.duration // 2, backward=True)
    frame = next(container.decode(stream))
    scale = min(1.0, LONG_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    picture = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture
