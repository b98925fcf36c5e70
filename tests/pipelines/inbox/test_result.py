from __future__ import annotations

from pipelines.inbox.result import inbox_result
from pipelines.inbox.watch import Filed


def test_what_a_look_came_to_is_counted_by_tray():
    """A file that was refused needs a person; one that was seen before does not."""
    filed = [
        Filed("a.csv", "done", "1 of 1 done"),
        Filed("b.csv", "seen", "seen before"),
        Filed("c.csv", "refused", "x"),
    ]
    result = inbox_result(filed)
    assert (result.words, result.good) == ("1 done, 1 refused, 1 seen", False)
    assert inbox_result(filed[:2]).good
    assert inbox_result([]).words == "nothing new"
