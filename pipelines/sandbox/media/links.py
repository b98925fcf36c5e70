"""Direct links to files that need no key: the path and the link_expiry are signed, as the vendors' storage does it."""

from __future__ import annotations

import hmac
import math
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlencode, urlsplit

from pipelines.sandbox.orders.bill import Purchase

#: Seconds that a file can be had.
LIFETIMES = {
    "qiniu": 7 * 86_400.0,  # [Q1]
    "qiniu-veo": 14 * 86_400.0,  # [Q10]
    "acedata": 6 * 86_400.0,  # the signed links in the samples [A1]; the FAQ says 30 days
    "openai": 3_600.0,  # [O7]; so do the gateways
    "vllm-omni": math.inf,  # as long as the server lives [V1]
    "sglang": math.inf,  # [G1]
}
FOREIGN_LIFETIME = 3_600.0
ISO = "%Y-%m-%dT%H:%M:%SZ"
SECRET = b"the sandbox signs with this; it guards nothing"


def link_expiry(purchase: Purchase, now: float, lifetime: float) -> int:
    """When a link made now ends: a lifetime after completion [Q1]; one that is made later lives as long from then on."""
    first = int(purchase.finished) + lifetime
    return math.ceil(first if now < first else now + lifetime)


def qiniu_link(base: str, purchase: Purchase, expires: int, number: int = 1) -> str:
    """[Q1]: `e` is the Unix time at which it ends."""
    return _link(base, f"/files/qiniu/{purchase.account}/{purchase.id}/{number}.mp4", expires)


def ace_link(base: str, purchase: Purchase, expires: int, ending: str = ".mp4") -> str:
    """[A1]: `st` and `se` are the times between which it works. `.jpg` is its picture, `/2.mp4` its second clip."""
    path = f"/files/acedata/{purchase.service}/{purchase.id}{ending}"
    starts = int(purchase.finished)
    signed = {name: f"{datetime.fromtimestamp(at, UTC):{ISO}}" for name, at in (("st", starts), ("se", expires))}
    signed["sig"] = link_signature(path, expires)
    return f"{base}{path}?{urlencode(signed)}"


def custom_link(base: str, purchase: Purchase, expires: int, number: int) -> str:
    """A link of a server that only its operator knows."""
    return _link(base, f"/files/profiles/{purchase.contract}/{purchase.id}/{number}.mp4", expires)


def foreign_link(base: str, purchase: Purchase, now: float) -> str:
    """The file under another name of this machine: whoever follows it must leave the key behind."""
    parts = urlsplit(base)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    path = f"/files/elsewhere/{purchase.id.replace('/', '%2F')}.mp4"
    return _link(f"{parts.scheme}://{host}:{parts.port or 80}", path, math.ceil(now + FOREIGN_LIFETIME))


def _link(base: str, path: str, expires: int) -> str:
    signed = urlencode({"e": expires, "token": link_signature(path, expires)})
    return f"{base}{quote(path, safe='/%')}?{signed}"


def still_valid(path: str, query: dict[str, str], now: float) -> bool | None:
    """Tell whether a link may be used now; None for one that was never made here."""
    try:
        if "se" in query:
            expires = int(datetime.strptime(query["se"], ISO).replace(tzinfo=UTC).timestamp())
        else:
            expires = int(query["e"])
    except (KeyError, ValueError):
        return None
    given = query.get("sig") or query.get("token") or ""
    if not hmac.compare_digest(given.encode(), link_signature(path, expires).encode()):
        return None
    return now < expires


def link_signature(path: str, expires: int) -> str:
    """What only the maker of the link knows."""
    return hmac.new(SECRET, f"{path}?{expires}".encode(), sha256).hexdigest()[:40]
