from __future__ import annotations

import pytest

from pipelines.core.errors import LimitServerAway, LimitServerGone
from pipelines.pacing.limit_server import Absence, AskingPace, Notices


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


@pytest.mark.parametrize(("error", "patience"), [(LimitServerGone(), 10), (LimitServerAway(), 75)])
def test_a_server_that_is_only_slow_is_waited_for_longer(error, patience):
    """Who goes on by themselves too early sends more than the account may, together with all who do the same."""
    absence = Absence()
    assert [absence.failed(now, error) for now in (100, 100 + patience - 1, 100 + patience)] == [False, False, True]
    absence.over()
    assert not absence.lasts
    assert not absence.failed(1000, error)


def test_a_server_that_refuses_is_asked_ever_less():
    """Each refusal costs it a transaction, and at the worst a minute; one that answers is asked as before."""
    absence, pauses = Absence(), []
    for now in (100, 101, 102, 103, 104, 105, 106, 200):
        absence.failed(now, LimitServerAway())
        pauses.append(absence.pause_s())
    assert pauses == pytest.approx([0.25, 0.375, 0.5625, 0.84375, 1.265625, 1.8984375, 2.0, 2.0])
    absence.over()
    absence.failed(300, LimitServerAway())
    assert absence.pause_s() == 0.25


@pytest.mark.parametrize("wanted", [0.0, 0.1, 0.5, 3.0])
def test_looks_are_a_second_apart_in_the_long_mean(wanted):
    """Some may follow each other closely; who has looked rarely may do so again."""
    pace, now, looks = AskingPace(), 100.0, []
    for _ in range(200):
        looks.append(now)
        now += pace.pause_s(now, wanted)
    assert looks[8] - looks[0] == pytest.approx(8 * wanted)
    assert looks[-1] - looks[0] >= 199 * max(wanted, 1.0) - 10
    now += 60
    assert [pace.pause_s(now, wanted) for _ in range(9)] == [wanted] * 9
