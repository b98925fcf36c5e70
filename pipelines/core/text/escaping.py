"""What a spreadsheet must not mistake for a formula, and what no text file can hold."""

from __future__ import annotations

import re

# Also behind leading blanks, and in the full-width forms that Excel folds.
_FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def harmless(text: str) -> str:
    """Text for a cell: with a leading `'` where a spreadsheet would calculate, or call a program."""
    return f"'{text}" if _FORMULA.match(text) else text


def encodable(text: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair becomes the replacement character."""
    return _SURROGATES.sub("\ufffd", text)
