"""A digest of all in a profile that decides what is sent: whether an order would go out differently than it did."""

from __future__ import annotations

import hashlib

from pipelines.providers.profile.model import Profile

_SAYS_NOTHING_OF_ORDERS = {
    "title",
    "notes",
    "prices",
    "timing",
    "limits",
    "bills_failures",
    "words",
    "results",
    "answers",
}


def orders_digest(profile: Profile) -> str:
    """The digest; the same where only prices, pace, or the reading of answers about jobs have changed."""
    sent = profile.model_dump_json(exclude=_SAYS_NOTHING_OF_ORDERS)
    return hashlib.sha256(sent.encode()).hexdigest()[:16]
