"""Everything that is paced for one provider: its rate, its places in flight, its watch, and its breakers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pipelines.errors import ReelbatchError
from pipelines.job import Order
from pipelines.pacing.backoff import delay
from pipelines.pacing.breaker import DoubtBreaker, Outage
from pipelines.pacing.in_flight import InFlight
from pipelines.pacing.rate import RateLimit
from pipelines.pacing.waits import sleep_unless
from pipelines.providers.profile import Limits
from pipelines.providers.protocol import Provider
from pipelines.watch import Watch

#: Downloads and catalogue work go on behind the places in flight; so many more jobs may be in hand.
_SPARE_WORKERS = 16
_UNLIMITED = 500.0  # a second


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a lane goes. What is None comes from the provider's profile."""

    in_flight: int | None = None  # jobs at the provider at once
    per_minute: float | None = None  # submissions
    poll_every_s: float | None = None  # a fixed rhythm of status queries; None: learned
    time_scale: float = 1.0  # how much faster than life this run goes (a rehearsal)
    patience_s: float = 600.0  # how long a provider that cannot be reached is waited for
    vendor_limits: bool = True  # the vendor's own service; its rates say nothing of a server that the operator chose

    def submissions_per_second(self, limits: Limits) -> float:
        """The user's word, or the vendor's rate on the vendor's clock, or no limit worth the name."""
        if self.per_minute is not None:
            return self.per_minute / 60.0
        return limits.submit_per_minute / 60.0 * self.time_scale if self.vendor_limits else _UNLIMITED

    def queries_per_second(self, limits: Limits) -> float:
        """As for submissions; status queries are free, but not unlimited."""
        return limits.status_per_second * self.time_scale if self.vendor_limits else _UNLIMITED


class Lane:
    """One provider account in one run.

    Args:
        provider: whom the jobs of this lane go to.
        pace: how fast.
        stop: set when the run ends.
    """

    def __init__(self, provider: Provider, pace: Pace, stop: asyncio.Event) -> None:
        limits = provider.profile.limits
        scale = pace.time_scale
        self.provider = provider
        self.in_flight = InFlight(pace.in_flight or limits.in_flight)
        submissions, queries = pace.submissions_per_second(limits), pace.queries_per_second(limits)
        self.submit_rate = RateLimit(submissions, burst=max(1.0, submissions / 10), time_scale=scale, stop=stop)
        query_rate = RateLimit(queries, burst=max(1.0, queries), time_scale=scale, stop=stop)
        self.watch = Watch(provider, query_rate, every_s=pace.poll_every_s, time_scale=scale, stop=stop)
        self.doubt = DoubtBreaker()
        self.outage = Outage(pace.patience_s)
        self.closed: ReelbatchError | None = None  # why nothing more is submitted here
        self._scale = scale
        self._stop = stop
        self._knocking = asyncio.Lock()

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.profile.name

    @property
    def workers(self) -> int:
        """How many jobs of this lane are in hand at once."""
        return self.in_flight.most + _SPARE_WORKERS

    def expected_s(self, order: Order) -> float:
        """How long such a job usually takes here, in seconds of this run's clock."""
        timing = self.provider.profile.timing_of(order)
        return timing.typical.get(order.seconds or 0, timing.otherwise) / self._scale

    async def clearance(self) -> None:
        """Return at once, or, while the provider cannot be reached, when it is this job's turn to knock.

        One knocks at a time, after a growing pause; everybody else waits behind it.
        """
        if not self.outage.ongoing():
            return
        async with self._knocking:
            if self.outage.ongoing() and self.closed is None and not self._stop.is_set():
                pause = delay(self.outage.failures, base_s=0.5, cap_s=30.0, chance=0.5)
                patience_left = max(0.0, self.outage.patience_s - self.outage.lasts_s)
                await sleep_unless(self._stop, min(pause, patience_left))
