"""One step more where the output folder is in a bucket: a clip is home when it is there, and was read back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from pipelines.core.errors import UploadFailed
from pipelines.outputs import Clip
from pipelines.pacing.back_off import delay
from pipelines.pacing.waits import sleep_unless
from pipelines.run.run import Run

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Home:
    """A clip, and where it is kept."""

    clip: Clip
    storage_uri: str | None = None  # None: in the output folder


async def upload(clip: Clip, run: Run) -> Home:
    """Put a clip into the bucket of its run, again after faults that pass. Without a bucket it is home already.

    Raises:
        UploadFailed: it is not there now. It stays in the working folder, and no more orders are sent in this run: their
            clips would not come home either.
    """
    if run.store is None:
        return Home(clip)
    name, tried = clip.path.relative_to(run.folder).as_posix(), 0
    while True:
        try:
            kept = await asyncio.to_thread(run.store.keep, name)
            break
        except UploadFailed as error:
            tried += 1
            if tried == _TRIES or not error.passes or run.stop.is_set():
                run.close(type(error)(f"Nothing more is ordered in this run, since clips cannot come home: {error}"))
                raise type(error)(f"{error} The clip is paid for, and lies in {clip.path} until then.") from None
        await sleep_unless(run.stop, delay(tried, base_s=1.0 / run.time_scale, cap_s=30.0 / run.time_scale))
    if kept != name:  # another file has the name there: here as well it is called as it is there
        if not (run.folder / kept).exists():
            clip.path.rename(run.folder / kept)
        clip = replace(clip, path=run.folder / kept)
    return Home(clip, run.store.uri(kept))
