"""Reference images and characters as a cell names them: addresses, which the provider opens, and local files."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

_BLANK = re.compile("[\\s\x00-\x1f\x7f\ud800-\udfff]")
_ADDRESS = re.compile(r"https?://|data:", re.IGNORECASE)
_BEFORE_AN_ADDRESS = re.compile(r"[\s,;]+(?=https?://|data:)", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://|file:", re.IGNORECASE)
_LONGEST_KEPT = 4096  # characters; what is longer is a picture written out, and seldom there twice


def split_references(cell: str) -> tuple[str, ...]:
    """The pictures that one cell names.

    Bars and line ends separate them, and blanks before and after an address. Commas and semicolons separate paths; in an
    address they are part of it. A path may have blanks in it.
    """
    return _split_kept(cell) if len(cell) < _LONGEST_KEPT else _split(cell)


def _split(cell: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in re.split(r"[|\r\n]+", cell):
        for piece in _BEFORE_AN_ADDRESS.split(part):
            text = piece.strip(" \t,;")
            if not _ADDRESS.match(text):
                found += re.split(r"[,;]", text)
                continue
            address, *after = text.split(maxsplit=1)
            found.append(address.rstrip(",;"))
            found += re.split(r"[,;]", after[0]) if after else []
    return tuple(text for each in found if (text := each.strip()))


_split_kept = lru_cache(maxsize=8192)(_split)


def is_address(reference: str) -> bool:
    """Tell whether the provider is to open it; else it is a path, or a data: address that carries the picture itself."""
    return bool(_SCHEME.match(reference))


def is_data(reference: str) -> bool:
    """Tell whether it carries a picture in itself."""
    return reference[:5].lower() == "data:"


@lru_cache(maxsize=8192)
def address_problem(address: str) -> str | None:
    """The fault of an address as the end of a sentence, or None."""
    if _BLANK.search(address):
        return "has a blank or a control character in it."
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address."
    if parts.scheme.lower() not in {"http", "https"}:
        return "is not an http or https address."
    if not host:
        return "names no host."
    if parts.username is not None or parts.password is not None:
        return "has a user name or password in it, which would reach the provider."
    return None


@lru_cache(maxsize=8192)
def is_internal(address: str) -> bool:
    """Tell whether the address is one that a provider on the internet surely cannot open."""
    host = (urlsplit(address).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host
