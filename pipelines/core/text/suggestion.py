"""Suggestions for somebody who misspelt a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_MOST_NEAR = 5


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or those that contain it, or all of them where none is near."""
    names = list(known)
    return near_name(name, names) or f"Known: {', '.join(names)}."


def near_name(name: str, known: Iterable[str]) -> str:
    """A question for the nearest known name, or for those that contain it, whatever the case; empty where none is near."""
    names, word = {each.casefold(): each for each in known}, name[:100].casefold()
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.7) or [
        each for each in names if word in re.split(r"[-_.]", each)
    ]
    quoted = [f'"{names[each]}"' for each in near[:_MOST_NEAR]]
    return f"Did you mean {' or '.join(quoted)}?" if quoted else ""


def edit_distance(left: str, right: str) -> int:
    """Edits between two words, a swap of neighbours counting as one."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
