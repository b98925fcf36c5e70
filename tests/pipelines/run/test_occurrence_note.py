"""What the folder of an occurrence remembers of its beginning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.core.occurrence import occurrence_at, occurrence_named
from pipelines.run.occurrence_note import NOTE, note_occurrence, noted_occurrence

MOMENT = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
BERLIN, PLAIN = occurrence_at(MOMENT, "Europe/Berlin"), occurrence_at(MOMENT)


def test_an_occurrence_stays_of_the_day_that_it_began_on(tmp_path):
    """Whoever goes on with it in another zone fills its templates as they were; what was noted first stays."""
    assert noted_occurrence(tmp_path, PLAIN) is PLAIN
    note_occurrence(tmp_path, BERLIN)
    note_occurrence(tmp_path, PLAIN)
    assert noted_occurrence(tmp_path, PLAIN).variables == BERLIN.variables


@pytest.mark.parametrize("text", ["", "2026-11-22 00:30+01:00", "x y/../z", "2026-11-20", "\xff\x00"])
def test_a_note_of_something_else_is_none(tmp_path, text):
    """A folder that was copied, or a file that somebody has edited, changes nothing of what was named."""
    (tmp_path / NOTE).write_text(text, "latin-1")
    assert noted_occurrence(tmp_path, PLAIN) is PLAIN


def test_a_whole_day_needs_no_note(tmp_path):
    """It is the same in every zone."""
    day = occurrence_named("2026-11-21")
    note_occurrence(tmp_path, day)
    note_occurrence(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
    assert noted_occurrence(tmp_path, day) is day
