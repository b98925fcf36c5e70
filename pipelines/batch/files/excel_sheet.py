"""Opening an Excel file within bounds, and reading off its XML what a sheet hides, before any cell is believed."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

_MOST_UNPACKED = 256 * 1024 * 1024  # bytes of all parts; a file of 250,000 rows has less
_MOST_PARTS = 10_000
_MOST_ROWS = 1_048_576  # as Excel has it
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how files of older Office versions begin, and encrypted ones
_TRUE = frozenset({"1", "true"})


class ExcelRefused(ValueError):
    """The file is no workbook that can be read here: what is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


@dataclass(slots=True)
class SheetTraits:
    """The extent of a sheet, and what of it a person cannot see or a program cannot know."""

    rows: set[int] = field(default_factory=set)  # those with anything in them
    last_column: int = 0
    merged: list[str] = field(default_factory=list)  # such as A1:C1
    hidden_rows: list[int] = field(default_factory=list)  # of those with anything in them
    hidden_columns: set[int] = field(default_factory=set)
    uncalculated: dict[int, set[int]] = field(default_factory=dict)  # by row: columns of formulas without a value


@contextmanager
def opened(raw: bytes) -> Iterator[Any]:
    """The workbook in the bytes of an .xlsx file, as openpyxl reads it: values, and no formulas.

    Raises:
        ExcelRefused: it is encrypted, of another kind, far too large when unpacked, or damaged.
    """
    check_archive(raw)
    import pandas as pd  # noqa: PLC0415 - slow to import, and most batches are no Excel files

    try:
        file = pd.ExcelFile(io.BytesIO(raw), engine="openpyxl")
    except Exception as error:  # noqa: BLE001 - whatever a damaged file brings to light in two libraries
        raise ExcelRefused(f"is damaged ({type(error).__name__}).", "Open it in Excel and save it again.") from None
    with file:
        yield file.book


def check_archive(raw: bytes) -> None:
    """Refuse what is no workbook, or far too large, before anything of it is unpacked.

    Raises:
        ExcelRefused: saying which.
    """
    if raw.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in raw:
            raise ExcelRefused("is encrypted with a password.", "Save it without one.")
        raise ExcelRefused("is an old Excel file (.xls) by its content.", "Save it as .xlsx.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ExcelRefused("is no Excel file, although it is called one.", "Save it as .xlsx, or rename it.") from None
    # A part gives no more bytes than it announces, whoever packed it.
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise ExcelRefused(f"unpacks to more than {_MOST_UNPACKED >> 20} MiB.", "Split it into several batches.")
    if not any(part.filename.lower() == "xl/workbook.xml" for part in parts):
        raise ExcelRefused("holds no workbook of the kind .xlsx.", "Open it in Excel and save it as .xlsx.")


def traits_of(sheet: Any) -> SheetTraits:
    """Read the traits of a sheet in one pass over its XML.

    Raises:
        ExcelRefused: the XML is damaged.
    """
    scan = _Scan()
    try:
        with sheet._get_source() as part:  # noqa: SLF001 - openpyxl has no public name for the part of a sheet
            scan.read(part)
    except Exception as error:  # noqa: BLE001 - as above
        raise ExcelRefused(f"is damaged ({type(error).__name__}).", "Open it in Excel and save it again.") from None
    return scan.traits


class _Scan:
    """Reads the XML of one sheet without keeping any of it."""

    def __init__(self) -> None:
        from openpyxl.utils import column_index_from_string  # noqa: PLC0415 - as above

        self.traits = SheetTraits()
        self._number_of = column_index_from_string  # 27 for AA
        self._row = self._column = 0
        self._is_hidden = self._has_formula = self._has_value = self._is_text = self._in_value = False

    def read(self, part: IO[bytes]) -> None:
        parser = expat.ParserCreate()

        def refuse_entities(*_: object) -> None:
            raise ValueError("a sheet declares no entities")

        parser.StartDoctypeDeclHandler = refuse_entities
        parser.StartElementHandler, parser.EndElementHandler = self.on_start, self.on_end
        parser.CharacterDataHandler = self.on_text
        parser.ParseFile(part)

    def on_start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            letters = re.match("[A-Z]{1,3}", attributes.get("r", ""))
            self._column = self._number_of(letters[0]) if letters else self._column + 1
            self._has_formula = self._has_value = False
            self._is_text = attributes.get("t") == "str"  # of a formula; it may well be empty
        elif name in ("v", "is"):
            self._in_value = True
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            if self._row > _MOST_ROWS:
                raise ValueError("a sheet has fewer rows")
            self._column = 0
            self._is_hidden = attributes.get("hidden") in _TRUE
        elif name == "mergeCell":
            self.traits.merged.append(attributes.get("ref", ""))
        elif name == "col" and attributes.get("hidden") in _TRUE:
            first, last = int(attributes["min"]), int(attributes["max"])
            self.traits.hidden_columns.update(range(first, min(last, first + 1000) + 1))

    def on_text(self, text: str) -> None:
        if self._in_value and not self._has_value:
            self._has_value = not text.isspace()

    def on_end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in ("v", "is"):
            self._in_value = False
        elif name == "c" and (self._has_value or self._has_formula):
            found = self.traits
            found.rows.add(self._row)
            found.last_column = max(found.last_column, self._column)
            if not self._has_value and not self._is_text:
                found.uncalculated.setdefault(self._row, set()).add(self._column)
            if self._is_hidden and self._row not in found.hidden_rows[-1:]:
                found.hidden_rows.append(self._row)
