"""The names of jobs: which ids are allowed, and ids for rows that give none.

An id names a task run, a ledger row and by default a file, so it must be plain on every file system.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

#: Names that Windows keeps for devices, with any ending.
DEVICE_NAMES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in (*range(10), "¹", "²", "³")))
)

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_BYTES = 100
_WORDS, _SLUG_LENGTH, _HASH_LENGTH = 5, 40, 10


def id_problem(text: str) -> str | None:
    """The fault of an id as the end of a sentence, or None."""
    if not _ALLOWED.fullmatch(text):
        return "may have letters a-z, digits, dots, dashes and underscores, and begins with a letter or digit."
    if len(text) > _MOST_BYTES:
        return f"is longer than {_MOST_BYTES} characters."
    if text.endswith("."):
        return "ends with a dot, which some file systems drop."
    if text.split(".", maxsplit=1)[0].casefold() in DEVICE_NAMES:
        return "is the name of a device on Windows."
    return None


def slug(text: str, words: int = 100, most: int = 60) -> str:
    """The first words of a text as plain lower-case ASCII with dashes; empty where there are none."""
    plain = unicodedata.normalize("NFKD", text[: 8 * most]).encode("ascii", "ignore").decode("ascii").lower()
    found = re.findall(r"[a-z0-9]+", plain)[:words]
    made = ""
    for word in found:
        longer = f"{made}-{word}" if made else word[:most]
        if len(longer) > most:
            break
        made = longer
    return made


def derived_id(prompt: str, fingerprint: str, suffix: str = "") -> str:
    """An id for a row that gives none: it depends on what the row buys, and not on where it stands.

    A prompt that is not written in Latin letters gives `clip-<hash>`.
    """
    mostly_plain = sum(map(str.isascii, prompt[:200])) * 2 > len(prompt[:200])
    first = (slug(prompt, _WORDS, _SLUG_LENGTH) if mostly_plain else "") or "clip"
    parts = [first, suffix, fingerprint[:_HASH_LENGTH]] if suffix else [first, fingerprint[:_HASH_LENGTH]]
    made = "-".join(parts)
    return f"clip-{made}" if first in DEVICE_NAMES else made


def matrix_suffix(values: Iterable[str]) -> str:
    """The part of an id that tells the combinations of a matrix apart, the same in every run."""
    parts = []
    for value in values:
        plain = slug(value, most=20)
        # Values that lose something on the way to a slug could meet another value there.
        parts.append(plain if plain == value else f"{plain}-{_short_hash(value)}".lstrip("-"))
    made = "-".join(parts)
    return made if len(made) <= _SLUG_LENGTH else f"{made[:_SLUG_LENGTH].rstrip('-')}-{_short_hash(made)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
