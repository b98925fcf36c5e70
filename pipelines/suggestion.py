"""What somebody who misspelt a name may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or those that contain it, or all of them where none is near."""
    names, word = list(known), name[:100].casefold()
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.7) or [each for each in names if _has_word(each, word)]
    if not near:
        return f"Known: {', '.join(names)}."
    quoted = [f'"{each}"' for each in near]
    return f"Did you mean {' or '.join(quoted)}?"


def _has_word(name: str, word: str) -> bool:
    return word in re.split(r"[-_.]", name)
