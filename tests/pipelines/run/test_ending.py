from __future__ import annotations

from pathlib import Path

from pipelines.core.events import RowChange
from pipelines.core.status import JobStatus
from pipelines.run.ending import RunResult, warnings_of


def test_rows_that_changed_since_they_were_bought_are_warned_of():
    """They are no reason to fail, and a person must know of them."""
    assert warnings_of([], {}, Path("out")) == ()
    [words] = warnings_of([RowChange("a", 3, JobStatus.DONE, ("prompt",))], {}, Path("out"))
    assert "a" in words
    assert RunResult(0, (), 0, 0.0, (words,)).exit_code == 0


def test_clips_that_somebody_took_away_are_warned_of():
    """Each with its file, and with the command that brings it back."""
    [words] = warnings_of([], {"a": "videos/a.mp4", "b": "videos/b.mp4"}, Path("out"))
    assert words.startswith("2 clips that were done are no longer there: a (videos/a.mp4), b (videos/b.mp4). ")
    assert "`reelbatch verify out`" in words
