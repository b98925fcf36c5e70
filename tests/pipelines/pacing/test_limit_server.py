from __future__ import annotations

import pytest

from pipelines.core.errors import LimitServerAway, LimitServerGone
from pipelines.pacing.limit_server import Absence, Notices


def test_an_absence_is_said_once_for_all_limits():
    """However many limits a server keeps: once that it is away, and once that all of them can be asked about again."""
    said = []
    notices = Notices(lost=said.append, regained=lambda: said.append("regained"))
    for name in ("a", "b", "a"):
        notices.away(name, "no answer")
    notices.there("c")
    notices.there("a")
    assert said == ["no answer"]
    notices.there("b")
    notices.there("b")
    assert said == ["no answer", "regained"]
    notices.away("a", "again")
    assert said[-1] == "again"


@pytest.mark.parametrize(("error", "patience"), [(LimitServerGone(), 10), (LimitServerAway(), 60)])
def test_a_server_that_is_only_slow_is_waited_for_longer(error, patience):
    """Who goes on by themselves too early sends more than the account may, together with all who do the same."""
    absence = Absence()
    assert [absence.failed(now, error) for now in (100, 100 + patience - 1, 100 + patience)] == [False, False, True]
    absence.over()
    assert not absence.lasts
    assert not absence.failed(1000, error)
