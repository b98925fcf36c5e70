"""How a request proves who asks: the key in a header, in the query, or as a short-lived token that it signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

from pipelines.providers.profile.exchange import Auth

_LEAST_SECRET = 8  # a shorter key, as for a sandbox, is no secret, and would be found in the middle of a job's id
_EARLIER_S = 5  # a token holds from a moment ago, for a server whose clock is behind


class KeyProof:
    """The proofs of one key.

    Args:
        auth: how the provider wants it.
        key: empty: none is shown.
        clock: seconds since 1970.
    """

    def __init__(self, auth: Auth, key: str, clock: Callable[[], float] = time.time) -> None:
        self._auth, self._key, self._clock = auth, key, clock
        self._token, self._token_at = "", 0.0
        self._spelled = self._spellings()

    def headers(self) -> dict[str, str]:
        """The header that proves it; none where there is no key, or where it stands in the query."""
        auth = self._auth
        if not self._key or auth.by == "query":
            return {}
        if auth.by == "basic":
            return {auth.header.lower(): f"Basic {_pair(self._key)}"}
        said = self._signed() if auth.by == "jwt" else self._key
        return {auth.header.lower(): f"{auth.scheme} {said}".strip()}

    def on(self, url: str) -> str:
        """The address with the key in its query, where that is how it is shown."""
        if not self._key or self._auth.by != "query":
            return url
        return f"{url}{'&' if '?' in url else '?'}{self._auth.query}={quote(self._key, safe='')}"

    def secrets(self) -> tuple[str, ...]:
        """Every spelling of the key, or of a part of it, that nobody may read."""
        return self._spelled

    def _spellings(self) -> tuple[str, ...]:
        """Spell them out; every answer is searched for them, and they change with the token only."""
        parts = [self._key, self._token, *(self._key.split(":", 1) if self._auth.wants_pair else ())]
        spelled = [*parts, _pair(self._key), *map(quote_plus, parts), *(quote(part, safe="") for part in parts)]
        spelled += [each.replace("/", "\\/") for each in spelled]
        return tuple(each for each in sorted(set(spelled), key=len, reverse=True) if len(each) >= _LEAST_SECRET)

    def _signed(self) -> str:
        """A token of this key; a new one in time before the last has ended."""
        now = self._clock()
        if not 0 <= now - self._token_at < self._auth.lasts_s / 2:
            access, _, secret = self._key.partition(":")
            claims = {"iss": access, "exp": int(now) + self._auth.lasts_s, "nbf": int(now) - _EARLIER_S}
            self._token, self._token_at = signed_token(claims, secret), now
            self._spelled = self._spellings()
        return self._token


def signed_token(claims: Mapping[str, object], secret: str) -> str:
    """A JSON Web Token with an HMAC-SHA-256 signature (RFC 7519, `HS256` of RFC 7518)."""
    head = {"alg": "HS256", "typ": "JWT"}
    said = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{said}.{_encoded(hmac.new(secret.encode(), said.encode(), hashlib.sha256).digest())}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pair(key: str) -> str:
    return base64.b64encode(key.encode()).decode()
