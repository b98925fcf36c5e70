"""Addresses of reference images and characters. They are checked for form and never fetched: the provider does that."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

_BLANK = re.compile("[\\s\x00-\x1f\x7f\ud800-\udfff]")
_BETWEEN = re.compile(r"[\s|]+")


def split_addresses(cell: str) -> tuple[str, ...]:
    """The addresses in one cell, separated by blanks, bars or line ends, perhaps with a comma as well."""
    return tuple(part for piece in _BETWEEN.split(cell) if (part := piece.rstrip(",;")))


@lru_cache(maxsize=8192)
def address_problem(address: str) -> str | None:
    """What is wrong with an address, or None."""
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
    """Whether the address is one that a provider on the internet surely cannot open."""
    host = (urlsplit(address).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host
