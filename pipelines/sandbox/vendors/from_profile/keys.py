"""The key in a request, where and how its profile says that it is shown."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from pipelines.providers.profile.exchange import Auth
from pipelines.sandbox.http.wire import Visit


def shown_key(auth: Auth, visit: Visit) -> str:
    """The key, or of a pair its first half; nothing where it is shown in another way than the profile has it."""
    if auth.by == "query":
        return visit.query.get(auth.query, "")
    said = visit.header(auth.header.lower().encode())
    scheme = "Basic" if auth.by == "basic" else auth.scheme
    if scheme and not said.startswith(f"{scheme} "):
        return ""
    key = said.removeprefix(f"{scheme} ") if scheme else said
    if auth.by == "basic":
        return _decoded(key).partition(":")[0]
    return _issuer(key, visit.now) if auth.by == "jwt" else key


def _issuer(token: str, now: float) -> str:
    """Who signed a token that holds now; what the secret is, a sandbox cannot know."""
    head, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    try:
        kind, said = json.loads(_decoded(head)), json.loads(_decoded(claims))
    except ValueError:
        return ""
    return str(said.get("iss", "")) if signature and kind.get("alg") == "HS256" and _holds(said, now) else ""


def _holds(claims: dict[str, Any], now: float) -> bool:
    return bool(claims.get("nbf", 0) <= now < claims.get("exp", 0))


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
