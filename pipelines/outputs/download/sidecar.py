"""The memory of a part file, beside it: what is needed to resume, and afterwards a receipt.

A torn or foreign sidecar counts as none: the download starts again, which costs nothing but time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

from pipelines.net.addresses import without_query


def link_digest(url: str) -> str:
    """SHA-256 of a link without its query. A freshly signed link to the same file has the same digest."""
    return hashlib.sha256(without_query(url).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The memory of one download."""

    link: str  # digest of the link
    etag: str | None = None  # strong; without one nobody can say whether the rest belongs to the same file
    total: int | None = None  # bytes, as the server promised
    name: str | None = None  # with `sha256`: the receipt, "published under this name with this content"
    sha256: str | None = None

    def resumes(self, url: str, have: int) -> bool:
        """Tell whether so many bytes of this link may be continued."""
        known = bool(self.etag) and self.total is not None and 0 < have <= self.total
        return known and self.link == link_digest(url)

    def to_bytes(self) -> bytes:
        """As it is written to disk."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """As it was written to disk, or None where it was not written by us or only in part."""
        try:
            values = json.loads(data)
            found = cls(**values)
        except (ValueError, TypeError):
            return None
        texts = all(isinstance(value, str | None) for name, value in values.items() if name != "total")
        sound = texts and isinstance(values.get("total"), int | None) and "/" not in (found.name or "")
        return found if sound else None
