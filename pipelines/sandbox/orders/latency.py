"""How long a job takes: what the vendors say of themselves, or what the operator asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Self

#: Usual minutes, from and to, by contract and clip length.
USUAL_MINUTES: dict[str, dict[int, tuple[float, float]]] = {
    "qiniu": {4: (2, 5), 8: (5, 10), 12: (10, 15)},  # [Q1]
    "acedata": {4: (1, 2), 25: (1.5, 3)},  # [A1] "about 1-2 minutes"; the longest clip is a guess of ours
    "openai": {4: (1.5, 3), 8: (3, 5), 12: (5, 7), 20: (7, 10)},  # not published; a guess of ours
}


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of waiting times in seconds."""

    kind: str
    first: float
    second: float = 0.0

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Read `1.5`, `uniform:2-5` or `lognormal:120,0.3` (median and sigma); anything else is a ValueError."""
        kind, colon, numbers = spec.partition(":")
        try:
            if not colon:
                parsed = cls("constant", float(spec))
            else:
                first, second = numbers.split({"uniform": "-", "lognormal": ","}[kind])
                parsed = cls(kind, float(first), float(second))
        except (KeyError, ValueError):
            parsed = None
        if parsed is None or not parsed.is_possible():
            raise ValueError(f"latency {spec!r} is none of: 1, uniform:2-5, lognormal:120,0.3")
        return parsed

    def is_possible(self) -> bool:
        """Tell whether every draw is a finite time that is not negative."""
        finite = math.isfinite(self.first) and math.isfinite(self.second)
        if self.kind == "uniform":
            return finite and 0 <= self.first <= self.second
        return finite and self.second >= 0 and (self.first > 0 if self.kind == "lognormal" else self.first >= 0)

    def draw(self, chance: Random) -> float:
        """One waiting time."""
        if self.kind == "uniform":
            return chance.uniform(self.first, self.second)
        if self.kind == "lognormal":
            return self.first * math.exp(chance.gauss(0.0, self.second))
        return self.first


def usual_latency(contract: str, seconds: float, speed: float, told_s: float | None = None) -> Latency:
    """What this vendor usually takes for a clip of this length, or about `told_s` seconds, `speed` times as fast."""
    if told_s is not None:
        return Latency("uniform", told_s * 0.8 / speed, told_s * 1.2 / speed)
    rows = USUAL_MINUTES.get(contract, USUAL_MINUTES["openai"])
    length = next((known for known in sorted(rows) if known >= seconds), max(rows))
    fewest, most = rows[length]
    return Latency("uniform", fewest * 60 / speed, most * 60 / speed)
