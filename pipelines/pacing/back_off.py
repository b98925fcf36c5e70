"""Back-off: how long to wait before trying again. Pure."""

from __future__ import annotations

import random


def delay(attempt: int, *, base_s: float = 1.0, cap_s: float = 60.0, chance: float | None = None) -> float:
    """Seconds before try number `attempt + 1`: full jitter over min(cap, base * 2^attempt), never under a tenth of it.

    Args:
        attempt: how many tries have failed, 0 for the first wait.
        base_s: upper end of the first wait.
        cap_s: upper end of every wait.
        chance: 0..1 instead of a random draw.
    """
    most = min(cap_s, base_s * 2.0 ** min(attempt, 30))
    draw = random.random() if chance is None else chance  # noqa: S311 - jitter is no secret
    return most * (0.1 + 0.9 * draw)
