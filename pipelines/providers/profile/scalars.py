"""The single values that a profile is made of, each with its bounds."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from pipelines.net.addresses import Origin

LONGEST_S = 3_600  # no clip of these services is longer; a bound keeps prices in range
_YEAR_H = 366 * 24.0


def written_day(value: Any) -> Any:
    """Let pass a date, or text such as 2026-11-21, and nothing else: pydantic takes a number for the seconds since 1970.

    Raises:
        PydanticCustomError: it is neither.
    """
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise PydanticCustomError("date_parsing", "is not a date")


def trusted_host(text: str) -> str:
    """Let pass HOST and HOST:PORT.

    Raises:
        PydanticCustomError: it is neither.
    """
    try:
        Origin.trusted(text)
    except ValueError:
        raise PydanticCustomError("host", "Give HOST or HOST:PORT, such as files.lan:9000 or [::1]:9000") from None
    return text


def places(value: Any) -> Any:
    """Let one place of an answer stand for a list of one."""
    return (value,) if isinstance(value, str) else value


Day = Annotated[date, BeforeValidator(written_day)]
Length = Annotated[int, Field(ge=1, le=LONGEST_S)]  # of a clip, in seconds
Wait = Annotated[float, Field(gt=0, le=_YEAR_H * 3_600)]  # of waiting
Hours = Annotated[float, Field(gt=0, le=_YEAR_H)]
Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]  # of the environment
Address = Annotated[str, AfterValidator(lambda url: url.strip().rstrip("/"))]  # whether it is one is seen later
TrustedHost = Annotated[str, AfterValidator(trusted_host)]  # HOST or HOST:PORT
Places = Annotated[tuple[str, ...], BeforeValidator(places)]  # of an answer, the first that says something counts
