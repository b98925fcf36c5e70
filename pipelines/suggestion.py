"""What somebody who misspelt a name may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known name, or all of them where none is near."""
    names = list(known)
    near = difflib.get_close_matches(name[:100].casefold(), names, n=1, cutoff=0.7)
    return f'Did you mean "{near[0]}"?' if near else f"Known: {', '.join(names)}."
