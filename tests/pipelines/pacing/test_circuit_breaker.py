from __future__ import annotations

import pytest

from pipelines.pacing.circuit_breaker import DoubtBreaker, Outage

S, D = False, True


@pytest.mark.parametrize(
    ("story", "is_open"),
    [
        ([], False),
        ([S] * 500, False),
        ([D, D], False),
        ([D, D, S, D, D], True),
        ([D, D, D], True),
        ([S] * 100 + [D, D, D], True),
        ([D, S, D, S, D], True),
        ([D] + [S] * 60 + [D] + [S] * 60 + [D] + [S] * 27, False),
        ([D] + [S] * 60 + [D] + [S] * 60 + [D], True),
        ([D, S, D] + [S] * 1000, False),
    ],
    ids=["nothing", "all well", "two", "four of five", "three in a row", "late", "3 of 5", "2 %", "more", "two early"],
)
def test_s44_too_many_doubts_open_it(story, is_open):
    """Three doubts in a row, or at least three that are more than 2 %, end the submissions."""
    breaker = DoubtBreaker()
    for in_doubt in story:
        breaker.record(in_doubt=in_doubt)
    assert breaker.open is is_open


def test_an_outage_lasts_until_somebody_answers():
    """Patience runs from the first failure, not from the last, and one answer ends the outage."""
    outage = Outage(patience_s=0.0)
    assert (outage.ongoing(), outage.too_long, outage.lasts_s) == (False, False, 0.0)
    outage.failed()
    since = outage.since
    outage.failed()
    assert (outage.since, outage.failures, outage.ongoing(), outage.too_long) == (since, 2, True, True)
    assert outage.reached()
    assert not outage.reached()
    assert (outage.ongoing(), outage.too_long, outage.failures) == (False, False, 0)


def test_a_patient_run_waits():
    """Before patience has run out nothing is given up."""
    outage = Outage(patience_s=600)
    outage.failed()
    assert not outage.too_long
    assert 0 <= outage.lasts_s < 60
