"""Rate limit: so many requests a second of one account."""

from __future__ import annotations

import asyncio
import time

from pipelines.pacing.waits import sleep_unless

_SLOWER = 0.7  # on a refusal for speed, as botocore's adaptive mode has it
_REGROWTH = 1.02  # on each success, back towards the configured rate
_SLOWEST = 0.05  # never below this share of the configured rate
_FIRST_HOLD_S = 60.0  # a refusal without a hint: wait this long, doubling


class RateLimit:
    """A steady pace, slowed by the provider's own word.

    Args:
        per_second: requests a second.
        burst: how many may go at once after a pause.
        time_scale: divides the waits that are ours to choose; a rehearsal runs faster than life.
        stop: ends every wait; whoever waited sees it and sends nothing.
    """

    def __init__(
        self, per_second: float, *, burst: float = 1.0, time_scale: float = 1.0, stop: asyncio.Event | None = None
    ) -> None:
        self._stop = stop or asyncio.Event()
        self._full_rate = per_second
        self._burst = max(1.0, burst)
        self._scale = time_scale
        self._share = 1.0  # of the full rate
        self._next_slot = 0.0  # monotonic time of the next slot that is free
        self._held_until = 0.0
        self._refusals = 0

    @property
    def per_second(self) -> float:
        """The pace that is kept at present."""
        return self._full_rate * self._share

    async def slot(self) -> None:
        """Return when a request may be sent, or when the run ends. Slots are reserved in the order of asking."""
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
            hint_s: seconds that the provider asked for; None: a minute, doubling with each further refusal.

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
