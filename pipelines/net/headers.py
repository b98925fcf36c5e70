"""Headers: refuse those that cannot be sent, and read when to ask again. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipelines.core.errors import Unsendable
from pipelines.net.addresses import without_query

#: A hint longer than this is treated as this; the caller reports it.
LONGEST_HINT_S = 900.0


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the answer asks us to wait, or None if it asks for nothing sensible.

    `retry-after-ms` wins over `retry-after`, which may be seconds or an HTTP date (RFC 9110, 10.2.3). Negative, past,
    endless and unreadable values count as absent; long ones are cut to `LONGEST_HINT_S`.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None and (hint := _sensible(milliseconds / 1000)) is not None:
        return hint
    text = headers.get("retry-after")
    if (seconds := _number(text)) is not None:
        return _sensible(seconds)
    if text:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return _sensible((moment - (now or datetime.now(UTC))).total_seconds())
    return None


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """What time it is at the server (RFC 9110, 6.6.1), or None where it does not say."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def poll_hint(headers: Mapping[str, str]) -> float | None:
    """Seconds until the next status query is worth while, as OpenAI's servers say it, or None.

    It holds for this one pause: it gets longer or shorter with the job.
    """
    milliseconds = _number(headers.get("openai-poll-after-ms"))
    return None if milliseconds is None else _sensible(milliseconds / 1000)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _sensible(seconds: float) -> float | None:
    return min(seconds, LONGEST_HINT_S) if math.isfinite(seconds) and seconds >= 0 else None


def refuse_unsendable(headers: Mapping[str, str], url: str) -> None:
    """Say before anything is done what the library would say at the first byte, repeating the header, key and all.

    Raises:
        Unsendable: a header has characters in it that no request can carry.
    """
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise Unsendable(f"The header {name} for {without_query(url)} has characters in it that cannot be sent.")
