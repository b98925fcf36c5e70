"""Reading JSON that a stranger wrote: every function takes anything and never raises on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard
from urllib.parse import parse_qs, urlsplit

_EXCERPT = 2_000
_SECRET_QUERY = re.compile(r"(https?:\\?/\\?/[^\s\"'?]+)\?[^\s\"']+", re.IGNORECASE)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_FIRST_LINK = datetime(2020, 1, 1, tzinfo=UTC)  # no link that matters ended before
_LONGEST_WORD = 60
_LONGEST_MESSAGE = 500


def parse(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a body, or None if there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """The value if it is text with something in it, or a number as text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def identifier(value: Any) -> str | None:
    """The value if it can be the id of a job: printable text of a sane length, or a whole number."""
    found = None if isinstance(value, float) else text(value)
    return found if found and len(found) <= 1_000 and found.isprintable() else None  # noqa: PLR2004 - LiteLLM ids are long


def word(value: Any) -> str:
    """A status word in lower case, or nothing."""
    return printable(text(value) or "", _LONGEST_WORD).lower()


def error_of(answer: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Code and message of an error, wherever this family of APIs puts them, safe to show and to store.

    `error: {code, message}` (all), `error: "text"` (Ace, OpenRouter), top `code` and `message` (Qiniu), `detail: "text"`
    or `detail: {msg}` (FastAPI servers, fal).
    """
    code, message = _raw_error_of(answer)
    return code and printable(code, _LONGEST_WORD), message and printable(message, _LONGEST_MESSAGE)


def _raw_error_of(answer: Mapping[str, Any]) -> tuple[str | None, str | None]:
    error = answer.get("error")
    if isinstance(error, dict):
        return text(error.get("code")) or text(error.get("type")), text(error.get("message"))
    if isinstance(error, str) and error.strip():
        return None, error.strip()
    detail = answer.get("detail")
    if isinstance(detail, str):
        return text(answer.get("code")), detail
    if isinstance(detail, dict):
        return text(answer.get("code")), text(detail.get("msg"))
    return text(answer.get("code")), text(answer.get("message"))


def excerpt(body: bytes) -> str:
    """The start of a body for the record, signed queries cut off and control characters escaped."""
    shown = body[:_EXCERPT].decode("utf-8", "replace")
    return printable(_SECRET_QUERY.sub(r"\1", shown))


def printable(words: str, most: int = _EXCERPT) -> str:
    """Somebody else's words, safe to show and to store: controls escaped, signed queries cut, shortened."""
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in _SECRET_QUERY.sub(r"\1", words))
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def moment(value: Any) -> datetime | None:
    """A point in time: Unix seconds or milliseconds, or ISO 8601 text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < _LATEST * 1000:
            return None
        return datetime.fromtimestamp(value / 1000 if value > _LATEST else value, UTC)
    if isinstance(value, str):
        with suppress(ValueError):
            return moment(float(value))
        with suppress(ValueError, OverflowError):
            found = datetime.fromisoformat(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def expiry_of(url: str) -> datetime | None:
    """When a signed link says it ends, the earliest if it says so twice.

    `e` (Qiniu), `Expires` (S3, GCS), `se` (Azure), `X-Amz-Date` + `X-Amz-Expires` and the same of Google.
    """
    try:
        query = {key.lower(): values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return None
    ends = [moment(query.get(name)) for name in ("e", "expires", "se")]
    for vendor in ("amz", "goog"):
        start, lasts = moment(query.get(f"x-{vendor}-date")), query.get(f"x-{vendor}-expires", "")
        if start is not None and lasts.isdecimal() and len(lasts) < 9:  # noqa: PLR2004 - seven days is the most
            ends.append(start + timedelta(seconds=int(lasts)))
    return min((end for end in ends if end is not None and end > _FIRST_LINK), default=None)


def is_link(value: Any) -> TypeGuard[str]:
    """Whether a value is a link that could lead to a file."""
    if not isinstance(value, str) or not value.isprintable() or any(c.isspace() for c in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
