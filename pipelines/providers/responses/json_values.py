"""Read values out of external JSON: every function takes anything, and none raises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard
from urllib.parse import parse_qs, urljoin, urlsplit

from pipelines.core.text.printable import printable

_EXCERPT = 2_000
_HTTP_STATUS = re.compile(r"[1-5]\d\d")
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_FIRST_LINK = datetime(2020, 1, 1, tzinfo=UTC)  # no link that matters ended before
_LONGEST_WORD = 60
_LONGEST_MESSAGE = 500
_MOST_LINES = 1_000
_SHORT_FILE = 4_096  # characters; no id or token is as long, and no clip as short
_BASE64 = re.compile(r"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/_-]+={0,2}")


def parse(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a body, or None if there is none. Of several, one a line, the last is the envelope."""
    whole = _object(body)
    if whole is not None:
        return whole
    lines = [line for line in body.split(b"\n", _MOST_LINES) if line.strip()]
    objects = [_object(line) for line in lines]
    return objects[-1] if len(objects) > 1 and None not in objects else None


def _object(text: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
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


def at_path(value: Any, path: str) -> list[Any]:
    """Everything that a path leads to, such as `task_result.videos[].url`.

    `[]` stands for every item of a list, or for the value itself where it is none: some services answer with a list
    one day and with its only item the next.
    """
    found = [value]
    for name in path.split("."):
        key = name.removesuffix("[]")
        found = [mapping(each).get(key) for each in found] if key else found
        if name.endswith("[]"):
            found = [item for each in found for item in (each if isinstance(each, list) else [each])]
    return [each for each in found if each is not None]


def number(value: Any) -> float | None:
    """A finite number, also as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    with suppress(ValueError, OverflowError):
        found = float(value)
        return found if math.isfinite(found) else None
    return None


def error_of(answer: Mapping[str, Any], known: Container[str] = ()) -> tuple[str | None, str | None]:
    """Code and message of an error, wherever this family of APIs puts them, safe to show and to store.

    `error: {code, message}` (all), `error: "text"` (Ace, OpenRouter), top `code` and `message` (Qiniu), `detail: "text"`,
    `detail: {msg, type}` or a list of such (FastAPI servers, fal). The first that says something counts, and a code that
    merely repeats an HTTP status says nothing where there is another (vLLM-Omni).

    Args:
        answer: the whole of it.
        known: codes that mean something to the caller; of several in one answer the first of these counts.
    """
    error, detail = answer.get("error"), answer.get("detail")
    if isinstance(detail, list):
        detail = next(iter(detail), None)
    places = (mapping(error).get("code"), mapping(error).get("type"), answer.get("code"), mapping(detail).get("type"))
    codes = [found for value in places if (found := text(value))]
    best = (*(c for c in codes if c in known), *(c for c in codes if not _HTTP_STATUS.fullmatch(c)), *codes)
    code = next(iter(best), None)
    messages = (error, mapping(error).get("message"), answer.get("message"), detail, complaint_of(mapping(detail)))
    message = next((found for value in messages if (found := text(value))), None)
    return code and printable(code, _LONGEST_WORD), message and printable(message, _LONGEST_MESSAGE)


def error_code(answer: Mapping[str, Any]) -> str | None:
    """The `code` of an error object. Unlike a type, or a code beside it, it says that the error is the last word."""
    return text(mapping(answer.get("error")).get("code"))


def complaint_of(detail: Mapping[str, Any]) -> str | None:
    """FastAPI's words for one complaint, behind the field that they are about: `seconds: field required`."""
    words, place = text(detail.get("msg")), detail.get("loc")
    steps = [str(step) for step in place if isinstance(step, str | int)] if isinstance(place, list) else []
    field = ".".join(steps[1:] if steps[:1] == ["body"] else steps)
    return f"{field}: {words}" if words and field else words


def body_excerpt(body: bytes) -> str:
    """The start of a body for the record, signed queries cut off and control characters escaped."""
    return printable(body[:_EXCERPT].decode("utf-8", "replace"), _EXCERPT)


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
    """The moment at which a signed link ends, the earliest if it says so twice.

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


def is_elsewhere(answer: Mapping[str, Any], places: Sequence[str]) -> bool:
    """Tell whether an answer has none of the places that these paths begin with: an empty one is another matter."""
    firsts = [place.split(".", maxsplit=1)[0].removesuffix("[]") for place in places]
    return bool(firsts) and not any(first in answer or not first for first in firsts)


def has_link(value: Any) -> bool:
    """Tell whether there is a link anywhere in a value, or a path that may be one."""
    return any(is_link(each) or _is_path(each) for each in _leaves(value))


def has_file(value: Any) -> bool:
    """Tell whether there is a link anywhere in a value, or a base64 text that is long enough for a clip."""
    texts = (each for each in _leaves(value) if isinstance(each, str) and len(each) > _SHORT_FILE)
    return has_link(value) or any(_BASE64.fullmatch(each[:_SHORT_FILE]) for each in texts)


def _leaves(value: Any) -> Iterator[Any]:
    """Every value inside another that holds no further ones."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
        else:
            yield each


def link_from(value: Any, base_url: str) -> str | None:
    """The link that a value is. One without a host, such as `/v1/videos/x/content`, is meant at the API's own."""
    if not _is_path(value):
        return value if is_link(value) else None
    with suppress(ValueError):
        link = urljoin(base_url, value)
        return link if is_link(link) else None
    return None


def _is_path(value: Any) -> TypeGuard[str]:
    if not isinstance(value, str) or not value.startswith("/") or not value.strip("/"):
        return False
    return _is_one_word(value)


def is_link(value: Any) -> TypeGuard[str]:
    """Tell whether a value is a link that could lead to a file."""
    if not isinstance(value, str) or not _is_one_word(value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_one_word(value: str) -> bool:
    return value.isprintable() and not any(character.isspace() for character in value)
