"""What the folder of an occurrence remembers: in which zone it was begun, and so what its templates were filled with."""

from __future__ import annotations

from pathlib import Path

from pipelines.core.errors import SetupError
from pipelines.core.occurrence import Occurrence, occurrence_named
from pipelines.outputs.storage.whole_file import whole_file

NOTE = ".occurrence"
_MOST = 100  # characters


def note_occurrence(folder: Path, tick: Occurrence | None) -> None:
    """Write down as which moment, in which zone, an occurrence begins. What was noted first stays."""
    if tick is None or tick.at is None or (folder / NOTE).exists():
        return
    with whole_file(folder / NOTE) as file:
        file.write_text(f"{tick.words}\n", "utf-8")


def noted_occurrence(folder: Path, tick: Occurrence | None) -> Occurrence | None:
    """Find an occurrence as it was begun: whoever names it by its folder alone does not know its zone.

    In another zone `{{ date }}` and `{{ occurrence }}` would be filled otherwise, and what was paid for be bought again.

    Args:
        folder: its output folder.
        tick: as it was named for this run.

    Returns:
        The same moment in the zone that it was begun in; `tick` where nothing, or another moment, is noted.
    """
    if tick is None or tick.at is None:
        return tick
    try:
        noted = occurrence_named((folder / NOTE).read_text("utf-8")[:_MOST])
    except (OSError, ValueError, SetupError):
        return tick
    return noted if noted.key == tick.key else tick
