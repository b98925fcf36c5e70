"""Slots: how many may be inside at once, jobs at a provider (accepted and not finished) or downloads."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A bounded number of slots, given out by priority, then first come, first served. The number may be turned."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self.moved = asyncio.Event()  # somebody waits, or a slot was left that nobody took over
        self._most = most
        self._arrivals = 0
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []

    @property
    def most(self) -> int:
        """How many may be inside at once. Who is inside stays there when it becomes fewer."""
        return self._most

    @most.setter
    def most(self, most: int) -> None:
        self._most = most
        while self.count < most and self._let_in():
            self.count += 1

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return sum(not turn.done() for _, _, turn in self._queue)

    @asynccontextmanager
    async def slot(self, *, priority: float = 0.0, already_in: bool = False) -> AsyncIterator[None]:
        """Hold a slot for the length of the block.

        Args:
            priority: the lowest is served first.
            already_in: it is inside already, from an earlier run; it counts, and does not wait.
        """
        if already_in or self.count < self._most:
            self.count += 1
            self.moved.set()
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
        self.moved.set()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        if self.count > self._most or not self._let_in():  # more are inside than may be, or nobody waits
            self.count -= 1
            self.moved.set()

    def _let_in(self) -> bool:
        """Give a slot to the first who still waits; False if nobody does."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return True
        return False
