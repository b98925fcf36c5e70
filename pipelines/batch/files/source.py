"""The bytes of a batch file, read once, within bounds, and turned into text by rule, never by guess."""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import BatchError, Problem

#: What a batch file may be called.
BATCH_SUFFIXES = (".csv", ".tsv", ".xlsx", ".yaml", ".yml", ".jsonl")

#: What other spreadsheets are called: refused, with what to do.
OTHER_SPREADSHEETS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")

#: A batch file may be this large, in bytes.
MOST_BATCH_BYTES = 64 * 1024 * 1024

_SAVE_AS = 'Save it as UTF-8 (in Excel: "CSV UTF-8").'


@dataclass(frozen=True, slots=True)
class BatchSource:
    """One batch file as it was read. The hash is of the very bytes that were parsed."""

    path: Path
    suffix: str  # lower case, one of BATCH_SUFFIXES
    text: str  # empty where the bytes are no text
    sha256: str
    notes: tuple[str, ...] = ()
    marked: bool = False  # it began with a byte order mark
    raw: bytes = b""  # of an .xlsx file


def read_source(path: Path, most_bytes: int = MOST_BATCH_BYTES) -> BatchSource:
    """Read one batch file.

    Raises:
        BatchError: it is missing, not a regular file, too big, of an unknown kind, or not text in a known encoding.
    """
    suffix = path.suffix.lower()
    try:
        raw = _read_bounded(path, most_bytes)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(path, f"cannot be read: {reason}.", "Check the path.") from None
    if suffix == ".xlsx":
        return BatchSource(path, suffix, "", hashlib.sha256(raw).hexdigest(), raw=raw)
    text, notes = decode(raw, path)
    marked = raw.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return BatchSource(path, suffix, text, hashlib.sha256(raw).hexdigest(), notes, marked)


def _read_bounded(path: Path, most_bytes: int) -> bytes:
    def open_regular(name: str, flags: int) -> int:
        # Non-blocking, or a FIFO would hold us here until somebody writes to it.
        descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISREG(kind):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(kind):
            raise _refused(path, "is a folder.", "Name the batch file in it.")
        raise _refused(path, "is a device or a pipe.", "Name a file.")

    with open(path, "rb", buffering=0, opener=open_regular) as file:
        if path.suffix.lower() not in BATCH_SUFFIXES:
            what = f"is a {path.suffix} file." if path.suffix else "has no ending that tells its kind."
            known = f"Known kinds: {', '.join(BATCH_SUFFIXES)}."
            raise _refused(path, what, "Save it as .xlsx." if path.suffix.lower() in OTHER_SPREADSHEETS else known)
        # The size that the file system tells may be stale, as the file may be growing: only what is read counts.
        parts, left = [], most_bytes + 1
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    raw = b"".join(parts)
    if len(raw) > most_bytes:
        raise _refused(path, f"is larger than {most_bytes / 1024 / 1024:g} MiB.", "Split it into several batches.")
    return raw


def decode(raw: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """Text from bytes: UTF-8, or UTF-16 where a byte order mark says so. Also gives notes about the encoding.

    Raises:
        BatchError: anything else, with the line of the first byte that does not fit.
    """
    encoding, skipped = "utf-8", 0
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise _refused(path, "is UTF-32.", _SAVE_AS)
    if raw.startswith(codecs.BOM_UTF8):
        skipped = 3
    elif raw.startswith(codecs.BOM_UTF16_LE):
        encoding, skipped = "utf-16-le", 2
    elif raw.startswith(codecs.BOM_UTF16_BE):
        encoding, skipped = "utf-16-be", 2
    try:
        text = raw[skipped:].decode(encoding)
    except UnicodeDecodeError as error:
        before = raw[skipped : skipped + error.start].decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        byte = raw[error.start + skipped]
        what = f"is not {encoding.upper()}: byte 0x{byte:02x} in line {1 + before.count(chr(10))} is no letter there."
        raise _refused(path, what, _SAVE_AS) from None
    if "\0" in text:
        offset = raw.find(b"\0" if encoding == "utf-8" else b"\0\0")
        raise _refused(path, f"has a NUL at offset {offset}; perhaps it is UTF-16 without a byte order mark.", _SAVE_AS)
    return text, (f"read as {encoding.upper()}",) if encoding != "utf-8" else ()


def _refused(path: Path, what: str, fix: str) -> BatchError:
    return BatchError([Problem(str(path), what, fix)])
