"""Everything that is paced for one provider: its rate, its slots in flight, its poller, and its breakers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pipelines.core.errors import ReelbatchError
from pipelines.core.job import Order
from pipelines.pacing.back_off import delay
from pipelines.pacing.circuit_breaker import DoubtBreaker, Outage
from pipelines.pacing.rate_limit import BURST_S, RateLimit
from pipelines.pacing.shared_rate import SharedRate
from pipelines.pacing.slots import Slots
from pipelines.pacing.waits import sleep_unless
from pipelines.providers.profile.terms import Limits
from pipelines.providers.protocol import Provider
from pipelines.run.poller import Poller

#: Downloads and catalogue work go on behind the slots in flight; so many more jobs may be in hand.
_SPARE_WORKERS = 16
_UNLIMITED = 500.0  # a second


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a session goes. What is None comes from the provider's profile."""

    in_flight: int | None = None  # jobs at the provider at once
    per_minute: float | None = None  # submissions
    poll_every_s: float | None = None  # a fixed rhythm of status queries; None: learned
    time_scale: float = 1.0  # how much faster than life this run goes (a rehearsal)
    patience_s: float = 600.0  # how long a provider that cannot be reached is waited for
    vendor_links: bool = (
        True  # links live as long as the vendor says; at another address only as long as an answer says
    )
    vendor_limits: bool = True  # the vendor's own service; its rates say nothing of a server that the operator chose

    def submissions_per_second(self, limits: Limits) -> float:
        """The user's word, or the vendor's rate on the vendor's clock, or no limit worth the name."""
        if self.per_minute is not None:
            return self.per_minute / 60.0
        return limits.submit_per_minute / 60.0 * self.time_scale if self.vendor_limits else _UNLIMITED

    @property
    def limits_submissions(self) -> bool:
        """Tell whether there is a rate of submissions worth the name."""
        return self.per_minute is not None or self.vendor_limits

    def queries_per_second(self, limits: Limits) -> float:
        """As for submissions; status queries are free, but not unlimited."""
        return limits.status_per_second * self.time_scale if self.vendor_limits else _UNLIMITED


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account may have and ask at once, over all the providers that are paid from it."""

    in_flight: Slots
    query_rate: RateLimit
    usual_in_flight: int  # how many it may have at once where nobody else has a part in it

    @classmethod
    def of(cls, pace: Pace, limits: Sequence[Limits], stop: asyncio.Event, shared: Slots | None = None) -> Allowance:
        """The least that any of these providers allows; `shared` are slots that other runs have a part in."""
        queries = min(pace.queries_per_second(each) for each in limits)
        usual = pace.in_flight or min(each.in_flight for each in limits)
        return cls(
            shared or Slots(usual),
            RateLimit(queries, burst=max(1.0, queries), time_scale=pace.time_scale, stop=stop),
            usual,
        )


class ProviderSession:
    """One provider account in one run.

    Args:
        provider: whom the jobs of this session go to.
        pace: how fast.
        stop: set when the run ends.
        allowance: shared with other sessions of the same account; None: it has its own.
        rate: of submissions, which it shares with other runs; None: it has its own.
    """

    def __init__(
        self,
        provider: Provider,
        pace: Pace,
        stop: asyncio.Event,
        allowance: Allowance | None = None,
        rate: SharedRate | None = None,
    ) -> None:
        limits = provider.profile.limits
        scale = pace.time_scale
        allowance = allowance or Allowance.of(pace, [limits], stop)
        self.provider = provider
        self.in_flight = allowance.in_flight
        self._usual_in_flight = allowance.usual_in_flight
        submissions = pace.submissions_per_second(limits)
        burst = submissions * BURST_S
        self.submit_rate = RateLimit(submissions, burst=burst, time_scale=scale, stop=stop, shared=rate)
        self.poller = Poller(provider, allowance.query_rate, every_s=pace.poll_every_s, time_scale=scale, stop=stop)
        self.doubt = DoubtBreaker()
        self.outage = Outage(pace.patience_s)
        self.closed: ReelbatchError | None = None  # why nothing more is submitted here
        self.vendor_links = pace.vendor_links
        self.misconfigured = False  # by its operator, who must know: then no row falls back to what may be dearer
        self._shown = False  # an answer of this run has shown a clip where the profile looks
        self._missed = 0  # clips that none has shown there
        self._scale = scale
        self._stop = stop
        self._probing = asyncio.Lock()

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.profile.name

    @property
    def workers(self) -> int:
        """How many jobs of this session are in hand at once; more when more slots come."""
        return max(self.in_flight.most, self._usual_in_flight) + _SPARE_WORKERS

    @property
    def falls_back(self) -> bool:
        """Tell whether rows that were to be sent here go to their fallbacks."""
        return self.closed is not None and not self.misconfigured

    def expected_s(self, order: Order) -> float:
        """How long such a job usually takes here, in seconds of this run's clock."""
        timing = self.provider.profile.timing_of(order)
        return timing.typical.get(order.seconds or 0, timing.otherwise) / self._scale

    def shows_clips(self) -> None:
        """Note that a clip stands where the profile looks: whichever misses one now, it is not the profile's fault."""
        self._shown = True

    def misses_clips(self, *, is_elsewhere: bool) -> bool:
        """Note that a paid clip is not where the profile looks, and tell whether the profile seems to be at fault.

        It seems so while no clip of this run was there. One answer without any link says little: often moderation has
        taken the clip away.

        Args:
            is_elsewhere: the answer has links, or the like, where the profile does not look.
        """
        self._missed += 1
        return not self._shown and (self._missed > 1 or is_elsewhere)

    async def half_open_probe(self) -> None:
        """Return at once, or, while the provider cannot be reached, when it is this job's turn to try it.

        One probes at a time, after a growing pause; everybody else waits behind it.
        """
        if not self.outage.ongoing():
            return
        async with self._probing:
            if self.outage.ongoing() and self.closed is None and not self._stop.is_set():
                pause = delay(self.outage.failures, base_s=0.5, cap_s=30.0, chance=0.5)
                patience_left = max(0.0, self.outage.patience_s - self.outage.lasts_s)
                await sleep_unless(self._stop, min(pause, patience_left))


class HeldSlot:
    """The slot in flight that one job holds: from its order until its provider has ended it."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._session: ProviderSession | None = None

    async def take(self, session: ProviderSession, *, already_in: bool = False) -> None:
        """Hold a slot at this provider; at once if it is held already.

        Args:
            session: of the provider.
            already_in: the job is there already, from an earlier run; it counts, and does not wait.
        """
        if self._session is not session:
            await self.release()
            await self._stack.enter_async_context(session.in_flight.slot(already_in=already_in))
            self._session = session

    async def release(self) -> None:
        """Give the slot back, if one is held."""
        self._session = None
        await self._stack.aclose()
