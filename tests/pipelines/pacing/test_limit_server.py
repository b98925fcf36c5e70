from __future__ import annotations

from pipelines.pacing.limit_server import Notices


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
