"""What is told of each vendor in vendors.yaml: who is let in, its words, its codes, its ids; and how a key is shown to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict

from pipelines.sandbox.vendors.tables import STRICT, read_table

DAY = "%Y%m%d%H%M%S"
JWT_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedVendor:
    """One vendor."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    sources: tuple[str, ...]  # pages that this follows
    unread: tuple[str, ...]  # what no page that was read says
    scheme: str = "Bearer"  # before the key; empty: the key stands alone
    header: str = "authorization"
    query: str | None = None  # a parameter in which the key may come too
    jwt: bool = False  # the key is a token that the client signs
    identifier: Literal["uuid", "digits", "letters", "dated"]
    hours: float  # that a link works
    minutes: float  # that a clip usually takes
    words: tuple[str, str, str, str, str, str]  # accepted, queued, running, done, failed, cancelled
    failures: Mapping[str, tuple[str | int, str]] = field(default_factory=dict)  # outcome -> code and words
    refusals: Mapping[str, tuple[int, str | int]] = field(default_factory=dict)

    def refused(self, status: int, code: str | None) -> tuple[int, Any]:
        """The vendor's HTTP status and code for a refusal of ours; a code that is nobody's reason stands as it is."""
        usual = self.refusals.get(str(status), (status, self.refusals.get("500", (0, ""))[1]))
        return usual if code is None else self.refusals.get(code, (usual[0], self._usual(code, usual[1])))

    def _usual(self, code: str, usual: Any) -> Any:
        """A code as the vendor writes its codes; a reason of ours that it does not tell apart is its usual one."""
        if code in REASONS:
            return usual
        return int(code) if code.isdecimal() and isinstance(usual, int) else code


#: Why something is refused, where the vendors tell it apart from others of the same status.
REASONS = ("no_key", "wrong_key", "too_early", "too_late", "no_money", "model", "version")
#: Also their prefixes, and their contracts on the bill and in the faults.
HOSTED_NAMES = ("replicate", "fal", "runway", "google-veo", "kling", "minimax", "luma", "ark", "dashscope", "vidu")


@cache
def hosted_vendors() -> Mapping[str, HostedVendor]:
    """All of them, by name; read when somebody first speaks to one."""
    return {vendor.name: vendor for vendor in read_table("hosted/vendors.yaml", HostedVendor)}


def key_in(vendor: HostedVendor, header: str, query: Mapping[str, str], now: float) -> tuple[str, str]:
    """The key that was shown, and if there is none the reason; of a signed token it is who signed it.

    A sandbox cannot know the secret that a token is signed with: all else of it must be right.
    """
    said = query.get(vendor.query or "", "") or header
    key = said.removeprefix(f"{vendor.scheme} ").strip() if said.startswith(f"{vendor.scheme} ") else ""
    key = said.strip() if not vendor.scheme else key
    if not vendor.jwt or not key:
        return key, "no_key"
    try:
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in key.split(".")[:2])
        typed = head["alg"] == "HS256" and head["typ"] == "JWT" and len(key.split(".")) == JWT_PARTS
        issuer, start, end = claims["iss"], float(claims["nbf"]), float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return "", "wrong_key"
    if not typed or not isinstance(issuer, str):
        return "", "wrong_key"
    if now < start:
        return "", "too_early"
    return (issuer, "wrong_key") if now < end else ("", "too_late")


def hosted_id(vendor: HostedVendor, now: float, *parts: object) -> str:
    """A job's name in the vendor's form: it follows from its parts, and is the same after a restart."""
    digest = sha256(repr((vendor.name, now, *parts)).encode()).digest()
    if vendor.identifier == "uuid":
        return str(UUID(bytes=digest[:16], version=4))
    if vendor.identifier == "digits":
        return str(10**17 + int.from_bytes(digest[:7], "big"))
    letters = base64.b32encode(digest).decode().lower()[:26]
    return letters if vendor.identifier == "letters" else f"cgt-{datetime.fromtimestamp(now, UTC):{DAY}}-{letters[:5]}"
