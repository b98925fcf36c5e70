"""File names of clips: relative to the folder of videos, inside it, and the same on every file system."""

from __future__ import annotations

import re
import unicodedata

from pipelines.batch.rows.ids import DEVICE_NAMES

#: Control characters, characters that some file system keeps for itself, and marks that turn the text around.
_RESERVED = re.compile('[\x00-\x1f\x7f-\x9f<>:"\\\\|?*\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
_MOST_BYTES_OF_A_PART = 200  # of the usual 255: the file has companions with longer endings
_MOST_BYTES = 800


def filename_problem(name: str) -> str | None:
    """The fault of a file name that already ends in .mp4 as the end of a sentence, or None."""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "is not relative to the folder of videos."
    found = _RESERVED.search(name)
    if found:
        return f"has a character that cannot be in a file name: {found.group()!a}."
    if len(name.encode()) > _MOST_BYTES:
        return f"is longer than {_MOST_BYTES} bytes."
    for part in name.split("/"):
        if part in {"", ".", ".."}:
            return "has an empty part, or one that leads out of the folder."
        if part[0] in ".-~ " or part[-1] in ". ":
            return "has a part that begins with a dot, dash, tilde or blank, or ends with a dot or blank."
        if part.split(".", maxsplit=1)[0].strip().casefold() in DEVICE_NAMES:
            return "has a part that is the name of a device on Windows."
        if len(part.encode()) > _MOST_BYTES_OF_A_PART:
            return f"has a part longer than {_MOST_BYTES_OF_A_PART} bytes."
    return None


def with_ending(name: str) -> str:
    """The name with `.mp4` at its end."""
    return name if name.casefold().endswith(".mp4") else f"{name}.mp4"


def with_take(name: str, take: int) -> str:
    """The name of a further take: `dance.mp4` becomes `dance-t2.mp4`."""
    return f"{name[:-4]}-t{take}{name[-4:]}"


def collision_key(name: str) -> str:
    """Equal for two names that some file system takes for the same file."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()
