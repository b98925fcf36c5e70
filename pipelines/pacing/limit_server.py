"""What runs share: limits that a server keeps, in blocks, and what is said when it is away or they are turned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.core.errors import LimitServerAway, LimitServerGone

LEASE_S = 60.0  #: a block of a run that has died is free again after this long
GRACE_S = 10.0  #: a server that cannot be reached for so long is away
SLOW_S = 75.0  #: and so is one that can be reached, and gives no answer; Prefect's may stand still for 60 s (docs/architecture.md)
_AGAIN_S, _LONGER, _LATEST_AGAIN_S = 0.25, 1.5, 2.0  # after a question that went wrong: the pause, its growth, its end
_IN_A_ROW, _MEAN_S = 10, 1.0  # so many looks may follow each other closely; in the long mean they are so far apart


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A limit that several runs share, as its server shows it."""

    identity: str  # another one, once it was deleted and made anew
    most: int
    in_use: int
    per_second: float = 0.0  # so much of what is in use becomes free by itself; 0: only what is given back
    active: bool = True


class LimitServer(Protocol):
    """Who keeps the limits. Whatever it is asked may fail with `LimitServerAway`."""

    async def look(self, name: str) -> SharedLimit | None:
        """The limit of that name as it is now, or None where there is none."""

    async def create(self, name: str, most: int, per_second: float) -> None:
        """Make a limit; one that is there already stays as it is."""

    async def lease(self, name: str, slots: int, seconds: float = LEASE_S) -> str | None:
        """Take a block that is free again when its lease ends. None: not so many are free."""

    async def renew(self, lease: str, seconds: float = LEASE_S) -> bool:
        """Make a lease last longer. False: the server does not know it, or no longer."""

    async def release(self, lease: str) -> None:
        """Give a block back; one that is not known is no fault."""

    async def occupy(self, name: str, slots: int) -> bool:
        """Take slots of a limit whose slots become free by themselves. False: not so many are free."""

    async def put_back(self, name: str, slots: int) -> None:
        """Free slots that no lease holds."""


@dataclass(slots=True)
class Absence:
    """How long a server has not answered. A busy one is slow at times; only what lasts makes runs go on by themselves."""

    since: float | None = None
    lasts: bool = False
    failures: int = 0  # in a row

    def failed(self, now: float, error: LimitServerAway) -> bool:
        """It did not answer. Returns whether it lasts: what is only slow is waited for longer than what is gone."""
        self.since = now if self.since is None else self.since
        self.failures += 1
        grace = GRACE_S if isinstance(error, LimitServerGone) else SLOW_S
        self.lasts = self.lasts or now - self.since >= grace
        return self.lasts

    def pause_s(self) -> float:
        """How long to wait before it is asked again: one that refuses is asked ever less."""
        return _LATEST_AGAIN_S if self.lasts else min(_LATEST_AGAIN_S, _AGAIN_S * _LONGER ** (self.failures - 1))

    def over(self) -> None:
        """It answered."""
        self.since, self.lasts, self.failures = None, False, 0


@dataclass(slots=True)
class AskingPace:
    """Holds whoever looks at a limit to one look a second in the long mean, whatever makes them look; a few may be close."""

    _even: float = -math.inf  # when as many looks would be over if they had always been evenly apart

    def pause_s(self, now: float, wanted: float) -> float:
        """How long to wait after a look, if only this much was wanted."""
        self._even = max(self._even, now) + _MEAN_S
        return max(wanted, self._even - now - _IN_A_ROW * _MEAN_S)


def _nothing(*_: Any) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Notices:
    """Whom to tell what a person should know. The server's absence is said once, whatever number of limits feels it."""

    lost: Callable[[str], None] = _nothing  # why the server cannot be asked
    regained: Callable[[], None] = _nothing
    turned: Callable[[str, int, int], None] = _nothing  # the limit, what it was, what it is
    full: Callable[[str, int], None] = _nothing  # the limit, all of whose slots others hold
    _away: set[str] = field(default_factory=set)

    def away(self, name: str, reason: str) -> None:
        """The server could not be asked about a limit."""
        if not self._away:
            self.lost(reason)
        self._away.add(name)

    def there(self, name: str) -> None:
        """The server was asked about a limit, and answered."""
        if name in self._away:
            self._away.remove(name)
            if not self._away:
                self.regained()
