"""Slots that several runs share: a run holds blocks of them by leases, and gives out places of its own from those.

A job never asks the server. A keeper in the background takes blocks for those who wait, renews their leases, gives back
what is idle, and follows the limit where it is turned. Nobody hoards: who holds all slots while jobs of theirs wait offers
one to others every few seconds; if somebody takes it, half of what they hold above the others follows, as their jobs end. What is
at the provider always stays there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pipelines.core.errors import LimitServerAway
from pipelines.pacing.fair_share import PART, TAKEN_S, Gift, fair_part, ladder, nearest
from pipelines.pacing.limit_server import LEASE_S, Absence, AskingPace, LimitServer, Notices, SharedLimit
from pipelines.pacing.slots import Slots

_LOOK_S = 2.0  # so often the limit is looked at while nothing moves here
_SHORTEST_S, _FULL_S = 0.1, 1.0  # pauses between two looks: when something moved; when no slot is free
_RENEW_S = LEASE_S / 4
_IDLE_S = 3.0  # a block that nobody used for so long is given back
_STARVED_S = 30.0
_LEASES = 8  # no lease is more than so small a part of a limit
_MARKER, _MARKER_S = "reelbatch-run", 86_400.0  # a lease of no limit: gone only with the server's memory
_LEAVE_S = 5.0


@dataclass(slots=True)
class Lease:
    """A block of slots on the server."""

    id: str | None  # None: the server counts the slots, but has lost the lease
    slots: int
    renewed_at: float


@dataclass(slots=True)
class SharedSlots:
    """Keeps the slots of one account in step with a limit that its runs share.

    Args:
        server: who keeps the limit.
        name: of the limit.
        slots: given out from what is held here.
        usual: how many this run would have at once without a shared limit.
        asked: how many it was told to have at most; None: as many as the limit allows.
        stop: set when the run ends: then nobody waits for a slot any more.
        notices: whom to tell.
        created: with how many slots the limit is created where it is missing.
        note: is given the ids of all leases whenever they change, so that the next run can free those of a killed one.
        left: at the end, how many jobs stay at the provider; their slots are kept until the leases end.
    """

    server: LimitServer
    name: str
    slots: Slots
    usual: int
    asked: int | None
    stop: asyncio.Event
    notices: Notices = field(default_factory=Notices)
    created: int = 1
    note: Callable[[Sequence[str]], None] = lambda _: None
    left: Callable[[], int] = lambda: 0
    leases: list[Lease] = field(default_factory=list)
    owed: list[Lease] = field(default_factory=list)  # not held any more, but the server has not heard of it
    clock: Callable[[], float] = time.monotonic
    _limit: SharedLimit | None = None  # as it was seen last
    _seen: bool = False
    _follows: bool = True  # the run takes what the limit allows, and was not told to keep below it
    _marker: str | None = None
    _renewed_at: float = 0.0
    _busy_at: float = 0.0
    _starved_since: float | None = None
    _gift: Gift = field(default_factory=Gift)
    _absence: Absence = field(default_factory=Absence)
    _pace: AskingPace = field(default_factory=AskingPace)

    @property
    def held(self) -> int:
        """How many slots this run holds."""
        return sum(lease.slots for lease in self.leases)

    @property
    def others(self) -> int:
        """How many slots other runs held when the limit was seen last."""
        return 0 if self._limit is None or not self._limit.active else max(0, self._limit.in_use - self.held)

    async def keep(self) -> None:
        """Keep them in step until cancelled."""
        ended = asyncio.create_task(self.stop.wait())
        ended.add_done_callback(lambda _: self._let_through())
        try:
            while True:
                until = await self.step() + self.clock()
                await asyncio.sleep(self._pace.pause_s(self.clock(), _SHORTEST_S))
                while (left := until - self.clock()) > 0 and not self._presses():
                    self.slots.moved.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(left):
                            await self.slots.moved.wait()
        finally:
            ended.cancel()

    def go_alone(self) -> None:
        """Have as many slots as without a shared limit; for when nobody keeps this in step any more."""
        self.slots.most = max(self.usual, self.slots.count)

    def _let_through(self) -> None:
        if self.stop.is_set():
            self.slots.most = self._open()
            self.slots.moved.set()

    def _presses(self) -> bool:
        """Tell whether the server should be asked before its time: a job waits for a slot that may be free, or one is left."""
        if self.stop.is_set():
            return self.slots.waiting > 0
        if self._absence.since is not None or self._limit is None or not self._limit.active:
            return False
        inside, held = self.slots.count, self.held
        free = self._limit.in_use < self._limit.most and self._gift.keep is None
        wanting = free and held < min(self._ceiling(self._limit), inside + self.slots.waiting)
        if wanting or not self._gives_way(self._limit):
            return wanting
        surplus = held - max(inside, self._target(self._limit))
        return any(lease.slots <= surplus for lease in self.leases)

    def _gives_way(self, limit: SharedLimit) -> bool:
        """Tell whether slots go back as soon as their jobs end, and not only when they are idle."""
        return limit.in_use > limit.most or (self._gift.keep is not None and self.held > self._gift.keep)

    async def step(self) -> float:
        """Look, take or give back, and set how many may be inside. Returns for how long to wait if nothing moves."""
        try:
            pause = await self._in_step()
        except LimitServerAway as error:
            if self._absence.failed(self.clock(), error):
                self.notices.away(self.name, str(error))
            pause = self._absence.pause_s()
        else:
            self._absence.over()
            self.notices.there(self.name)
        self.slots.most = self._open()
        return pause

    async def leave(self) -> None:
        """Give back what is held, but for jobs that stay at the provider."""
        async with asyncio.timeout(_LEAVE_S):
            with suppress(LimitServerAway):
                await self._release(self.held - self.left())
                await self._settle()
                if self._marker is not None:
                    await self.server.release(self._marker)

    def _open(self) -> int:
        """How many may be inside now."""
        if self.stop.is_set():
            return self.slots.count + self.slots.waiting  # whoever waits is let through, and sends nothing
        if not (self._seen or self._absence.lasts):
            return 0
        if self._limit is None or not self._limit.active:
            return self.usual
        if self._absence.lasts and not self.leases:
            return max(1, min(self._ceiling(self._limit), self._limit.most // PART))
        return min(self.held, self._target(self._limit))

    def _ceiling(self, limit: SharedLimit) -> int:
        return limit.most if self._follows or self.asked is None else min(self.asked, limit.most)

    def _target(self, limit: SharedLimit) -> int:
        """How many slots to hold at most. To give some back, no more than whole leases can be kept."""
        most = self._ceiling(limit)
        if limit.in_use > limit.most:
            most = min(most, fair_part(self.held, limit))
        if self._gift.keep is not None:
            most = min(most, self._gift.keep)
        sizes = [lease.slots for lease in self.leases]
        return most if most >= sum(sizes) else sum(sizes[place] for place in nearest(sizes, most))

    async def _in_step(self) -> float:
        now = self.clock()
        await self._settle()
        if self._marker is None:
            self._marker = await self.server.lease(_MARKER, 1, _MARKER_S)
        restarted = (self._absence.since is not None or now - self._renewed_at >= _RENEW_S) and await self._renew(now)
        limit = await self.server.look(self.name)
        if limit is None and (
            restarted or not self._seen
        ):  # nobody was first, or its database is a new one; else deleted
            await self.server.create(self.name, self._limit.most if self._limit else self.created, 0.0)
            limit = await self.server.look(self.name)
        self._see(limit)
        if limit is None or not limit.active:
            return _LOOK_S  # leases stay: a limit that is not active takes nothing back
        return await self._balance(limit, now)

    async def _renew(self, now: float) -> bool:
        """Renew every lease. Returns whether the server was restarted.

        It has lost the leases then, but still counts their slots: they stay ours, without a lease. A lease that has only
        ended is forgotten, not what it was for: its jobs count as before.
        """
        assert self._marker is not None
        restarted = not await self.server.renew(self._marker, _MARKER_S)
        if restarted:
            self._marker = await self.server.lease(_MARKER, 1, _MARKER_S)
            self.leases = [replace(lease, id=None) for lease in self.leases]
            self.owed = [replace(lease, id=None) for lease in self.owed]
        else:
            for lease in [each for each in self.leases if now - each.renewed_at >= _RENEW_S / 2]:
                if lease.id is not None and not await self.server.renew(lease.id):
                    self.leases.remove(lease)
                    self._close_in()
                lease.renewed_at = now  # where it is refused in between, it goes on behind this one
        self._renewed_at = now
        self._changed()
        return restarted

    def _see(self, limit: SharedLimit | None) -> None:
        before, self._limit, self._seen = self._limit, limit, True
        if limit is None:
            self.leases, self.owed = [], []
        elif before is None:
            self._follows = self.asked is None or self.asked >= limit.most
            if limit.most < self.usual:
                self.notices.turned(self.name, self.usual, limit.most)
        else:
            if before.identity != limit.identity:
                self.leases, self.owed = [], []
            if before.most != limit.most:
                self.notices.turned(self.name, before.most, limit.most)

    async def _balance(self, limit: SharedLimit, now: float) -> float:
        """Take what is wanted and free, or give back what is not wanted any more."""
        held, inside, waiting = self.held, self.slots.count, self.slots.waiting
        self._gift.step(now, held, waiting, limit)
        want = min(inside + waiting, self._target(limit))
        if held <= want:
            self._busy_at = now
        if held < want:
            return await self._take(want - held, limit, now)
        self._starved_since = None
        if held > want and (self._gives_way(limit) or now - self._busy_at >= _IDLE_S):
            gone = await self._release(held - max(want, inside))  # nothing was awaited since they were counted
            self._gift.gave(gone, now)
            return _FULL_S
        if self._gift.given_at is not None:
            return TAKEN_S / 2
        await self._secure(limit)
        return min(_LOOK_S, max(_SHORTEST_S, self._gift.left_s(now, held, limit)))

    async def _take(self, wanted: int, limit: SharedLimit, now: float) -> float:
        """Take so many slots, or as many as are free; half of what is free where others are about."""
        free = limit.most - limit.in_use
        others = limit.in_use > self.held
        got = 0
        for part in ladder(min(wanted, (free + 1) // 2 if others else free), -(-limit.most // _LEASES)):
            lease = await self.server.lease(self.name, part)
            if lease is None:
                break
            self.leases.append(Lease(lease, part, now))
            got += part
        if got:
            self._changed()
            self._starved_since = None
            return _SHORTEST_S
        self._limit = replace(limit, in_use=max(limit.in_use, limit.most))  # somebody else was quicker
        if not self.held:
            self._starved_since = self._starved_since or now
            if now - self._starved_since >= _STARVED_S:
                self._starved_since = now + 86_400.0
                self.notices.full(self.name, limit.most)
        return _FULL_S

    async def _secure(self, limit: SharedLimit) -> None:
        """Put a lease on slots that lost theirs in a restart, as far as that many more are free for a moment."""
        for lease in self.leases:
            if lease.id is None and lease.slots <= limit.most - limit.in_use:
                lease.id = await self.server.lease(self.name, lease.slots)
                if lease.id is not None:
                    self._changed()
                    await self.server.put_back(self.name, lease.slots)
                break

    async def _release(self, surplus: int) -> int:
        """Give back leases of so many slots at most. Returns how many."""
        chosen = nearest([lease.slots for lease in self.leases], max(0, surplus))
        going = [self.leases[place] for place in chosen]
        self.leases = [lease for place, lease in enumerate(self.leases) if place not in chosen]
        self._close_in()  # before anybody else can have them
        if going:
            self.owed += going
            with suppress(LimitServerAway):
                await self._settle()
            self._changed()
        return sum(lease.slots for lease in going)

    async def _settle(self) -> None:
        """Tell the server what is not held any more, until it has heard: else nobody would have it before the leases end."""
        while self.owed:
            lease = self.owed[0]
            if lease.id is not None:
                await self.server.release(lease.id)
            self.owed.pop(0)
            if lease.id is None:  # asked for once: twice would free slots of others
                await self.server.put_back(self.name, lease.slots)

    def _close_in(self) -> None:
        """Let nobody in whose slot is not held any more."""
        if self._limit is not None and self._limit.active:
            self.slots.most = min(self.slots.most, self.held)

    def _changed(self) -> None:
        self.note([lease.id for lease in (*self.leases, *self.owed) if lease.id is not None])
