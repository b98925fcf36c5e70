"""A provider's own parameters: a cell of text becomes the JSON value that the request takes. Pure."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from pipelines.batch.files.document import refuse_constant
from pipelines.core.text.excerpt import quoted
from pipelines.providers.profile.checks.findings import in_full
from pipelines.providers.profile.order_parts import Parameter

_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?")
_MOST = 10**15
_SHAPES = {
    "object": ("a JSON object", "{%s}"),
    "list": ("a JSON list", "[{%s}]"),
    "objects": ("a JSON list of objects", "[{%s}]"),
}


class ParameterRefused(ValueError):
    """A value that a parameter does not take: what is wrong, and how to mend it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def parameter_value(rule: Parameter, text: str, model: str) -> Any:
    """The JSON value of a cell.

    Args:
        rule: what the parameter takes.
        text: the cell, trimmed and not empty.
        model: the model of the order; some take less than others.

    Raises:
        ParameterRefused: it does not fit.
    """
    value = cell_as(rule.type, text)
    if rule.type == "list":
        _check_count(rule, value)
        return [_checked(rule, item, item, model) for item in value]
    if rule.type == "json":
        check_shape(rule, value, text)
    return _checked(rule, value, text, model)


def is_taken(rule: Parameter, text: str, model: str) -> bool:
    """Tell whether a model takes a value of a parameter."""
    try:
        check_model(rule, model)
        parameter_value(rule, text, model)
    except ParameterRefused:
        return False
    return True


def check_model(rule: Parameter, model: str) -> None:
    """Refuse a parameter that a model does not take at all.

    Raises:
        ParameterRefused: naming the models that do.
    """
    if rule.models and model not in rule.models:
        raise ParameterRefused(f"is not taken by {model}.", f"Only {' and '.join(rule.models)} can; or leave it empty.")


def _checked(rule: Parameter, value: Any, text: str, model: str) -> Any:
    """One value, spelt as the provider spells it."""
    if isinstance(value, str):
        value = next((str(one) for one in rule.allowed if str(one).casefold() == value.casefold()), value)
    if rule.allowed and value not in rule.allowed:
        raise ParameterRefused(f"{quoted(text, 40)} is not allowed.", f"Allowed: {', '.join(map(str, rule.allowed))}.")
    if rule.type == "string":
        if rule.most is not None and len(value) > rule.most:
            raise ParameterRefused(f"has {len(value)} characters.", f"It takes at most {in_full(rule.most)}.")
    elif rule.type in ("integer", "number") and not _within(rule, value):
        raise ParameterRefused(f"{quoted(text, 40)} is out of range.", f"It takes {_bounds(rule)}.")
    only = rule.only.get(str(value), ())
    if only and model not in only:
        raise ParameterRefused(f"{quoted(text, 40)} is not taken by {model}.", f"Only {' and '.join(only)} can.")
    return value


def check_shape(rule: Parameter, value: Any, text: str) -> None:
    """Refuse JSON of another shape than the parameter has: the provider would refuse it only when it is sent.

    Raises:
        ParameterRefused: saying what the shape is.
    """
    if rule.shape is None:
        return
    items = value if isinstance(value, list) else [value]
    is_list, of_objects = isinstance(value, list), all(isinstance(item, dict) for item in items)
    if is_list is (rule.shape == "object") or not (of_objects or rule.shape == "list"):
        what, example = _SHAPES[rule.shape]
        keys = ", ".join(f'"{key}": ...' for key in rule.keys) or '"name": ...'
        raise ParameterRefused(f"{quoted(text, 40)} is not {what}.", f"Write for example {example % keys}.")
    for item in items:
        missing = [key for key in rule.keys if key not in item]
        if missing:
            raise ParameterRefused(f"{quoted(text, 40)} has no {missing[0]}.", f"It takes {' and '.join(rule.keys)}.")
    if is_list:
        _check_count(rule, value)


def _check_count(rule: Parameter, items: list[Any]) -> None:
    if not _within(rule, len(items)):
        raise ParameterRefused(f"has {len(items)} items.", f"It takes {_bounds(rule)}.")


def _within(rule: Parameter, number: float) -> bool:
    low = -math.inf if rule.least is None else rule.least
    high = math.inf if rule.most is None else rule.most
    return low <= number <= high


def _bounds(rule: Parameter) -> str:
    ends = [f"at least {in_full(rule.least)}"] if rule.least is not None else []
    ends += [f"at most {in_full(rule.most)}"] if rule.most is not None else []
    return " and ".join(ends)


def cell_as(kind: str, text: str) -> Any:
    """Read the text of a cell as a value of this type.

    Args:
        kind: as a profile names it, such as `integer`.
        text: the cell, trimmed and not empty. A list has commas, semicolons, bars or line ends between its texts, or is JSON.

    Raises:
        ParameterRefused: it is none.
    """
    match kind:
        case "number":
            return _number(text)
        case "integer":
            number = _number(text, "5")
            if number != int(number):
                raise ParameterRefused(f"{quoted(text, 40)} is not a whole number.", "Write for example 5.")
            return int(number)
        case "boolean":
            if (word := text.casefold()) not in _YES | _NO:
                raise ParameterRefused(f"{quoted(text, 40)} is neither yes nor no.", "Write yes or no.")
            return word in _YES
        case "json":
            return _json(text)
        case "list" if not text.startswith("["):
            return [item for part in re.split(r"[,;|\n]", text) if (item := part.strip())]
        case "list":
            items = _json(text)
            if not all(isinstance(item, str) for item in items):
                fix = 'Write for example ["one", "two"].'
                raise ParameterRefused(f"{quoted(text, 40)} is not a list of texts.", fix)
            return items
    return text


def _number(text: str, example: str = "0.5") -> float | int:
    number = Decimal(text) if _NUMBER.fullmatch(text) else Decimal("nan")
    if not number.is_finite() or abs(number) > _MOST:
        raise ParameterRefused(f"{quoted(text, 40)} is not a number.", f"Write for example {example}.")
    return int(number) if number == number.to_integral_value() else float(number)


def _json(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=refuse_constant)
        json.dumps(value, allow_nan=False)  # 1e999 is read as infinity, which JSON cannot say
    except (ValueError, RecursionError):
        raise ParameterRefused(f"{quoted(text, 40)} is not JSON.", 'Write for example {"type": "simple"}.') from None
    return value
