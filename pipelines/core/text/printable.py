"""Make external words safe to show and to store."""

from __future__ import annotations

import re

_MOST = 2_000  # characters
_SECRET_QUERY = re.compile(r"(https?:\\?/\\?/[^\s\"'?]+)\?[^\s\"']+", re.IGNORECASE)


def printable(words: str, most: int = _MOST) -> str:
    """Escape control characters, cut signed queries off, and shorten to `most` characters."""
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in _SECRET_QUERY.sub(r"\1", words))
    return clean if len(clean) <= most else clean[: most - 1] + "…"
