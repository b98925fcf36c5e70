"""How much one account may ask for at once, when the sandbox is told to care."""

from __future__ import annotations

import heapq
from collections import defaultdict

from pipelines.providers.sandbox.refusals import RefusalError


class Limits:
    """Unfinished jobs and orders a second, by account."""

    def __init__(self, in_flight_cap: int | None, submit_rate: float | None) -> None:
        self._cap = in_flight_cap
        self._rate = submit_rate
        self._finishes: defaultdict[str, list[float]] = defaultdict(list)
        self._next_slot: dict[str, float] = {}

    def admit(self, account: str, now: float, contract: str) -> None:
        """Lets an order in.

        Raises:
            RefusalError: 429, by rate or by number, in the vendor's words [A9 A13 O1].
        """
        if self._cap is not None:
            finishes = self._finishes[account]
            while finishes and finishes[0] <= now:
                heapq.heappop(finishes)
            if len(finishes) >= self._cap:
                raise _slow_down(contract, f"At most {self._cap} unfinished jobs at a time.", finishes[0] - now)
        if self._rate is not None:
            slot = self._next_slot.get(account, now)
            if slot > now:
                raise _slow_down(contract, f"At most {self._rate:g} orders a second.", slot - now)
            self._next_slot[account] = now + 1 / self._rate

    def started(self, account: str, finishes: float) -> None:
        """Remembers an accepted order until it is finished."""
        if self._cap is not None:
            heapq.heappush(self._finishes[account], finishes)


def _slow_down(contract: str, message: str, wait: float) -> RefusalError:
    if contract == "acedata":  # documents no Retry-After
        return RefusalError(429, message, code="rate_limited")
    return RefusalError(429, message, retry_after=max(1, round(wait + 0.5)))
