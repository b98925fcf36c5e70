"""Reading JSON that a stranger wrote: every function takes anything and never raises on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard
from urllib.parse import parse_qs, urlsplit

_EXCERPT = 2_000
_SECRET_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']+")
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


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
    """The value if it can be the id of a job: printable text of a sane length."""
    found = text(value)
    return found if found and len(found) <= 1_000 and found.isprintable() else None  # noqa: PLR2004 - LiteLLM ids are long


def error_of(answer: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Code and message of an error, wherever this family of APIs puts them.

    `error: {code, message}` (all), `error: "text"` (Ace, OpenRouter), top `code` and `message` (Qiniu), `detail: "text"`
    or `detail: {msg}` (FastAPI servers, fal).
    """
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
        seconds = value / 1000 if value > _LATEST else value
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None
    if isinstance(value, str):
        if value.strip().isdigit():
            return moment(int(value)) if len(value.strip()) < 20 else None  # noqa: PLR2004 - no time is that long
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def expiry_of(url: str) -> datetime | None:
    """When a signed link says it ends: `e` (Qiniu), `Expires` (S3, GCS), `se` (Azure), `X-Amz-Date` + `X-Amz-Expires`."""
    query = {key.lower(): values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    for name in ("e", "expires", "se"):
        if (found := moment(query.get(name))) is not None:
            return found
    signed, lasts = query.get("x-amz-date"), query.get("x-amz-expires", "")
    if signed and lasts.isdigit() and len(lasts) < 9:  # noqa: PLR2004 - S3 allows seven days
        start = moment(signed)
        return datetime.fromtimestamp(start.timestamp() + int(lasts), UTC) if start else None
    return None


def is_link(value: Any) -> TypeGuard[str]:
    """Whether a value is a link that could lead to a file."""
    return isinstance(value, str) and value.startswith(("http://", "https://")) and not any(c.isspace() for c in value)
