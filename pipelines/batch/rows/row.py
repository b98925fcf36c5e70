"""One row of a batch, after defaults: every cell read strictly, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.batch.files.document import Value
from pipelines.batch.findings import RowFinding
from pipelines.batch.rows.cells import READERS, CellUnfit
from pipelines.batch.rows.reference import is_address, is_internal

_CHARACTER = ("character_url", "character_start", "character_end")
_MOST_CHARACTER_SECONDS = 3


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row as it was understood. The prompt and the file name may still be templates."""

    prompt: str = ""
    id: str | None = None
    filename: str | None = None
    provider: str | None = None
    model: str | None = None
    seconds: int | None = None
    size: str | None = None
    orientation: str | None = None
    image_url: tuple[str, ...] = ()
    character_url: str | None = None
    character_start: int | None = None
    character_end: int | None = None
    remix_of: str | None = None
    fallback: tuple[str, ...] | None = None  # None: what holds for the whole batch
    takes: int = 1
    tags: tuple[str, ...] = ()
    enabled: bool = True
    skip: bool = False
    campaign: str | None = None


def read_row(values: Mapping[str, Value]) -> tuple[BatchRow, list[RowFinding], list[RowFinding]]:
    """Read the canonical columns of one row.

    Args:
        values: canonical name -> cell, trimmed, only cells that are not empty.

    Returns:
        The row, problems and warnings. A cell with a problem counts as not given.
    """
    read: dict[str, Any] = {}
    problems: list[RowFinding] = []
    warnings: list[RowFinding] = []
    for name, value in values.items():
        if value is None:
            continue
        try:
            read[name] = READERS[name](value)
        except CellUnfit as unfit:
            problems.append(RowFinding(name, unfit.what, unfit.fix))
    unread = {problem.column for problem in problems}
    if any(name in values for name in _CHARACTER) and unread.isdisjoint(_CHARACTER):
        wrong = character_problem(read)
        if wrong:
            problems.append(wrong)
    for name in ("image_url", "character_url"):
        addresses = read.get(name) or ()
        for address in (addresses,) if isinstance(addresses, str) else addresses:
            if is_address(address) and is_internal(address):
                what, fix = (
                    "is an internal address, which a provider cannot reach.",
                    "The provider opens it, not this machine.",
                )
                warnings.append(RowFinding(name, what, fix))
    return BatchRow(**read), problems, warnings


def character_problem(read: Mapping[str, Any]) -> RowFinding | None:
    """Say what is wrong with the three cells of a character together: an address, and some seconds of the clip there.

    Args:
        read: the row's cells that could be read, by canonical name.
    """
    missing = [name for name in _CHARACTER if name not in read]
    if missing:
        fix = "Give character_url, character_start and character_end, or none of them."
        return RowFinding(missing[0], "is missing beside the other character columns.", fix)
    span = read["character_end"] - read["character_start"]
    if 1 <= span <= _MOST_CHARACTER_SECONDS:
        return None
    fix = f"Choose a part of 1 to {_MOST_CHARACTER_SECONDS} seconds."
    return RowFinding("character_end", f"is {span} s after character_start.", fix)
