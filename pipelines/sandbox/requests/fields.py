"""Fields of an order as data: one table is read the same way from JSON and from a form."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from pipelines.sandbox.requests.references import Kind, check_kind
from pipelines.sandbox.vendors.refusals import unknown_field, wrong_field
from pipelines.sandbox.vendors.tables import STRICT

Type = Literal["string", "integer", "number", "boolean", "object", "list", "image", "any"]
JSON_TYPES: dict[Type, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
}
TRUTHS = {"true": True, "1": True, "false": False, "0": False}  # how forms spell them


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its JSON type, what it may say, and what must stand beside it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    type: Type = "string"
    allowed: tuple[Any, ...] = ()  # empty: anything of the type
    least: float | None = None  # of a number; of a string or a list, its length
    most: float | None = None
    pattern: str | None = None  # of the whole string
    inside: Mapping[str, Field] = field(default_factory=dict)  # of an object, or of each object in a list; empty: any
    each: Field | None = None  # what every item of a list must be; None: anything
    kinds: tuple[Kind, ...] = ()  # of an image: the forms in which it may come
    required: bool = False
    needs: tuple[str, ...] = ()  # fields that must be there too
    excludes: tuple[str, ...] = ()  # fields that must not


def read_fields(
    table: Mapping[str, Field], given: Mapping[str, Any], *, form: bool, within: str = ""
) -> dict[str, Any]:
    """The values of an order in their types; in a form, numbers and objects are text.

    `within` names the object that this is a part of, with its dot.
    """
    for name in given:
        if name not in table:
            raise unknown_field(f"{within}{name}")
    for name, spec in table.items():
        if name not in given:
            if spec.required:
                raise wrong_field(f"{within}{name}", "it is required")
            continue
        for other in spec.needs:
            if other not in given:
                raise wrong_field(f"{within}{name}", f"it goes with {other!r}")
        for other in spec.excludes:
            if other in given:
                raise wrong_field(f"{within}{name}", f"it does not go with {other!r}")
    return {name: _read_value(f"{within}{name}", table[name], value, form=form) for name, value in given.items()}


def _read_value(name: str, spec: Field, value: Any, *, form: bool) -> Any:
    if spec.type == "image":
        if form and isinstance(value, str) and value.startswith("{"):
            value = _from_text(name, "object", value)
        check_kind(value, spec.kinds, name)
        return value
    if form and isinstance(value, dict):
        raise wrong_field(name, "expected it as JSON text")
    if form and isinstance(value, str):
        value = _from_text(name, spec.type, value)
    if spec.type != "any" and type(value) not in JSON_TYPES[spec.type]:  # exactly: True is no integer here
        raise wrong_field(name, f"expected {_article(spec.type)}, got {type(value).__name__}")
    _check_limits(name, spec, value)
    if spec.type == "object" and spec.inside:
        return read_fields(spec.inside, value, form=False, within=f"{name}.")
    each = Field("object", inside=spec.inside) if spec.inside else spec.each
    if spec.type == "list" and each is not None:
        return [_read_value(f"{name}[{place}]", each, item, form=False) for place, item in enumerate(value)]
    return value


def _from_text(name: str, kind: Type, text: str) -> Any:
    """A value that stands in a form as text."""
    try:
        if kind == "boolean":
            return TRUTHS[text.lower()]
        if kind in ("object", "list", "any"):
            return json.loads(text)
        return {"integer": int, "number": float}.get(kind, str)(text)
    except (ValueError, KeyError, RecursionError):
        if kind == "any":
            return text
        raise wrong_field(name, f"{text!r} is not {_article(kind)}") from None


def _check_limits(name: str, spec: Field, value: Any) -> None:
    if spec.allowed and value not in spec.allowed:
        raise wrong_field(name, f"{value!r} is not one of {', '.join(map(str, spec.allowed))}")
    if spec.pattern is not None and re.fullmatch(spec.pattern, value) is None:
        raise wrong_field(name, f"{value!r} does not match {spec.pattern}")
    measure = value if spec.type in ("integer", "number") else len(value) if spec.type in ("string", "list") else 0
    if isinstance(measure, float) and not math.isfinite(measure):
        raise wrong_field(name, "expected a finite number")
    if (spec.least is not None and measure < spec.least) or (spec.most is not None and measure > spec.most):
        unit = {"string": " characters", "list": " items"}.get(spec.type, "")
        bounds = {"at least": spec.least, "at most": spec.most}
        wanted = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
        raise wrong_field(name, f"expected {wanted}{unit}, got {measure}")


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
