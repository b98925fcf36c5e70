from __future__ import annotations

from pathlib import Path

from pipelines.core.events import RowChange
from pipelines.core.status import JobStatus
from pipelines.run.ending import RunResult, warnings_of


def test_rows_that_changed_since_they_were_bought_are_warned_of():
    """They are no reason to fail, and a person must know of them."""
    assert warnings_of([], Path("out")) == ()
    [words] = warnings_of([RowChange("a", 3, JobStatus.DONE, ("prompt",))], Path("out"))
    assert "a" in words
    assert RunResult(0, (), 0, 0.0, (words,)).exit_code == 0
