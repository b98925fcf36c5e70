"""How much one key may ask of one vendor, when the sandbox is told to care."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque

from pipelines.sandbox.vendors.refusals import RefusalError

#: Whose limit it is: the account, and the contract. All services of a vendor share one, as Ace's video family does [A13].
Customer = tuple[str, str]


class AccountLimits:
    """Unfinished jobs, orders a second and status queries a second, by account and vendor."""

    def __init__(
        self,
        in_flight_cap: int | None,
        submit_rate: float | None,
        status_rate: float | None = None,
        submit_window: float | None = None,
    ) -> None:
        self._cap = in_flight_cap
        self._finishes: defaultdict[Customer, list[float]] = defaultdict(list)
        self._orders = None if submit_rate is None else _Rate(submit_rate, "orders", submit_window)
        self._queries = None if status_rate is None else _Rate(status_rate, "status queries")

    def admit(self, account: str, now: float, contract: str) -> None:
        """Let an order in, or refuse it by rate or by number, in the vendor's words [A9 A13 O1]."""
        if self._cap is not None:
            finishes = self._finishes[account, contract]
            while finishes and finishes[0] <= now:
                heapq.heappop(finishes)
            if len(finishes) >= self._cap:
                raise _slow_down(contract, f"At most {self._cap} unfinished jobs at a time.", finishes[0] - now)
        if self._orders is not None:
            self._orders.admit((account, contract), now)

    def admit_query(self, account: str, now: float, contract: str) -> None:
        """Let a question about a job in, unless it comes too soon after others."""
        if self._queries is not None:
            self._queries.admit((account, contract), now)

    def started(self, account: str, finishes: float, contract: str) -> None:
        """Remembers an accepted order until it is finished."""
        if self._cap is not None:
            heapq.heappush(self._finishes[account, contract], finishes)


class _Rate:
    """So many in any second, or any longer window; below one a window, one in the time that this takes."""

    def __init__(self, per_second: float, what: str, window: float | None = None) -> None:
        self._most = max(1, int(per_second * (window or 1.0)))
        self._window = self._most / per_second
        self._said = f"At most {per_second:g} {what} a second."
        self._seen: defaultdict[Customer, deque[float]] = defaultdict(deque)

    def admit(self, customer: Customer, now: float) -> None:
        seen = self._seen[customer]
        while seen and seen[0] + self._window <= now:
            seen.popleft()
        if len(seen) >= self._most:
            raise _slow_down(customer[1], self._said, seen[0] + self._window - now)
        seen.append(now)


def _slow_down(contract: str, message: str, wait: float) -> RefusalError:
    if contract == "acedata":  # documents no Retry-After
        return RefusalError(429, message, code="rate_limited")
    return RefusalError(429, message, retry_after=max(1, round(wait + 0.5)))
