"""A cell of an Excel file as the text that a person sees in it, where there is no doubt what that is. Pure."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from pipelines.core.text.excerpt import quoted

_MOST_DIGITS = 10**15  # Excel keeps fifteen digits of a number and makes zeros of the rest
_AS_TEXT = "Format the column as text in Excel, and write it again."
_LITERALS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')  # what a number format shows as it is
_CARRIAGE_RETURN = re.compile("_x000[Dd]_\n?")  # as the format writes it within a text


class CellRefused(ValueError):
    """A cell whose text is not sure: what is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str = _AS_TEXT) -> None:
        super().__init__(what)
        self.fix = fix


def excel_text(cell: Any, *, is_ours: bool) -> str:
    """The text of a cell.

    Args:
        cell: as openpyxl reads it.
        is_ours: its column is one of ours, and none of these holds a date.

    Raises:
        CellRefused: it is an error, a number that Excel has rounded, a date where none belongs, or shown as another text.
    """
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "e":
        raise CellRefused(f"holds the error {quoted(str(value), 20)}.", "Mend its formula, or write the value.")
    if isinstance(value, str):
        return _CARRIAGE_RETURN.sub("\n", value) if "_x000" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return number_text(value, cell.number_format or "General")
    text = date_text(value)
    if is_ours:
        raise CellRefused(f"is a date or a time for Excel ({text}), which this column never holds.")
    return text


def number_text(value: float, number_format: str) -> str:
    """A number as its cell shows it: 1.0 is 1, and a format may add zeros before it or make a percentage of it.

    Raises:
        CellRefused: Excel has rounded it, or the format shows its digits in another way.
    """
    if not abs(value) < _MOST_DIGITS:
        raise CellRefused(f"is the number {value:.15g}, which has more digits than Excel keeps.")
    number = Decimal(f"{value:.15g}")
    shown = _LITERALS.sub("", number_format).partition(";")[0]
    zeros = shown.partition(".")[0].count("0")
    if "%" in shown:
        return f"{_plain(number * 100)}%"
    if zeros > 1 and "E" not in shown.upper():
        if shown.strip("0") or number < 0 or number != int(number):
            raise CellRefused(f"is the number {_plain(number)}, shown in the format {quoted(number_format, 40)}.")
        return str(int(number)).zfill(zeros)
    return _plain(number)


def date_text(value: object) -> str:
    """A date, a time, both or a duration in the form of ISO 8601; midnight is a date alone."""
    if isinstance(value, dt.datetime):
        return (value.date() if value.time() == dt.time() else value.replace(microsecond=0)).isoformat()
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return value.replace(microsecond=0).isoformat() if isinstance(value, dt.time) else str(value)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
