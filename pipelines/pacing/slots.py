"""Slots: how many may be inside at once, jobs at a provider (accepted and not finished) or downloads."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A bounded number of slots, given out by priority, then first come, first served."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self._arrivals = 0
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, *, priority: float = 0.0, already_in: bool = False) -> AsyncIterator[None]:
        """Hold a slot for the length of the block.

        Args:
            priority: the lowest is served first.
            already_in: it is inside already, from an earlier run; it counts, and does not wait.
        """
        if already_in or self.count < self.most:
            self.count += 1
        else:
            await self._handed_over(priority)
        try:
            yield
        finally:
            self._give_back()

    async def _handed_over(self, priority: float) -> None:
        """Wait until somebody who leaves hands their slot over; the count does not change."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._queue, (priority, self._arrivals, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        if self.count > self.most:  # more came in from an earlier run than may be in flight
            self.count -= 1
            return
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self.count -= 1
