"""Say what is wrong with a profile to whoever wrote it: the file, the line, the place, what is allowed. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.core.errors import Problem
from pipelines.core.text.printable import printable
from pipelines.core.text.strict_yaml import Located, Place
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.model import Profile

_LONG = 200  # characters of a hint
_LONGEST = 300  # characters of what is wrong
EXTENDS = "extends"  # a key of the file, not of the profile that comes of it

#: pydantic's kinds of errors that a data file runs into: what is wrong, and how to mend it.
_WORDS = {
    "missing": ("is missing.", ""),
    "string_type": ("is not text.", "Put it into quotes."),
    "int_type": ("is not a whole number.", ""),
    "int_parsing": ("is not a whole number.", ""),
    "int_from_float": ("is not a whole number.", ""),
    "float_type": ("is not a number.", ""),
    "finite_number": ("is not a number.", ""),
    "float_parsing": ("is not a number.", ""),
    "decimal_type": ("is not a number.", ""),
    "decimal_parsing": ("is not a number.", ""),
    "bool_type": ("is neither true nor false.", ""),
    "bool_parsing": ("is neither true nor false.", ""),
    "date_type": ("is not a date.", "Write for example 2026-11-21."),
    "date_parsing": ("is not a date.", "Write for example 2026-11-21."),
    "date_from_datetime_parsing": ("is not a date.", "Write for example 2026-11-21."),
    "dict_type": ("is not a mapping.", "Write `name: value` lines below it."),
    "model_type": ("is not a mapping.", "Write `name: value` lines below it."),
    "tuple_type": ("is not a list.", "Write [a, b], or one item a line after a dash."),
    "too_short": ("is empty.", "Give at least one."),
}
_IN_QUERY = "It takes the name of a parameter: letters, digits, dots, dashes and brackets."
#: What a text of a certain form takes, by its field.
_PATTERNS = {
    "name": "It takes small letters, digits and single dashes, beginning with a letter.",
    "currency": "It takes three capital letters, such as USD.",
    "key_env": "It takes the name of a variable: letters, digits and underscores.",
    "base_url_env": "It takes the name of a variable: letters, digits and underscores.",
    "service": "It takes letters, digits, dots and dashes.",
    "header": "It takes the name alone, without a colon: letters, digits and dashes.",
    "idempotency_header": "It takes the name alone, without a colon: letters, digits and dashes.",
    "scheme": "It takes one word, such as Key, or nothing: letters, digits, dots and dashes.",
    "query": "It takes the name of a parameter: letters, digits, dots and dashes.",
    "callback_query": "It takes the name of a parameter: letters, digits, dots and dashes.",
    "list_cursor": _IN_QUERY,
    "list_page": _IN_QUERY,
    "list_offset": _IN_QUERY,
    "within": "It takes WIDTHxHEIGHT, such as 1920x1080.",
}
_MOST_HOMES = 3  # parts of a profile that a hint names


def problems_of(error: ValidationError, file: str, source: Located, *, only_written: bool = False) -> list[Problem]:
    """Each thing that the model refuses, at its place in the file, in the order of the lines.

    Args:
        error: what validating the profile brought.
        file: how messages name the file.
        source: its text; what it took over from another profile has no line in it.
        only_written: leave out what the text does not spell, as the profile that it builds upon is wrong as well.
    """
    found: dict[Place, tuple[str, str]] = {}
    for details in error.errors(include_url=False):
        # pydantic adds steps of its own: to a key that is wrong, and to each kind that a value is not
        place = tuple(part for part in details["loc"] if part != "[key]")
        if place not in source.lines and source.lines.get(place[:-1]) and place[-1] in ("str", "int", "float"):
            place = place[:-1]
        if not (details["type"] == "too_short" and any(other[: len(place)] == place for other in found)):
            found.setdefault(place, _words(details, place))  # a list whose items are wrong is not empty
    places = [place for place in found if place in source.lines or not only_written]
    places.sort(key=lambda place: source.line_of(place) or 0)
    return [Problem(where(file, place, source), *found[place]) for place in places]


def where(file: str, place: Place, source: Located | None = None) -> str:
    """A place as a message names it: `lumafox.yaml, line 12, modes[0].seconds.default`."""
    line = source.line_of(place) if source is not None else None
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{printable(part, 40)}" for part in place)
    return ", ".join(filter(None, (file, f"line {line}" if line else "", path.removeprefix("."))))


def _words(details: ErrorDetails, place: Place) -> tuple[str, str]:
    kind, context, value = details["type"], details.get("ctx", {}), shown_value(details["input"])
    if kind == "extra_forbidden":
        homes = list(_homes(str(place[-1])))
        if 0 < len(homes) <= _MOST_HOMES:
            return "is not a field here.", f"It is one of {' and of '.join(homes)}."
        known = [*model_below(place[:-1]).model_fields, *([] if place[:-1] else [EXTENDS])]
        hint = did_you_mean(str(place[-1]), known)
        return "is not a field here.", hint if len(hint) < _LONG else "docs/profiles.md explains every field."
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{value} is not allowed.", f"Allowed: {allowed}."
    if kind == "value_error":
        return printable(str(context["error"]), _LONGEST), ""
    if kind == "string_pattern_mismatch":
        field = next((part for part in reversed(place) if isinstance(part, str)), "")
        return f"{value} does not fit.", _PATTERNS.get(field, "")
    if kind in _WORDS:
        what, fix = _WORDS[kind]
        return (what if kind in ("missing", "too_short") else f"{value} {what}"), fix
    message = details["msg"].rstrip(".")
    return f"{value} does not fit: {message[:1].lower()}{message[1:]}.", ""


def shown_value(value: Any) -> str:
    """A value as a message shows it: short, and on one line."""
    return printable(json.dumps(value, ensure_ascii=False, default=str), 40)


def model_below(place: Place) -> type[BaseModel]:
    """The model whose fields may stand below a place."""
    model: type[BaseModel] = Profile
    for part in place:
        if part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation) or model
    return model


def _homes(name: str, model: type[BaseModel] = Profile, way: str = "") -> Iterator[str]:
    """The parts of a profile that have a field of this name, as a message calls them."""
    if name in model.model_fields:
        yield f"`{way}`" if way else "the profile itself"
    for field, info in model.model_fields.items():
        if (inner := _model_in(info.annotation)) is not None:
            in_list = "[]" if "tuple" in str(info.annotation) else ""
            yield from _homes(name, inner, f"{way}.{field}{in_list}".removeprefix("."))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `tuple[Mode, ...]` or `Remix | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := _model_in(each))), None)
