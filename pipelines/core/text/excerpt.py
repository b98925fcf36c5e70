"""A user's text in a message: short, on one line, and unable to play tricks on a terminal."""

from __future__ import annotations

import re

#: Control characters, lone surrogates and the marks that turn the direction of text around.
_TRICKS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def quoted(text: str, most: int = 80) -> str:
    """The first `most` characters of a text, quoted, with everything unprintable escaped."""
    shown = _TRICKS.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text[:most])
    return f'"{shown}…"' if len(text) > most else f'"{shown}"'
