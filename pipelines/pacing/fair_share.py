"""What a run takes, keeps and gives back of slots that others want as well: decisions, on numbers and a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pacing.limit_server import SharedLimit

_FIRST_GIFT_S, _GIFT_S, _LONGEST_GIFT_S = 8.0, 4.0, 80.0  # until a part of what is held is offered to others
_TAKEN_S = 1.5  # whether somebody took it shows by then
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

    next_at: float | None = None  # None: no job waits here, so whatever is free here goes back anyway
    pause_s: float = _FIRST_GIFT_S
    wanted: bool = False  # somebody took the last one; else a single slot finds out whether others are about
    keep: int | None = None  # hold no more than this now
    given: int = 0
    given_at: float | None = None

    def step(self, now: float, held: int, waiting: int, limit: SharedLimit) -> None:
        """Begin an offer, or learn what became of it."""
        if self.given_at is not None:
            if now - self.given_at >= _TAKEN_S:
                self.wanted = limit.most - limit.in_use < self.given
                self.pause_s = _GIFT_S if self.wanted else min(_LONGEST_GIFT_S, 2 * self.pause_s)
                self.keep, self.given, self.given_at, self.next_at = None, 0, None, now + self.pause_s
        elif not waiting or held <= 1:
            self.keep, self.next_at = None, None
        elif limit.in_use < limit.most:  # there is something to be had as it is
            self.keep = None
        elif self.next_at is None:
            self.next_at = now + self.pause_s
        elif self.keep is None and now >= self.next_at:
            self.keep = held - (-(-held // PART) if self.wanted else 1)

    def gave(self, slots: int, now: float) -> None:
        """A part of it has gone back."""
        if slots and self.keep is not None:
            self.given, self.given_at = self.given + slots, now if self.given_at is None else self.given_at
