"""Where files are made: off the event loop, one at a time, each once while it is in demand."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from pipelines.sandbox.orders.bill import Purchase

MOST_BYTES = 48 * 2**20  # kept for Range requests and second downloads


class RenderCache:
    """Renders files from bill lines and keeps the last ones."""

    def __init__(self, *, light: bool) -> None:
        self._light = light
        self._files: OrderedDict[tuple[str, str], asyncio.Future[bytes]] = OrderedDict()
        self._bytes = 0
        self._thread = ThreadPoolExecutor(1, "render")  # one, so that answers keep a core

    async def file(self, purchase: Purchase, kind: str = "mp4") -> bytes:
        """The clip of a purchase, or its picture as `webp` or `jpeg`."""
        key = (purchase.id, kind)
        making = self._files.get(key)
        if making is None:
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(self._thread, make, purchase, kind, self._light)
            self._files[key] = making
            making.add_done_callback(self._weigh)
        self._files.move_to_end(key)
        return await asyncio.shield(making)

    def _weigh(self, made: asyncio.Future[bytes]) -> None:
        if not made.cancelled() and made.exception() is None:
            self._bytes += len(made.result())
        while self._bytes > MOST_BYTES:
            _, oldest = self._files.popitem(last=False)
            if oldest.done() and oldest.exception() is None:
                self._bytes -= len(oldest.result())

    def close(self) -> None:
        """Lets the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def make(purchase: Purchase, kind: str, light: bool) -> bytes:  # noqa: FBT001  # executors pass by position
    """The bytes of a file, the same whenever they are made.

    A light clip shows a blank picture; the job's id at its end keeps its bytes unlike any other's.
    """
    from pipelines.sandbox.media import render  # noqa: PLC0415 - it loads FFmpeg
    from pipelines.sandbox.media.picture import Caption  # noqa: PLC0415 - it loads Pillow

    shape = " ".join(filter(None, (purchase.size, purchase.orientation)))
    parts = ("simulated", purchase.contract, purchase.model, shape, f"{purchase.seconds:g} s", purchase.id)
    caption = Caption(purchase.id, purchase.prompt, " · ".join(parts), purchase.width, purchase.height)
    if kind != "mp4":
        return render.still(caption, kind)
    if not light:
        return render.clip(caption, purchase.seconds)
    mark = purchase.id.encode()
    blank = render.blank_clip(purchase.width, purchase.height, purchase.seconds)
    return blank + (8 + len(mark)).to_bytes(4, "big") + b"free" + mark
