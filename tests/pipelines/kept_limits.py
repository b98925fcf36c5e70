"""Limits as Prefect keeps them, without Prefect."""

from __future__ import annotations

import itertools
import math

from pipelines.core.errors import LimitServerGone
from pipelines.pacing.limit_server import SharedLimit


class KeptLimits:
    """A `LimitServer` on a clock that a test turns: leases are in memory only, and what decays is rounded."""

    def __init__(self):
        self.now = 1000.0
        self.limits, self.leases, self.asked = {}, {}, 0
        self.away = False
        self._ids = itertools.count()

    def clock(self):
        """The time of the server."""
        return self.now

    def make(self, name, most, per_second=0.0, **more):
        """A limit, as people make it."""
        self.limits[name] = {"identity": f"limit-{next(self._ids)}", "most": most, "in_use": 0, "active": True} | more
        self.limits[name] |= {"per_second": per_second, "updated": self.now}

    def restart(self):
        """Leases are forgotten, what they held is not."""
        self.leases = {}

    def expire(self):
        """What Prefect does every few seconds."""
        for lease, (name, slots, ends) in list(self.leases.items()):
            if ends < self.now:
                self.free(name, slots)
                del self.leases[lease]

    def used(self, name):
        """What is in use, after what has become free by itself."""
        limit = self.limits[name]
        gone = math.floor(limit["per_second"] * (self.now - limit["updated"]) + 1e-9)
        return max(0, limit["in_use"] - gone)

    def free(self, name, slots):
        """Give slots back; a limit that is not active takes none."""
        if name in self.limits and self.limits[name]["active"]:
            self.limits[name] |= {"in_use": max(0, self.used(name) - slots), "updated": self.now}

    def _take(self, name, slots):
        limit = self.limits.get(name)
        if limit is None or not limit["active"]:
            return True
        if self.used(name) + slots > limit["most"]:
            return False
        limit |= {"in_use": self.used(name) + slots, "updated": self.now}
        return True

    def _asked(self):
        self.asked += 1
        if self.away:
            raise LimitServerGone("it is away")

    async def look(self, name):
        """As `LimitServer` says."""
        self._asked()
        limit = self.limits.get(name)
        if limit is None:
            return None
        shown = {each: limit[each] for each in ("identity", "most", "per_second", "active")}
        return SharedLimit(in_use=self.used(name), **shown)

    async def create(self, name, most, per_second):
        """As `LimitServer` says."""
        self._asked()
        if name not in self.limits:
            self.make(name, most, per_second)

    async def lease(self, name, slots, seconds=60.0):
        """As `LimitServer` says."""
        self._asked()
        if not self._take(name, slots):
            return None
        lease = f"lease-{next(self._ids)}"
        self.leases[lease] = (name, slots, self.now + seconds)
        return lease

    async def renew(self, lease, seconds=60.0):
        """As `LimitServer` says."""
        self._asked()
        if lease not in self.leases:
            return False
        name, slots, _ = self.leases[lease]
        self.leases[lease] = (name, slots, self.now + seconds)
        return True

    async def release(self, lease):
        """As `LimitServer` says."""
        self._asked()
        if lease in self.leases:
            name, slots, _ = self.leases.pop(lease)
            self.free(name, slots)

    async def occupy(self, name, slots):
        """As `LimitServer` says."""
        self._asked()
        return self._take(name, slots)

    async def put_back(self, name, slots):
        """As `LimitServer` says."""
        self._asked()
        self.free(name, slots)
