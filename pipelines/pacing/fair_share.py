"""What a run takes, keeps and gives back of slots that others want as well: decisions, on numbers and a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pacing.limit_server import SharedLimit

_SOON_S, _GIFT_S = 0.2, 4.0  # until a part of what is held is offered to others: to who has less; to who has as much
_LONGEST_GIFT_S = 30.0  # what nobody takes is offered ever more rarely,
_SLOT_SECONDS = 60.0  # but no more rarely than this by the slots held: of many, one that is idle for a moment is little
TAKEN_S = 1.5  #: whether somebody took it shows by then
PART = 4  #: one of so many parts is given to others at a time


def ladder(number: int, largest: int) -> list[int]:
    """Cut a block into leases: of 1, 1, 2, 4 and so on. A lease goes back only as a whole, and any number may have to."""
    parts: list[int] = []
    while number > 0:
        parts.append(min(number, largest, max(1, sum(parts))))
        number -= parts[-1]
    return parts


def nearest(sizes: Sequence[int], most: int) -> tuple[int, ...]:
    """Choose leases that come together to as much as they can without exceeding a number. Returns their places."""
    chosen: dict[int, tuple[int, ...]] = {0: ()}
    for place, size in sorted(enumerate(sizes), key=lambda each: -each[1]):
        for total, places in list(chosen.items()):
            if total + size <= most:
                chosen.setdefault(total + size, (*places, place))
    return chosen[max(chosen)]


def fair_part(held: int, limit: SharedLimit) -> int:
    """What a run keeps of what it holds when the limit was turned down below what is in use: each the same share."""
    return held if limit.in_use <= limit.most else held * limit.most // limit.in_use


@dataclass(slots=True)
class Gift:
    """A part of what a run holds, offered to others: pending until its jobs end, then until somebody took it or nobody did."""

    since: float | None = None  # of the pause before an offer; None: no job waits here, what is free goes back anyway
    refused: int = 0  # so many offers in a row that nobody took
    wanted: bool = False  # somebody took the last one; else a single slot finds out whether others are about
    keep: int | None = None  # hold no more than this now
    given: int = 0
    given_at: float | None = None

    def step(self, now: float, held: int, waiting: int, limit: SharedLimit) -> None:
        """Begin an offer, or learn what became of it."""
        if self.given_at is not None:
            free = limit.most - limit.in_use
            if free <= 0 or now - self.given_at >= TAKEN_S:
                self.wanted = free < self.given
                self.refused = 0 if self.wanted else self.refused + 1
                self.given, self.given_at = 0, None
                if not self.wanted or self.keep is None or held <= self.keep:  # else the rest goes as its jobs end
                    self.keep, self.since = None, now
        elif not waiting or held <= 1:
            self.keep, self.since = None, None
        elif self.keep is not None and held <= self.keep:  # it went another way
            self.keep, self.since = None, now
        elif limit.in_use < limit.most:  # there is something to be had as it is
            self.keep = None
        elif self.since is None:
            self.since = now
        elif self.keep is None and now - self.since >= self.pause_s(held, limit.in_use - held):
            self.keep = held - self.part(held, limit.in_use - held)

    def left_s(self, now: float, held: int, limit: SharedLimit) -> float:
        """How long until the next offer, if only time is missing for one."""
        if self.since is None or self.keep is not None or limit.in_use < limit.most:
            return math.inf
        return self.since + self.pause_s(held, limit.in_use - held) - now

    def pause_s(self, held: int, others: int) -> float:
        """How long to wait before an offer: who holds the most of the limit is the first to make one."""
        if self.wanted and held > others + 1:
            return _SOON_S
        rarest = min(_LONGEST_GIFT_S, max(_GIFT_S, _SLOT_SECONDS / held))
        return min(rarest, _GIFT_S * 2.0**self.refused) * max(1.0, others / held)

    def part(self, held: int, others: int) -> int:
        """How much to offer: half of what this run has more than all others, or a part to others who may be many."""
        if not self.wanted:
            return 1
        return (held - others) // 2 if held > others + 1 else -(-held // PART)

    def gave(self, slots: int, now: float) -> None:
        """A part of it has gone back."""
        if slots and self.keep is not None:
            self.given, self.given_at = self.given + slots, now
