"""A rate that several runs share: one run at a time has the floor, for seconds, and then goes at the full pace alone.

The server's limit is a bucket whose slots become free by themselves, at the rate. A run takes the whole of it, which is granted
only when it is empty, and puts back what it will not use: so nobody else sends until its time is over, and no two runs
ever make a burst together. It asks once for all that it sends in that time. Where others use the account it takes no more than
the jobs that wait need, and leaves others the next turn: a run that joins need not win against one that has long been there.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pipelines.core.errors import LimitServerAway
from pipelines.pacing.limit_server import Absence, AskingPace, LimitServer, Notices, SharedLimit

FLOOR_S = 10.0  #: nobody has the floor for longer, but for one request
_ROW, _SHORT_S = 10, 4.0  # nor for longer than so many requests take, but for so many seconds
_TURN_S = 1.0  # for so long at least who shares with others has the floor: to pass it on takes time
_AGAIN_S = 0.1  # after it could not be put back
_LOOK_S = 2.0  # so often it is looked whether the limit was turned
_SOONEST_S = 0.05  # between two looks
_LAST_LOOKS = 4.0  # so many looks while the last slot of a floor becomes free
_LOOKS = 3  # so often at least who waits looks in the time of a floor: most of it may have been put back
_TIMES = 8  # so often it is tried to put something back
_LATE_S = 1.0  # but not when it is free by itself within this time
_CONTENDED_S = 60.0  # others are about if they had the floor within this time
_AFTER_YOU_S = 0.1  # who had the floor lets others go first
_QUARTER = 4
_IDLE_S = 0.5  # who has nothing to send for so long, and for one request's time, leaves the rest of the floor to others


def longest_floor(per_second: float) -> float:
    """How many seconds one run has the floor at most: a row of requests, and less time where the rate is high."""
    return min(FLOOR_S, max(_SHORT_S, _ROW / per_second)) if per_second else FLOOR_S


def block_of(per_second: float) -> int:
    """How many requests of a rate are sent in a row at most."""
    return max(1, round(per_second * longest_floor(per_second)))


@dataclass(frozen=True, slots=True)
class Floor:
    """A time for which one run alone sends."""

    slots: int  # of the limit, which become free by themselves while it lasts
    seconds: float


def floor_for(limit: SharedLimit, requests: int) -> Floor:
    """Find how long so many requests may take: at most what the limit and a row of them allow, but one request always."""
    most = math.floor(longest_floor(limit.per_second) * limit.per_second + 1e-9)
    slots = max(1, min(requests, limit.most, most))
    return Floor(slots, slots / limit.per_second)


@dataclass(slots=True)
class SharedRate:
    """Has the floor for a run, in turn with others.

    Args:
        server: who keeps the limit.
        name: of the limit.
        usual: requests a second that this run would send without a shared limit.
        asked: requests a second that it was told to send at most; None: as many as the limit allows.
        created: requests a second that the limit is created with where it is missing; 0: it is not.
        stop: set when the run ends: then nobody waits any more.
        notices: whom to tell.
        others: whether other runs have jobs at this account now, as its slots in flight show.
    """

    server: LimitServer
    name: str
    usual: float
    asked: float | None
    created: float
    stop: asyncio.Event
    notices: Notices = field(default_factory=Notices)
    clock: Callable[[], float] = time.monotonic
    chance: random.Random = field(default_factory=random.Random)  # who waits must not always come second
    others: Callable[[], bool] = lambda: False
    waiting: int = 0  # how many want to send now
    _limit: SharedLimit | None = None
    _follows: bool = True
    _seen: bool = False
    _until: float = 0.0  # the floor is ours until then
    _had_at: float = -math.inf  # since when it is, or was
    _sent: int = 0  # since then
    _sent_at: float = -math.inf
    _expected: float = 0.0  # requests a second, as of late
    _others_at: float = -math.inf  # when somebody else was last seen to have it
    _absence: Absence = field(default_factory=Absence)
    _pace: AskingPace = field(default_factory=AskingPace)
    _back_at: float | None = None  # since when it answers again
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def per_second(self) -> float:
        """The pace while this run has the floor."""
        if self._limit is None or not self._limit.active:
            return self.usual
        rate = self._limit.per_second
        if self._absence.lasts and self.clock() - self._others_at < _CONTENDED_S:
            rate /= _QUARTER  # nobody has the floor now, all go at once
        return max(rate if self._follows or self.asked is None else min(self.asked, rate), 1e-6)

    @property
    def is_ours(self) -> bool:
        """Tell whether this run may send now."""
        free = self._seen and (self._limit is None or not self._limit.active)
        return self.stop.is_set() or self._absence.lasts or free or self.clock() < self._until

    async def turn(self) -> None:
        """Return when this run may send."""
        self._wanted.set()
        ended = asyncio.create_task(self.stop.wait())
        try:
            while not self.is_ours:
                self._open.clear()
                opened = asyncio.create_task(self._open.wait())
                try:
                    await asyncio.wait((opened, ended), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    opened.cancel()
        finally:
            ended.cancel()

    def sent(self) -> None:
        """One request goes now."""
        self._sent += 1
        self._sent_at = self.clock()

    async def keep(self) -> None:
        """Ask for the floor whenever somebody waits for it, until cancelled."""
        while True:
            if not self.waiting and self.clock() >= self._until:
                self._wanted.clear()
                await self._wanted.wait()
            pause = await self.step()
            if self.is_ours:
                self._open.set()
            await asyncio.sleep(self._pace.pause_s(self.clock(), pause))

    async def leave(self) -> None:
        """Leave the rest of the floor to others; what was sent last keeps its time."""
        limit, now = self._limit, self.clock()
        if limit is None or not limit.active or now >= self._until:
            return
        slots = (self._until - now) * limit.per_second
        rest = math.ceil(slots) if self._idle_s(now) >= 1.0 / limit.per_second else math.floor(slots)
        if rest >= 1:
            until, self._until = self._until, now
            await self._put_back(rest, until)

    def go_alone(self) -> None:
        """Send at the pace of this run alone; for when nobody asks for the floor any more."""
        self._absence.lasts = True
        self._open.set()

    async def step(self) -> float:
        """Look, and take the floor if it is free. Returns for how long to wait."""
        try:
            pause = await self._in_step()
        except LimitServerAway as error:
            self._back_at = None
            if self._absence.failed(self.clock(), error):
                self.notices.away(self.name, str(error))
            pause = self._absence.pause_s()
        else:
            self.notices.there(self.name)
            self._end_absence(self.clock())
        return pause

    def _end_absence(self, now: float) -> None:
        """Share again, once the floor was had: a server that has just come back answers, and fails, by turns."""
        self._back_at = now if self._back_at is None else self._back_at
        shares = self._limit is not None and self._limit.active and now >= self._until
        if not (self._absence.lasts and shares and now - self._back_at < FLOOR_S):
            self._absence.over()
            self._back_at = None

    async def _in_step(self) -> float:
        limit = await self.server.look(self.name)
        if limit is None and self.created and (self._absence.lasts or not self._seen):  # else somebody deleted it
            await self.server.create(self.name, block_of(self.created), self.created)
            limit = await self.server.look(self.name)
        turned = self._see(limit)
        now = self.clock()
        if limit is None or not limit.active:
            return _LOOK_S
        if not limit.most or limit.per_second <= 0:  # turned off: nobody sends
            self._until = 0.0
            return _LOOK_S
        if now < self._until:
            if turned:
                self._until = now + limit.in_use / limit.per_second
            elif not self.waiting and self._idle_s(now) > max(_IDLE_S, 1.0 / limit.per_second):
                await self.leave()
            return min(_LOOK_S, max(_SOONEST_S, self._until - now + self._courtesy(now)))
        if limit.in_use:
            self._others_at = now if self._until + 1.0 / limit.per_second < now else self._others_at
            return self._soon(limit)
        return await self._take(limit)

    def _soon(self, limit: SharedLimit) -> float:
        """How long until the next look for who waits for the floor. To look disturbs nobody; to try would."""
        soon = max(_SOONEST_S, 1.0 / limit.per_second / _LAST_LOOKS) * self.chance.uniform(0.5, 1.5)
        most = min(_LOOK_S, longest_floor(limit.per_second) / _LOOKS)
        return min(most, max(soon, (limit.in_use - 1) / limit.per_second))

    def _idle_s(self, now: float) -> float:
        return now - max(self._sent_at, self._had_at)

    def _courtesy(self, now: float) -> float:
        return _AFTER_YOU_S if self._shares(now) else 0.0

    def _shares(self, now: float) -> bool:
        return self.others() or now - self._others_at < _CONTENDED_S

    async def _take(self, limit: SharedLimit) -> float:
        """Try to have the floor, which was free a moment ago."""
        before = self.clock()
        shares = self._shares(before)  # then nobody keeps the floor for what may come
        likely = limit.per_second * _TURN_S if shares else self._expected * FLOOR_S
        floor = floor_for(limit, max(self.waiting, math.floor(likely)))
        if not await self.server.occupy(self.name, limit.most):
            if self._until + 1.0 / limit.per_second < before:
                self._others_at = before
            return self._soon(replace(limit, in_use=1))
        self._expected, self._sent = self._sent / max(_SOONEST_S, before - self._had_at), 0
        self._had_at, self._until = before, before + limit.most / limit.per_second
        self._open.set()
        if floor.slots < limit.most and await self._put_back(limit.most - floor.slots, self._until):
            self._until = before + floor.seconds
        return min(_LOOK_S, max(_SOONEST_S, self._until - self.clock() + self._courtesy(before)))

    async def _put_back(self, slots: int, until: float) -> bool:
        """Leave to others what is not needed. If that goes wrong it stays ours: else nobody would have it.

        Not again when it is nearly free by itself: what is put back then may be what somebody else has taken since.
        """
        for _ in range(_TIMES):
            try:
                await self.server.put_back(self.name, slots)
            except LimitServerAway:
                await asyncio.sleep(_AGAIN_S)
                if until - self.clock() < _LATE_S:
                    break
            else:
                return True
        return False

    def _see(self, limit: SharedLimit | None) -> bool:
        """Remember it. Returns whether it was turned."""
        before, self._limit = self._limit, limit
        first, self._seen = not self._seen, True
        if limit is None:
            return before is not None
        if first or before is None:
            self._follows = self.asked is None or self.asked >= limit.per_second * 0.999
            if limit.per_second < self.usual * 0.999 and limit.active:
                self.notices.turned(self.name, round(60 * self.usual), round(60 * limit.per_second))
            return True
        if before.per_second != limit.per_second:
            self.notices.turned(self.name, round(60 * before.per_second), round(60 * limit.per_second))
        return (before.most, before.per_second, before.active) != (limit.most, limit.per_second, limit.active)
