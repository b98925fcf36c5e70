"""Rate limit: so many requests a second of one account."""

from __future__ import annotations

import asyncio
import time

from pipelines.pacing.shared_rate import SharedRate
from pipelines.pacing.waits import sleep_unless

BURST_S = 0.1  #: what falls into so short a time may go at once
_SLOWER = 0.7  # on a refusal for speed, as botocore's adaptive mode has it
_REGROWTH = 1.02  # on each success, back towards the configured rate
_SLOWEST = 0.05  # never below this share of the configured rate
_FIRST_HOLD_S = 5.0  # a refusal without a hint: wait this long, doubling up to a quarter of an hour


class RateLimit:
    """A steady pace, slowed by the provider's own word.

    Args:
        per_second: requests a second.
        burst: how many may go at once after a pause.
        time_scale: divides the waits that are ours to choose; a rehearsal runs faster than life.
        stop: ends every wait; whoever waited sees it and sends nothing.
        shared: the rate of the account, which this run has in turn with others; it replaces `per_second` and `burst`.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst: float = 1.0,
        time_scale: float = 1.0,
        stop: asyncio.Event | None = None,
        shared: SharedRate | None = None,
    ) -> None:
        self._stop = stop or asyncio.Event()
        self._own_rate = per_second
        self._own_burst = burst
        self._shared = shared
        self._line = asyncio.Lock()
        self._scale = time_scale
        self._share = 1.0  # of the full rate
        self._next_slot = 0.0  # monotonic time of the next slot that is free
        self._held_until = 0.0
        self._refusals = 0

    @property
    def per_second(self) -> float:
        """The pace that is kept at present."""
        return (self._own_rate if self._shared is None else self._shared.per_second) * self._share

    @property
    def _burst(self) -> float:
        return max(1.0, self._own_burst if self._shared is None else self._shared.per_second * BURST_S)

    async def slot(self) -> None:
        """Return when a request may be sent, or when the run ends. Slots are reserved in the order of asking."""
        if self._shared is None:
            await self._in_pace()
            return
        self._shared.waiting += 1
        try:
            async with self._line:
                await self._in_turn(self._shared)
        finally:
            self._shared.waiting -= 1

    async def _in_turn(self, shared: SharedRate) -> None:
        """Wait until this run may send, and go in pace; a slot that falls behind the end of its time is not used."""
        while not self._stop.is_set():
            await shared.turn()
            before = self._next_slot
            await self._in_pace()
            if shared.is_ours:
                shared.sent()
                return
            self._next_slot = before

    async def _in_pace(self) -> None:
        while not self._stop.is_set():
            await sleep_unless(self._stop, self._reserve(time.monotonic()))
            held = self._held_until - time.monotonic()
            if held <= 0:
                return
            await sleep_unless(self._stop, held)  # then queue again, so that the hold ends in no burst

    def _reserve(self, now: float) -> float:
        """Reserve the next slot and return how many seconds away it is."""
        interval = 1.0 / self.per_second
        self._next_slot = max(self._next_slot, now - (self._burst - 1.0) * interval)
        wait = self._next_slot - now
        self._next_slot += interval
        return wait

    def succeeded(self) -> None:
        """A request was served: grow back towards the full rate."""
        self._refusals = 0
        self._share = min(1.0, self._share * _REGROWTH)

    def slow_down(self, hint_s: float | None) -> float:
        """The provider said "too many": hold every request of this account, and go on slower.

        Args:
            hint_s: seconds that the provider asked for; None: five seconds, doubling with each further refusal.

        Returns:
            How many seconds nothing is sent.
        """
        now = time.monotonic()
        hold = hint_s
        if now >= self._held_until:  # else it answers a request that was on its way before the hold: the same refusal
            self._share = max(_SLOWEST, self._share * _SLOWER)
            hold = min(900.0, _FIRST_HOLD_S * 2.0**self._refusals) / self._scale if hint_s is None else hint_s
            self._refusals = min(self._refusals + 1, 10)
        self._held_until = max(self._held_until, now + (hold or 0.0))
        return self._held_until - now
