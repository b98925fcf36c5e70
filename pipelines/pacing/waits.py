"""Sleeping that ends early when the run does."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or return at once when `stop` is or becomes set."""
    if seconds <= 0 or stop.is_set():
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
