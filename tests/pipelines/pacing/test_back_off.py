from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.pacing.back_off import delay


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_wait_stays_within_its_bounds(attempt, chance):
    """Full jitter: between a tenth of the bound and the bound, which doubles up to the cap."""
    most = min(60.0, 2.0 ** min(attempt, 30))
    assert 0.1 * most <= delay(attempt, chance=chance) <= most


def test_waits_are_spread():
    """A thousand clients that failed together do not come back together."""
    waits = {round(delay(3), 1) for _ in range(1000)}
    assert len(waits) > 40
